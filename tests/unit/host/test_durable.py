"""A disk that takes nothing for a while: nothing is lost, nothing is written twice."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from sentinel.alert.log import AlertLog
from sentinel.clock import ManualClock
from sentinel.errors import StateError
from sentinel.host import durable
from sentinel.host.durable import Durable
from sentinel.model import payload_of
from sentinel.store.journal import InputEntry, Journal
from tests.simulation.world import START_MS, event
from tests.unit.engine import telemetry as world
from tests.unit.host.world import MemoryKafka, World


class Disk:
    """Takes `room` bytes, then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 1 << 30
        self._write = os.pwrite
        monkeypatch.setattr(os, "pwrite", self.pwrite)

    def pwrite(self, descriptor: int, data: Any, offset: int) -> int:
        part = bytes(data)[: self.room]
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(part)
        return self._write(descriptor, part, offset)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(durable, "AGAIN_SECONDS", 0.01)
    return Disk(monkeypatch)


def write_patiently(here: Durable, disk: Disk, write: Any) -> None:
    """`write` in a thread, until it is in trouble; then there is room again."""
    thread = threading.Thread(target=write)
    thread.start()
    while not here.trouble:
        thread.join(0.001)
    assert thread.is_alive()
    disk.room = 1 << 30
    thread.join(10)
    assert not thread.is_alive()
    assert here.trouble == ""


@pytest.mark.parametrize("room", [0, 1, 7, 30, 200])
def test_a_full_disk_loses_and_doubles_nothing(tmp_path: Path, disk: Disk, room: int) -> None:
    journal, events = Journal(tmp_path / "journal"), AlertLog(tmp_path / "alerts")
    here = Durable(journal, events)
    told = [event("firing", START_MS + n, START_MS, alertname=f"A{n}") for n in range(3)]
    here.input(payload_of("push", "json", b"before", arrival_ms=1))
    here.sync()
    disk.room = room
    for number in range(5):
        here.input(payload_of("push", "json", b"x" * 100 * number, arrival_ms=number))
    write_patiently(here, disk, lambda: here.publish(told))
    entries = [entry for _, entry in Journal(tmp_path / "journal").read(0)]
    assert all(isinstance(entry, InputEntry) for entry in entries)
    bodies = [entry.body for entry in entries if isinstance(entry, InputEntry)]
    assert bodies == [[b"before"], *([b"x" * 100 * number] for number in range(5))]
    assert [found for _, found in AlertLog(tmp_path / "alerts").read(0)] == told


def test_a_folder_that_takes_no_new_file_is_waited_for(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Durable(Journal(tmp_path / "journal"), AlertLog(tmp_path / "alerts"))
    here.input(payload_of("push", "json", b"1", arrival_ms=1))
    (tmp_path / "journal").rename(tmp_path / "away")
    thread = threading.Thread(target=here.sync)
    thread.start()
    while not here.trouble:
        thread.join(0.001)
    assert "No such file" in here.trouble
    (tmp_path / "away").rename(tmp_path / "journal")
    thread.join(10)
    assert Journal(tmp_path / "journal").last == 1


def test_who_is_to_end_waits_no_longer(tmp_path: Path, disk: Disk) -> None:
    here = Durable(Journal(tmp_path / "journal"), AlertLog(tmp_path / "alerts"))
    here.input(payload_of("push", "json", b"1", arrival_ms=1))
    disk.room = 0
    here.give_up()
    with pytest.raises(StateError, match="No space left on device"):
        here.sync()


def test_having_waited_for_the_disk_is_no_idleness(tmp_path: Path, disk: Disk) -> None:
    """An hour on a full disk: as soon as there is room nobody may take the engine for stuck."""

    async def run() -> list[int]:
        clock = ManualClock(world.START_MS)
        here = World(tmp_path, MemoryKafka(), clock)
        here.host.start()
        await here.settle()
        clock.time_ms += 30_000
        disk.room = 0
        while not here.host.trouble:  # noqa: ASYNC110 - a thread gives no event to wait for
            await asyncio.sleep(0.001)
        clock.time_ms += 3_600_000
        disk.room = 1 << 30
        silent = []
        while len(silent) < 200:
            await asyncio.sleep(0.001)
            if not here.host.durable.trouble:
                silent.append(clock.time_ms - here.host.beat_ms)
        await here.host.stop()
        return silent

    assert set(asyncio.run(run())) == {0}
