"""The alert pipeline: reads the alert log, groups, decides, tells, and remembers what was told.

Each step takes in what the log holds and flushes the groups that are due; one commit makes both durable, and
only then is anybody told. Where nobody is to be told the commit waits for the next one, a second at most: all
of it follows from the log again. Telling runs in a task per group and integration, so a slow receiver holds
up no other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sentinel.alert.config import AlertmanagerConfig
from sentinel.alert.dispatch import Dispatcher
from sentinel.alert.log import AlertLog
from sentinel.alert.nflog import NotificationLog, Saver
from sentinel.alert.tell import Deliver, Failing, Teller
from sentinel.clock import Clock
from sentinel.model import AlertEvent
from sentinel.telemetry import logger

_LOG = logger("alert")

_AT_A_TIME: Final = 1000
_HELD_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 60.0
"""The longest sleep: the wall clock may be set meanwhile."""


def _never(_rule: str) -> bool:
    return False


class AlertPipeline:
    """Between the alert log and the receivers.

    `position` is durable: what lies before it in the log is no longer needed here. While `catching_up(rule)`
    is true the alerts of a rule are taken in but not told; what still holds afterwards is. `executor` runs
    everything that touches a disk, one call at a time. Raises StateError if `folder` cannot be used.

    Unlike Alertmanager, a repeat is told when `repeat_interval` is over, not at the group's next tick after
    that; and a resolve is told to whoever may have got the firing notice, answer or none.
    """

    def __init__(
        self,
        config: AlertmanagerConfig,
        log: AlertLog,
        folder: Path,
        deliver: Deliver,
        clock: Clock,
        *,
        external_url: str,
        catching_up: Callable[[str], bool] = _never,
        executor: Executor | None = None,
        jitter: random.Random | None = None,
        failing: Failing | None = None,
    ) -> None:
        self._log, self._clock = log, clock
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="alerts")
        self._woken = asyncio.Event()
        self._db = NotificationLog(folder)
        self._saver = Saver(self._db, self._executor)
        self._dispatcher = Dispatcher(
            self._saver,
            Teller(deliver, jitter or random.Random(), failing),
            clock,
            external_url=external_url,
            catching_up=catching_up,
            wake=self.wake,
        )
        saved = self._db.load()
        self._dispatcher.restore(config, saved)
        self.position = self._read_to = self._place_in_log(saved.position)

    def _place_in_log(self, position: int) -> int:
        if self._log.start <= position <= self._log.end:
            return position
        _LOG.warning("alert_log_replaced", position=position, start=self._log.start, end=self._log.end)
        return self._log.start

    @property
    def trouble(self) -> str:
        """Why nothing is told at the moment, or nothing."""
        return self._saver.trouble

    def wake(self) -> None:
        """The log has grown. To be called on the event loop; cheap."""
        self._woken.set()

    async def reload(self, config: AlertmanagerConfig) -> None:
        """Takes another configuration; returns once that is durable."""
        self._dispatcher.reload(config)
        self.wake()
        await self._saver.save()

    async def run(self) -> None:
        """Until cancelled. While its own state cannot be kept it waits: what is told is on disk."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._woken.clear()
                    if not await self._step(tasks):
                        await self._sleep()
        finally:
            self._executor.submit(self._db.close)

    async def _step(self, tasks: asyncio.TaskGroup) -> bool:
        """Takes in, flushes, commits; true if the log may hold more."""
        events = self._log.recent(self._read_to)
        if events is None:
            events = await self._read()
        now = self._clock.now_ms()
        for self._read_to, event in events:
            self._dispatcher.put(event, now)
        if events:
            self._saver.changes.position = self._read_to
        ledgers = self._dispatcher.flush_due(now)
        for ledger in ledgers:
            tasks.create_task(self._dispatcher.serve(ledger))
        self._dispatcher.forget(now)
        if ledgers or not self._saver.seconds_left():
            reached = self._read_to
            await self._saver.save()
            self.position = reached
        return self._read_to < self._log.end

    async def _read(self) -> list[tuple[int, AlertEvent]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._log.read, self._read_to, _AT_A_TIME)

    async def _sleep(self) -> None:
        now, at = self._clock.now_ms(), self._dispatcher.next_ms()
        longest = min(
            _HELD_SECONDS if self._dispatcher.holding else _IDLE_SECONDS, self._saver.seconds_left()
        )
        seconds = longest if at is None else min(longest, max(0, at - now) / 1000)
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
