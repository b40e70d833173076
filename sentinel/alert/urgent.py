"""Alerts about Sentinel itself, told without the engine, without the alert log and without a disk.

They take the user's routes to the user's receivers, at once and each for itself. Which of them were raised
is also noted in a file, if the disk lets us: so that a restart can tell that they are over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import zlib
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from sentinel.alert.config import ALL_LABELS, AlertmanagerConfig, RouteConfig
from sentinel.alert.dispatch import Dispatcher
from sentinel.alert.log import decode_event, encode_event
from sentinel.alert.nflog import Forgetful, Saved
from sentinel.alert.tell import Deliver, Failing, Teller
from sentinel.clock import Clock
from sentinel.model import AlertEvent, Duration
from sentinel.telemetry import logger

_LOG = logger("alert")

_LOOK_SECONDS: Final = 0.5
_NOTE_BYTES: Final = 16_384
_NOW: Final = Duration(0)
_SOON: Final = Duration(10_000)


class UrgentAlerts:
    """`put` events; `run` tells them. Methods belong to the event loop."""

    def __init__(
        self,
        config: AlertmanagerConfig,
        folder: Path,
        deliver: Deliver,
        clock: Clock,
        *,
        external_url: str,
        failing: Failing | None = None,
        executor: Executor | None = None,
    ) -> None:
        self._clock, self._file = clock, NoteFile(folder / "urgent-alerts")
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="urgent")
        self._writing: Future[None] = Future()
        self._writing.set_result(None)
        self._active: dict[int, AlertEvent] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._dispatcher = Dispatcher(
            Forgetful(),
            Teller(deliver, random.Random(), failing),
            clock,
            external_url=external_url,
            catching_up=lambda rule: False,
            wake=lambda: None,
        )
        self._dispatcher.restore(_at_once(config), Saved([], [], {}, 0))
        for event in _events(self._file.read()):
            self.put(event)
        self._noted_ids = set(self._active)

    @property
    def firing(self) -> list[AlertEvent]:
        """What was raised and is not over, be it by the process before this one."""
        return list(self._active.values())

    def put(self, event: AlertEvent) -> None:
        """Raise an alert, or end it."""
        if event.state == "firing":
            self._active[event.labels.fingerprint] = event
        else:
            self._active.pop(event.labels.fingerprint, None)
        self._dispatcher.put(event, self._clock.now_ms())

    def reload(self, config: AlertmanagerConfig) -> None:
        self._dispatcher.reload(_at_once(config))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._flush()
            self._note()
            await asyncio.sleep(_LOOK_SECONDS)

    async def last_words(self, seconds: float) -> None:
        """Returns when everything is told that can be, or the time is over; `run` goes on meanwhile."""
        self._flush()
        if self._telling:
            _, silent = await asyncio.wait(self._telling, timeout=seconds)
            if silent:
                _LOG.error("receivers did not answer in time", notices=len(silent))

    def _flush(self) -> None:
        for ledger in self._dispatcher.flush_due(self._clock.now_ms()):
            task = asyncio.get_running_loop().create_task(self._dispatcher.serve(ledger))
            self._telling.add(task)
            task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.critical("telling failed", error=repr(error))

    def _note(self) -> None:
        """In another thread, one at a time: a disk that stands still must not hold up the telling."""
        if self._noted_ids == set(self._active) or not self._writing.done():
            return
        self._noted_ids = set(self._active)
        noted = [encode_event(event) for event in self.firing]
        self._writing = self._executor.submit(self._file.write, msgspec.msgpack.encode(noted))


class NoteFile:
    """One small record, written over in place: on a full disk there is room for it already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.suppress(OSError):
            if not path.exists():
                path.write_bytes(bytes(_NOTE_BYTES))

    def write(self, record: bytes) -> None:
        head = len(record).to_bytes(4, "little") + zlib.crc32(record).to_bytes(4, "little")
        try:
            with self._path.open("r+b", buffering=0) as file:
                os.pwrite(file.fileno(), head + record, 0)
                os.fsync(file.fileno())
        except OSError as error:
            _LOG.warning("cannot note urgent alerts", error=error.strerror)

    def read(self) -> bytes:
        """The last record, or nothing if there is none that is whole."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return b""
        record = data[8 : 8 + int.from_bytes(data[:4], "little")]
        return record if zlib.crc32(record) == int.from_bytes(data[4:8], "little") else b""


def _events(record: bytes) -> list[AlertEvent]:
    try:
        return [decode_event(each) for each in msgspec.msgpack.decode(record, type=list[bytes])]
    except msgspec.MsgspecError:
        return []


def _at_once(config: AlertmanagerConfig) -> AlertmanagerConfig:
    """The same routes, with every alert a group of its own that waits for no other."""

    def route(given: RouteConfig, root: bool) -> RouteConfig:
        return msgspec.structs.replace(
            given,
            group_by=[ALL_LABELS] if root else [],
            group_wait=_NOW if root else None,
            group_interval=_SOON if root else None,
            routes=[route(child, False) for child in given.routes],
        )

    return msgspec.structs.replace(config, route=route(config.route, True))
