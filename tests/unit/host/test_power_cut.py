"""The power fails while journal and alert log are synced side by side: of either the last part is gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sentinel.clock import ManualClock
from sentinel.model import AlertEvent
from tests.unit.engine import telemetry as world
from tests.unit.host.world import MemoryKafka, World, copy_disk


class Disk:
    """Remembers what each file held when it was synced last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: dict[Path, bytes] = {}
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._noting(getattr(os, name)))

    def _noting(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def noting(descriptor: int) -> None:
            sync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.suffix in (".journal", ".log"):
                self.synced[path] = path.read_bytes()

        return noting


class Cut:
    """At the publication of this number, a copy of the disk on which one kind of file is as it was before."""

    def __init__(self, disk: Disk, here: World, number: int, lost: str, after: Path) -> None:
        self.shown: list[AlertEvent] | None = None
        """What readers had been shown before that."""
        self._disk, self._here, self._number, self._lost, self._after = disk, here, number, lost, after
        self._publish = here.host.durable.publish
        here.host.durable.publish = self.publish  # type: ignore[method-assign]

    def publish(self, events: Sequence[AlertEvent]) -> None:
        shown, before = self._here.events(), dict(self._disk.synced)
        self._publish(events)
        self._number -= 1
        if self._number == 0:
            self.shown = shown
            self.copy(before)

    def copy(self, before: dict[Path, bytes]) -> None:
        folder = self._here.folder
        copy_disk(folder, self._after)
        for path in folder.rglob(f"*.{self._lost}"):
            copied = self._after / path.relative_to(folder)
            assert copied.read_bytes().startswith(before.get(path, b""))
            copied.write_bytes(before.get(path, b""))


async def live(folder: Path, disk: Disk, number: int, lost: str) -> tuple[list[AlertEvent], Any]:
    """A minute of telemetry; with publication `number` the power fails."""
    kafka, clock = MemoryKafka(), ManualClock(world.START_MS)
    here = World(folder / "0", kafka, clock)
    cut = Cut(disk, here, number, lost, folder / "1")
    here.host.start()
    for second, values in world.seconds_of(world.records(3, untidy=False)):
        clock.time_ms = world.START_MS + second * 1000 + 950
        kafka.append(values)
        await here.deliver()
        await here.settle()
        if cut.shown is not None and here.folder.name == "0":
            await here.host.stop()
            here = World(folder / "1", kafka, clock)
            here.host.start()
            await here.deliver()
            await here.settle()
            assert here.events()[: len(cut.shown)] == cut.shown, "shown and gone"
    events = here.events()
    await here.host.stop()
    return events, cut.shown


@pytest.mark.parametrize("lost", ["journal", "log"])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_power_cut_between_two_syncs_shows_each_event_once(
    number: int, lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    whole, _ = asyncio.run(live(tmp_path / "whole", disk, 0, lost))
    cut, shown = asyncio.run(live(tmp_path / "cut", disk, number, lost))
    assert shown is not None
    assert cut == whole


def test_what_a_restore_tells_is_not_cut_off_with_what_the_journal_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two publications there was a snapshot; after the power cut the rules are gone."""

    async def run() -> tuple[list[AlertEvent], list[AlertEvent]]:
        kafka, clock = MemoryKafka(), ManualClock(world.START_MS)
        here = World(tmp_path / "0", kafka, clock)
        cut = Cut(Disk(monkeypatch), here, 2, "journal", tmp_path / "1")
        here.host.start()
        for second, values in world.seconds_of(world.records(3, untidy=False)):
            clock.time_ms = world.START_MS + second * 1000 + 950
            kafka.append(values)
            await here.deliver()
            await here.settle()
            if here.events() and not here.host.log_position and cut.shown is None:
                for _ in range(2):  # the log's position is that of the snapshot before the last one
                    await here.host.reload(world.groups(world.RULES))
                    await asyncio.sleep(0.3)
            if cut.shown is not None:
                break
        await here.host.stop()
        after = World(tmp_path / "1", kafka, clock, rules="groups: []")
        after.host.start()
        await after.deliver()
        async with asyncio.timeout(30):
            while after.host.replaying:  # noqa: ASYNC110 - a thread gives no event to wait for
                await asyncio.sleep(0.01)
        events = after.events()
        await after.host.stop()
        return cut.shown or [], events

    shown, events = asyncio.run(run())
    assert shown
    assert events[: len(shown)] == shown
    assert {event.labels for event in shown} == {each.labels for each in events[len(shown) :]}
    assert {each.state for each in events[len(shown) :]} == {"resolved"}
