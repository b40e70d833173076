"""Forwarding: reads the alert log and keeps one Alertmanager informed. No forwarder waits for another."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from prometheus_client import Gauge

from sentinel.clock import Clock
from sentinel.model import AlertEvent, Labels
from sentinel.notify.alertmanager import Alertmanager, ForwardConfig, Renew
from sentinel.notify.client import HttpClient
from sentinel.notify.outbox import Outbox
from sentinel.notify.topic import EventLog
from sentinel.store.frames import write_synced
from sentinel.telemetry import REGISTRY, logger

_LOG = logger("notify")
_AT_A_TIME: Final = 1000
_HELD_SECONDS, _IDLE_SECONDS = 1.0, 60.0
_TICK_SECONDS: Final = 0.001
"""The shortest sleep: no clock is finer than this, and asking it over and over is no waiting."""

FORWARD_FAILING: Final = Gauge(
    "sentinel_forward_failing_seconds",
    "Time since the first failure that no success followed; 0 if there is none.",
    ["alertmanager"],
    registry=REGISTRY,
)
FORWARD_PENDING: Final = Gauge(
    "sentinel_forward_pending_alerts",
    "Alerts whose state an Alertmanager has yet to take.",
    ["alertmanager"],
    registry=REGISTRY,
)

Firing = Callable[[], Awaitable[tuple[list[AlertEvent], int]]]
"""What the engine holds as firing (the events that said so), and the position in the log that this is of."""


def _never(_rule: str) -> bool:
    return False


async def _unchanged(events: list[AlertEvent]) -> list[AlertEvent | None]:
    return list(events)


class Forwarder:
    """One Alertmanager's reader of the log.

    `position` is durable: what lies before it in the log is no longer needed here. `firing` is asked once, at
    the start of `run`, and may take as long as the engine takes to be itself again: so what fires is told
    after a restart whatever the log still holds. While `catching_up(rule)`, news of that rule's alerts wait.
    """

    def __init__(
        self,
        config: ForwardConfig,
        log: EventLog,
        folder: Path,
        client: HttpClient,
        clock: Clock,
        *,
        firing: Firing,
        renew: Renew = _unchanged,
        catching_up: Callable[[str], bool] = _never,
    ) -> None:
        self._log, self._firing, self.name = log, firing, config.name
        self._outbox = Outbox(config.resend.seconds, catching_up)
        self._alertmanager = Alertmanager(config, client, clock, self._outbox, renew)
        digest = hashlib.sha256(config.base.encode()).hexdigest()[:16]
        self._file = folder / f"alertmanager-{digest}.position"
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.position = self._read_to = self._kept()

    def _kept(self) -> int:
        """Where an earlier life left off; the log's end if there was none, for it told nobody anything."""
        if not self._file.exists():
            return self._log.end
        try:
            kept = int(self._file.read_text())
        except ValueError:
            kept = -1
        if self._log.start <= kept <= self._log.end:
            return kept
        _LOG.warning("alert_log_replaced", position=kept, start=self._log.start, end=self._log.end)
        return self._log.start

    def wake(self) -> None:
        """The log has grown. To be called on the event loop; cheap."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled: an Alertmanager that is away is tried again for ever.

        Raises:
            StateError: the log is damaged.
        """
        self._show()
        begin = asyncio.get_running_loop().create_task(self._begin())
        begin.add_done_callback(lambda _: self.wake())
        try:
            while True:
                self._woken.clear()
                more = await self._follow(begin)
                self._outbox.release()
                if not (await self._alertmanager.tell() or more):
                    if begin.done():
                        await self._save()
                    await self._sleep()
        finally:
            begin.cancel()
            FORWARD_FAILING.remove(self.name)
            FORWARD_PENDING.remove(self.name)

    def put(self, event: AlertEvent) -> None:
        """An event that goes past the log. To be called on the event loop."""
        self._outbox.put(event, self._read_to)
        self.wake()

    async def last_words(self) -> None:
        """One attempt at what was put after `run` had ended."""
        await self._alertmanager.tell()

    def failing_seconds(self) -> float:
        """Time since the first failure that no success followed; 0 if there is none."""
        since = self._alertmanager.failing_since
        if since is None or self._loop is None or not self._outbox.pending:
            return 0.0
        return self._loop.time() - since

    def _show(self) -> None:
        """The gauges are asked when they are scraped."""
        self._loop = asyncio.get_running_loop()
        FORWARD_FAILING.labels(self.name).set_function(self.failing_seconds)
        FORWARD_PENDING.labels(self.name).set_function(lambda: self._outbox.pending)

    async def _begin(self) -> None:
        """What fires now; and what ended since an earlier life left off and may have told that it fired."""
        firing, end = await self._firing()
        ended: dict[Labels, tuple[int, AlertEvent]] = {}
        while self._read_to < end:
            batch = await asyncio.to_thread(self._log.read, self._read_to, _AT_A_TIME)
            for behind, event in batch:
                if behind <= end and event.state == "resolved":
                    ended[event.labels] = (self._read_to, event)
                self._read_to = min(behind, end)
            if not batch:
                break
        self._read_to = end
        self._outbox.restore([*ended.values(), *((end, event) for event in firing)])
        await self._save(always=True)

    async def _follow(self, begin: asyncio.Task[None]) -> bool:
        """Takes in some events; whether there may be more. What goes past the log waits for no beginning."""
        if not begin.done():
            return False
        begin.result()
        return await self._read()

    async def _read(self) -> bool:
        """Takes in some events; whether there may be more."""
        batch = await asyncio.to_thread(self._log.read, self._read_to, _AT_A_TIME)
        for behind, event in batch:
            self._outbox.put(event, self._read_to)
            self._read_to = behind
        return len(batch) == _AT_A_TIME

    async def _save(self, always: bool = False) -> None:
        """Notes the position. Alerts go on where that fails: a restart repeats some, which does no harm."""
        position = self._outbox.position(self._read_to)
        if position == self.position and not always:
            return
        try:
            await asyncio.to_thread(write_synced, self._file, str(position))
        except OSError as error:
            _LOG.error("position_not_kept", alertmanager=self.name, error=error.strerror)
        else:
            self.position = position

    async def _sleep(self) -> None:
        """Until something is due or the log has grown; at most a minute."""
        now = asyncio.get_running_loop().time()
        seconds = max(self._outbox.next_due(), self._alertmanager.not_before) - now
        longest = _HELD_SECONDS if self._outbox.holding else _IDLE_SECONDS
        try:
            async with asyncio.timeout(min(max(seconds, _TICK_SECONDS), longest)):
                await self._woken.wait()
        except TimeoutError:
            return
