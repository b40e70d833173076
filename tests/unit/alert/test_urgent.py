"""Alerts that go past the log and the disk, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from sentinel.alert.urgent import NoteFile, UrgentAlerts
from sentinel.model import Delivery, Notification
from tests.simulation.world import START_MS, LoopClock, MortalExecutor, configuration, event, in_virtual_time

CONFIG = configuration(
    {
        "route": {
            "receiver": "all",
            "group_by": ["cluster"],
            "group_wait": "5m",
            "routes": [{"receiver": "night", "matchers": ['severity="critical"'], "group_wait": "10m"}],
        },
        "receivers": [
            {"name": "all", "webhook_configs": [{"url": "http://all/"}]},
            {"name": "night", "webhook_configs": [{"url": "http://night/"}]},
        ],
    }
)
STUCK = event("firing", START_MS, START_MS, alertname="Stuck", severity="critical", job="sentinel")
FULL = event("firing", START_MS, START_MS, alertname="Full", severity="critical", job="sentinel")
OVER = event("resolved", START_MS + 60_000, START_MS, alertname="Stuck", severity="critical", job="sentinel")


class Pager:
    """What was told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str, Notification]] = []
        self.works_from = 0.0
        self.seconds_an_answer = 0.0

    async def deliver(self, receiver: str, index: int, notification: Notification) -> Delivery:
        await asyncio.sleep(self.seconds_an_answer)
        now = asyncio.get_running_loop().time()
        if now < self.works_from:
            return Delivery(False, True, "network")
        self.told.append((now, receiver, notification))
        return Delivery(True)

    def said(self) -> list[tuple[str, str]]:
        alerts = [alert for *_, notification in self.told for alert in notification.alerts]
        return [(alert.labels.get("alertname"), alert.state) for alert in alerts]

    def urgent(self, folder: Path) -> UrgentAlerts:
        told = {"external_url": "http://sentinel", "executor": MortalExecutor()}
        return UrgentAlerts(CONFIG, folder, self.deliver, LoopClock(), **told)


def live(
    folder: Path, pager: Pager, story: Callable[[UrgentAlerts], Coroutine[Any, Any, None]]
) -> UrgentAlerts:
    """One life of the daemon."""
    kept: list[UrgentAlerts] = []

    async def main() -> None:
        urgent = pager.urgent(folder)
        kept.append(urgent)
        running = asyncio.create_task(urgent.run())
        await story(urgent)
        running.cancel()

    in_virtual_time(main())
    return kept[0]


def test_each_is_told_at_once_and_alone_where_routes_lead(tmp_path: Path) -> None:
    async def story(urgent: UrgentAlerts) -> None:
        urgent.put(STUCK)
        urgent.put(FULL)
        await asyncio.sleep(2)
        urgent.put(OVER)
        await asyncio.sleep(30)

    pager = Pager()
    urgent = live(tmp_path, pager, story)
    assert sorted(pager.said()[:2]) == [("Full", "firing"), ("Stuck", "firing")]
    assert pager.said()[2:] == [("Stuck", "resolved")]
    assert {receiver for _, receiver, _ in pager.told} == {"night"}
    assert pager.told[1][0] <= 1
    assert len({notification.group_key for *_, notification in pager.told}) == 2
    assert urgent.firing == [FULL]


def test_a_pager_that_is_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    async def story(urgent: UrgentAlerts) -> None:
        urgent.put(STUCK)
        await asyncio.sleep(900)

    pager = Pager()
    pager.works_from = 600
    live(tmp_path, pager, story)
    assert pager.said() == [("Stuck", "firing")]


def test_a_restart_repeats_the_same_notice_and_tells_the_end(tmp_path: Path) -> None:
    async def first(urgent: UrgentAlerts) -> None:
        urgent.put(STUCK)
        await asyncio.sleep(5)

    async def second(urgent: UrgentAlerts) -> None:
        assert urgent.firing == [STUCK]
        await asyncio.sleep(5)
        urgent.put(OVER)
        await asyncio.sleep(60)

    pager = Pager()
    live(tmp_path, pager, first)
    live(tmp_path, pager, second)
    assert pager.said() == [("Stuck", "firing"), ("Stuck", "firing"), ("Stuck", "resolved")]
    ids = [notification.id for *_, notification in pager.told]
    assert ids[0] == ids[1] != ids[2]
    live(tmp_path, pager, lambda urgent: asyncio.sleep(5))
    assert len(pager.told) == 3


@pytest.mark.parametrize(("answer", "told", "waited"), [(3.0, 1, 3.0), (30.0, 0, 10.0)])
def test_last_words_are_waited_for_a_while(tmp_path: Path, answer: float, told: int, waited: float) -> None:
    async def story(urgent: UrgentAlerts) -> None:
        began = asyncio.get_running_loop().time()
        urgent.put(STUCK)
        await urgent.last_words(10)
        assert asyncio.get_running_loop().time() - began == pytest.approx(waited)

    pager = Pager()
    pager.seconds_an_answer = answer
    live(tmp_path, pager, story)
    assert len(pager.told) == told


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    async def story(urgent: UrgentAlerts) -> None:
        urgent.put(STUCK)
        await asyncio.sleep(5)

    pager = Pager()
    live(tmp_path / "nowhere", pager, story)
    assert pager.said() == [("Stuck", "firing")]


def test_a_disk_that_stands_still_holds_up_nobody(tmp_path: Path) -> None:
    """What is written comes when it can, and then it is the newest."""

    class Still(MortalExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return Future()

    async def main() -> None:
        urgent = UrgentAlerts(CONFIG, tmp_path, pager.deliver, LoopClock(), external_url="", executor=Still())
        running = asyncio.create_task(urgent.run())
        urgent.put(STUCK)
        await asyncio.sleep(2)
        urgent.put(FULL)
        await asyncio.sleep(2)
        running.cancel()

    pager = Pager()
    in_virtual_time(main())
    assert pager.said() == [("Stuck", "firing"), ("Full", "firing")]


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x05\x00\x00\x00abcdefghijk", b"\xff" * 400])
def test_a_damaged_note_is_forgotten(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "urgent-alerts").write_bytes(damage)

    async def main() -> None:
        assert Pager().urgent(tmp_path).firing == []

    in_virtual_time(main())


def test_a_note_is_written_over_in_place(tmp_path: Path) -> None:
    """So that a full disk has room for it."""
    file = NoteFile(tmp_path / "note")
    size = (tmp_path / "note").stat().st_size
    for record in (b"x" * 9000, b"short"):
        file.write(record)
        assert NoteFile(tmp_path / "note").read() == record
    assert (tmp_path / "note").stat().st_size == size
