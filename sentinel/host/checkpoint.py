"""Snapshots of the host: taken between two inputs, written aside by another thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sentinel.engine import Engine
from sentinel.host.accounts import Accounts
from sentinel.host.memory import give_back
from sentinel.host.watermarks import SourceTime
from sentinel.store import snapshot
from sentinel.telemetry import SNAPSHOT_LAST, SNAPSHOT_STALL, logger

log = logger("host")
State = dict[str, Any]


def capture(engine: Engine, times: dict[str, SourceTime], accounts: Accounts) -> State:
    """Copies of everything that an input changes."""
    return {
        "engine": engine.snapshot(),
        "times": {name: each.snapshot() for name, each in times.items()},
        "accounts": accounts.snapshot(),
    }


class Checkpoints:
    """One snapshot at a time; `kept` is told when it is on disk, from the writing thread."""

    def __init__(self, folder: Path, kept: Callable[[State], None]) -> None:
        self._folder, self._kept = folder, kept
        self._writer = ThreadPoolExecutor(1, "snapshot")
        self._running: Future[None] | None = None
        self.trouble = ""
        """Why the last snapshot could not be kept, or nothing."""

    def load(self) -> State | None:
        return snapshot.load(self._folder)

    @property
    def busy(self) -> bool:
        return self._running is not None and not self._running.done()

    def take(self, state: Callable[[], State]) -> None:
        """Capture now, write later. The time that the capture takes is time the inbox stands still."""
        begun = time.perf_counter()
        captured = state()
        SNAPSHOT_STALL.observe(time.perf_counter() - begun)
        self._running = self._writer.submit(self._write, captured)
        self._running.add_done_callback(lambda _: give_back())

    def finish(self) -> None:
        """Wait until the running one is on disk."""
        if self._running is not None:
            self._running.result()

    def close(self) -> None:
        self._writer.shutdown()

    def _write(self, state: State) -> None:
        try:
            size = snapshot.save(self._folder, state)
        except OSError as error:
            log.error("snapshot failed", error=str(error), folder=str(self._folder), hint="free some space")
            self.trouble = f"no snapshot can be written: {error.strerror}"
            return
        except Exception as error:  # a bug of ours, in a thread where nobody would hear of it
            log.critical("snapshot failed", error=repr(error), exc_info=True)
            self.trouble = f"no snapshot can be written: {error!r}"
            return
        self.trouble = ""
        SNAPSHOT_LAST.set_to_current_time()
        log.debug("snapshot kept", bytes=size)
        self._kept(state)
