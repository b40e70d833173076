"""Snapshots of the host: of one moment between two inputs, captured and written by a forked child.

The inbox stands still for the fork alone. Where none is to be had the state is copied here and now, and
written by a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from sentinel.engine import Engine
from sentinel.host.accounts import Accounts
from sentinel.host.child import Child, fork
from sentinel.host.memory import give_back
from sentinel.host.watermarks import SourceTime
from sentinel.store import snapshot
from sentinel.telemetry import SNAPSHOT_LAST, SNAPSHOT_STALL, logger

log = logger("host")
State = dict[str, Any]

PATIENCE_SECONDS: Final = 300.0
"""A child that takes longer hangs."""


class Mark(msgspec.Struct, frozen=True):
    """Where a snapshot stands: the journal's last entry, the end of the alert log, positions by source."""

    journal: int
    log: int
    positions: dict[str, dict[str, int]]


class Outcome(msgspec.Struct, frozen=True):
    """What became of writing one."""

    size_bytes: int = 0
    error: str = ""
    hint: str = ""


def capture(engine: Engine, times: dict[str, SourceTime], accounts: Accounts) -> State:
    """Copies of everything that an input changes."""
    return {
        "engine": engine.snapshot(),
        "times": {name: each.snapshot() for name, each in times.items()},
        "accounts": accounts.snapshot(),
    }


class Checkpoints:
    """One snapshot at a time; `kept` is told when it is on disk, from the waiting thread."""

    def __init__(self, folder: Path, kept: Callable[[Mark], None]) -> None:
        self._folder, self._kept = folder, kept
        self._running: threading.Thread | None = None
        self.trouble = ""
        """Why the last snapshot could not be kept, or nothing."""

    def restore(self, take: Callable[[State], object]) -> bool:
        """Gives `take` the newest snapshot, if there is one; StateError if none can be read."""
        state = snapshot.load(self._folder)
        if state is None:
            return False
        take(state)
        del state
        give_back()
        return True

    @property
    def busy(self) -> bool:
        return self._running is not None and self._running.is_alive()

    def take(self, state: Callable[[], State], mark: Mark) -> None:
        """A snapshot of now. `state` is asked in the child: it takes no lock that another thread may hold."""
        self.finish()
        begun = time.perf_counter()
        done = self._begin(state)
        SNAPSHOT_STALL.observe(time.perf_counter() - begun)
        self._running = threading.Thread(
            target=self._conclude, args=(done, mark), name="snapshot", daemon=True
        )
        self._running.start()

    def finish(self) -> None:
        """Wait until the running one is on disk."""
        if self._running is not None:
            self._running.join()

    def _begin(self, state: Callable[[], State]) -> Callable[[], Outcome]:
        """What gives the outcome when it is there."""
        try:
            child = fork(lambda: msgspec.msgpack.encode(_write(self._folder, state)))
        except OSError as error:
            log.debug("snapshot without a fork", error=str(error))
            return partial(_write, self._folder, [state()].pop)  # who writes it lets it go
        return partial(_wait, child)

    def _conclude(self, done: Callable[[], Outcome], mark: Mark) -> None:
        outcome = done()
        give_back()  # what a flood needed since the last one
        if outcome.error:
            log.error("snapshot failed", error=outcome.error, folder=str(self._folder), hint=outcome.hint)
            self.trouble = f"no snapshot can be written: {outcome.error}"
            return
        self.trouble = ""
        SNAPSHOT_LAST.set_to_current_time()
        log.debug("snapshot kept", bytes=outcome.size_bytes)
        self._kept(mark)


def _write(folder: Path, state: Callable[[], State]) -> Outcome:
    try:
        return Outcome(snapshot.save(folder, state()))
    except OSError as error:
        return Outcome(error=error.strerror or repr(error), hint="free some space")
    except Exception as error:  # a bug of ours, where nobody would hear of it
        return Outcome(error=repr(error), hint="this is a bug")


def _wait(child: Child) -> Outcome:
    try:
        return msgspec.msgpack.decode(child.answer(PATIENCE_SECONDS), type=Outcome)
    except (OSError, msgspec.MsgspecError) as error:
        return Outcome(error=str(error), hint="is there memory for it?")
