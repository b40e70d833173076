"""Alerts about Sentinel itself, told without the engine, without the alert log and without a disk.

They take the user's routes to the user's receivers, at once and each for itself. Which of them were raised
is also noted in a file, if the disk lets us: so that a restart can tell that they are over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
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
    ) -> None:
        self._clock, self._file = clock, folder / "urgent-alerts"
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
        for event in self._noted():
            self.put(event)

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
        self._note()
        self._dispatcher.put(event, self._clock.now_ms())

    def reload(self, config: AlertmanagerConfig) -> None:
        self._dispatcher.reload(_at_once(config))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._flush()
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
            task.add_done_callback(self._telling.discard)

    def _note(self) -> None:
        try:
            self._file.write_bytes(msgspec.msgpack.encode([encode_event(event) for event in self.firing]))
        except OSError as error:
            _LOG.warning("cannot note urgent alerts", error=error.strerror)

    def _noted(self) -> Iterable[AlertEvent]:
        try:
            return [decode_event(each) for each in msgspec.msgpack.decode(self._file.read_bytes())]
        except (OSError, msgspec.MsgspecError):
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
