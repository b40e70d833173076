"""When the pipeline commits: before anybody is told, and else seldom."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.alert.nflog import Changes, NotificationLog
from sentinel.model import Delivery
from tests.simulation.world import World, in_virtual_time, simple


class Commits:
    """Counts them, with the position in the alert log that each made durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.positions: list[int | None] = []
        write = NotificationLog.write

        def counted(log: NotificationLog, changes: Changes) -> None:
            write(log, changes)
            self.positions.append(changes.position)

        monkeypatch.setattr(NotificationLog, "write", counted)


def test_groups_that_have_nothing_to_tell_share_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        commits = Commits(monkeypatch)
        world = World(tmp_path, simple(group_by=["..."], group_wait="0s", group_interval="2s"))
        world.start()
        for number in range(50):
            world.fire(alertname=f"A{number}")
            await world.until(0.03 * (number + 1))
        assert len(world.told) == 50
        told = len(commits.positions)
        assert told <= 2 * 50 + 2
        await world.until(61.5)
        assert len(world.told) == 50
        assert len(commits.positions) - told <= 61, "30 ticks of 50 groups"
        await world.kill()

    in_virtual_time(main())


def test_what_nobody_is_told_of_is_durable_a_second_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        commits = Commits(monkeypatch)
        world = World(tmp_path, simple(group_wait="10m"))
        world.start()
        await world.until(5)
        for seconds in (5.0, 5.2, 5.4):
            await world.until(seconds)
            world.fire(alertname=f"at {seconds}")
        await world.until(7)
        assert commits.positions[-1] == world.log.end == world.pipeline.position
        assert len(commits.positions) == 2, "the first at once, the others with one"
        assert world.told == []
        await world.kill()

    in_virtual_time(main())


def test_everything_is_durable_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        commits = Commits(monkeypatch)
        world = World(tmp_path, simple(group_by=["..."], group_wait="0s"))
        durable: list[int] = []

        def answer(*_: object) -> Delivery:
            durable.append(max(position or 0 for position in commits.positions))
            return Delivery(True)

        world.answer = answer
        world.start()
        ends = []
        for number in range(20):
            world.fire(alertname=f"A{number}")
            ends.append(world.log.end)
            await asyncio.sleep(0.11)
        assert len(world.told) == 20
        assert all(have >= needed for have, needed in zip(durable, ends, strict=True))
        await world.kill()

    in_virtual_time(main())
