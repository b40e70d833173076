"""An Alertmanager for virtual time: how it merges, times out and forgets; and a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
import pytest

from sentinel.model import AlertEvent, Labels
from sentinel.notify.client import Response
from tests.simulation.world import START_MS, LoopClock


class Posted(msgspec.Struct, forbid_unknown_fields=True):
    """One alert of a request."""

    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: datetime  # noqa: N815 - the names of the format
    endsAt: datetime  # noqa: N815
    generatorURL: str = ""  # noqa: N815

    @property
    def span(self) -> tuple[int, int]:
        return tuple(round(time.timestamp() * 1000) for time in (self.startsAt, self.endsAt))  # type: ignore[return-value]


class FakeAlertmanager:
    """Answers as `answer(alerts)` says, after `latency` seconds; it takes what it answers with 200 or 500.

    With a latency above the caller's time-out it takes the alerts all the same: late, and behind others.
    `disturbed` is when it last did anything but take alerts at once.
    """

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.answer: Callable[[Sequence[Posted]], Response | Exception] = lambda _: Response(200, {})
        self.latency: Callable[[], float] = lambda: 0.0
        self.requests: list[tuple[float, list[Posted]]] = []
        self.disturbed = 0.0
        self._alerts: dict[Labels, tuple[int, int]] = {}
        self._late: set[asyncio.Task[None]] = set()

    def restart(self) -> None:
        """Comes back with nothing."""
        self._alerts.clear()
        self.disturb()

    def disturb(self) -> None:
        self.disturbed = asyncio.get_running_loop().time()

    def active(self) -> set[Labels]:
        now = self.clock.now_ms()
        return {labels for labels, (_, ends) in self._alerts.items() if ends > now}

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Response:
        assert (url, headers["Content-Type"]) == ("http://am:9093/api/v2/alerts", "application/json")
        alerts = msgspec.json.decode(body, type=list[Posted])
        assert len({Labels(alert.labels) for alert in alerts}) == len(alerts) in range(1, 257)
        self.requests.append((asyncio.get_running_loop().time(), alerts))
        answer, latency = self.answer(alerts), self.latency()
        if latency > timeout_seconds:
            task = asyncio.create_task(self._take_late(alerts, latency))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            await asyncio.sleep(timeout_seconds)
            raise TimeoutError
        await asyncio.sleep(latency)
        if isinstance(answer, Exception):
            self.disturb()
            raise answer
        if answer.status != 200:
            self.disturb()
        if answer.status in (200, 500):
            self.take(alerts)
        return answer

    async def _take_late(self, alerts: Sequence[Posted], latency: float) -> None:
        await asyncio.sleep(latency)
        self.take(alerts)
        self.disturb()

    def take(self, alerts: Sequence[Posted]) -> None:
        for alert in alerts:
            self.put(Labels(alert.labels), *alert.span)

    def put(self, labels: Labels, starts: int, ends: int) -> None:
        """Merges with the alert that is there if their times overlap; else takes its place."""
        assert starts <= ends
        now = self.clock.now_ms()
        old_starts, old_ends = self._alerts.get(labels, (0, 0))
        if old_starts < ends < old_ends or old_starts < starts < old_ends:
            starts = min(starts, old_starts)
            if ends > now or old_ends <= now:
                ends = max(ends, old_ends)
        self._alerts[labels] = (starts, ends)

    def told(self) -> list[tuple[float, str, str]]:
        """(seconds, alertname, "firing" or "resolved") of everything that was sent."""
        return [
            (at, alert.labels["alertname"], "firing" if alert.span[1] > START_MS + at * 1000 else "resolved")
            for at, alerts in self.requests
            for alert in alerts
        ]


class MemoryLog:
    """An alert log of which an event's position is its number."""

    def __init__(self) -> None:
        self.events: list[AlertEvent] = []
        self.start = 0

    @property
    def end(self) -> int:
        return len(self.events)

    @end.setter
    def end(self, _: int) -> None:
        raise AttributeError

    def read(self, position: int, limit: int = 1000) -> list[tuple[int, AlertEvent]]:
        assert position >= self.start, "the log was cut before a reader had passed"
        found = enumerate(self.events[position : position + limit], position + 1)
        return list(found)


@pytest.mark.parametrize(
    ("old", "new", "active"),
    [
        ((-60, 180), (-60, 240), True),
        ((-60, 180), (-60, -1), False),  # a resolve ends it
        ((-60, -30), (-60, -1), False),
        ((-60, -30), (-10, 240), True),  # fires again after it was resolved
        ((-60, 180), (-10, 240), True),  # fires again before it was told as resolved
        ((-10, 240), (-60, -20), False),  # a late resolve of what was before
        ((-60, 180), (-90, -70), False),
    ],
)
def test_the_newer_message_decides(old: tuple[int, int], new: tuple[int, int], active: bool) -> None:
    async def main() -> bool:
        fake, labels = FakeAlertmanager(), Labels({"alertname": "A"})
        for starts, ends in (old, new):
            fake.put(labels, START_MS + starts * 1000, START_MS + ends * 1000)
        return fake.active() == {labels}

    from tests.simulation.world import in_virtual_time

    async def check() -> None:
        assert await main() is active

    in_virtual_time(check())
