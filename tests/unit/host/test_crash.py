"""Killed anywhere, and started again: the same alert events, each once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from sentinel.clock import ManualClock
from sentinel.engine import Engine
from sentinel.model import AlertEvent
from tests.unit.engine import telemetry as world
from tests.unit.host.world import MemoryKafka, World


def _evaluated(engine: Engine) -> list[int]:
    return [group.last_ms for group in engine.groups.values()]


async def live(folder: Path, seed: int, kills: frozenset[int], batch: int) -> tuple[list[AlertEvent], World]:
    """A minute of telemetry; before each second in `kills` the host dies and another one takes over."""
    kafka, clock = MemoryKafka(), ManualClock(world.START_MS)
    life = 0
    here = World(folder / "0", kafka, clock)
    here.host.start()
    for second, values in world.seconds_of(world.records(seed, untidy=False)):
        if second in kills:
            await here.leave_to(folder / f"{life + 1}")
            await here.host.stop()
            life += 1
            here = World(folder / f"{life}", kafka, clock)
            here.host.start()
            await here.deliver(batch)
        clock.time_ms = world.START_MS + second * 1000 + 950
        kafka.append(values)
        await here.deliver(batch)
        await here.settle()
    events = here.events()
    await here.host.stop()
    return events, here


@pytest.mark.parametrize(("seed", "kills"), [(3, {42}), (3, {37, 41, 43, 44, 50}), (5, {2, 21, 58})])
def test_a_killed_host_gives_the_same_events(seed: int, kills: set[int], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, _ = asyncio.run(live(tmp_path / "a", seed, frozenset(), 1000))
    pieces, after = asyncio.run(live(tmp_path / "b", seed, frozenset(kills), 7))
    assert {event.state for event in whole} == {"firing", "resolved"}
    assert [event.id for event in pieces] == [event.id for event in whole]
    assert pieces == whole
    assert after.host.accounts.total("records") == len(world.records(seed, untidy=False)), (
        "every record counted once"
    )


def test_accounts_add_up_over_refused_and_dropped(tmp_path: Path) -> None:
    async def run() -> Counter[str]:
        kafka, clock = MemoryKafka(), ManualClock(world.START_MS + 500)
        here = World(tmp_path / "x", kafka, clock)
        here.host.start()
        good = [value for _, _, value in world.records(1, seconds=2)]
        kafka.append([good, [b"{", b'{"name": "x"}'], [good[0]]])
        await here.deliver()
        await here.settle()
        totals = Counter(
            {
                family: here.host.accounts.total(family)
                for family in ("records", "records_refused", "samples", "samples_dropped")
            }
        )
        await here.host.stop()
        return totals

    totals = asyncio.run(run())
    assert totals["records_refused"] == 2
    assert totals["records"] == totals["records_refused"] + totals["samples"] + totals["samples_dropped"]
    assert totals["samples_dropped"] >= 1


def test_a_topic_made_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    async def run() -> tuple[int, int]:
        kafka, clock = MemoryKafka(), ManualClock(world.START_MS + 500)
        here = World(tmp_path / "x", kafka, clock)
        here.host.start()
        values = [value for _, _, value in world.records(1, seconds=3, untidy=False)]
        kafka.append([values[:30], values[30:50], values[50:70]])
        await here.deliver()
        await here.settle()
        before = here.host.accounts.total("records")
        kafka.partitions = {0: values[:5], 1: values[30:35], 2: values[50:55]}
        for number, part in kafka.partitions.items():
            await here.host.put(world.payloads(number, 0, part))
        await here.settle()
        after = here.host.accounts.total("records")
        await here.host.stop()
        return before, after

    assert asyncio.run(run()) == (70, 85)


def test_a_stop_in_the_middle_of_a_replay_loses_nothing(tmp_path: Path) -> None:
    async def run() -> list[AlertEvent]:
        kafka, clock = MemoryKafka(), ManualClock(world.START_MS)
        here = World(tmp_path / "0", kafka, clock)
        here.host.start()
        for second, values in world.seconds_of(world.records(3, untidy=False)):
            if second == 45:
                await here.leave_to(tmp_path / "1")
                await here.host.stop()
                for life in range(2):  # the first of these is stopped while it waits for Kafka
                    here = World(tmp_path / "1", kafka, clock)
                    here.host.start()
                    if life == 0:
                        await asyncio.sleep(0.1)
                        assert here.host.replaying
                        await here.host.stop()
                await here.deliver()
            clock.time_ms = world.START_MS + second * 1000 + 950
            kafka.append(values)
            await here.deliver()
            await here.settle()
        events = here.events()
        await here.host.stop()
        return events

    (tmp_path / "whole").mkdir()
    whole, _ = asyncio.run(live(tmp_path / "whole", 3, frozenset(), 1000))
    assert asyncio.run(run()) == whole


def test_an_empty_partition_holds_nobody_back(tmp_path: Path) -> None:
    async def run() -> str:
        kafka, clock = MemoryKafka(), ManualClock(world.START_MS + 500)
        here = World(tmp_path / "x", kafka, clock)
        here.host.start()
        for number in kafka.partitions:
            await here.host.put(world.payloads(number, 0, []))
        kafka.append([[value for _, _, value in world.records(1, seconds=1)], [], []])
        await here.deliver()
        clock.time_ms += 3000
        async with asyncio.timeout(30):
            while not all(await here.host.call(_evaluated)):  # noqa: ASYNC110 - a thread gives no event
                await asyncio.sleep(0.01)
        condition = here.host.times["telemetry"].condition
        await here.host.stop()
        return condition

    assert asyncio.run(run()) == "current"
