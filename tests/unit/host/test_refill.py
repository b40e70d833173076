"""Windows that a reload asks for are filled from the past, and again the same after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from sentinel.alert.log import AlertLog
from sentinel.clock import ManualClock
from sentinel.engine import Engine, Short
from sentinel.host import Feed, Host, refill
from sentinel.host.settings import HostSettings
from sentinel.host.suspects import Suspects
from sentinel.ingest.past import Past
from sentinel.ingest.source import PartitionStatus
from sentinel.model import AlertEvent
from tests.unit.engine import telemetry as world
from tests.unit.host.world import MemoryKafka, Upstream, World, copy_disk

NARROW = """
groups:
  - name: first
    interval: 1s
    rules:
      - {alert: Hot, expr: "load > 35"}
"""
WIDE = (
    NARROW
    + """
      - {alert: Full, expr: "count_over_time(load[20s]) >= 19"}
      - {alert: Some, expr: "sum by (service) (count_over_time(load[20s])) > 25"}
"""
)
RELOAD = 30


class MemoryPast:
    """Reads nothing by itself: a test says how far."""

    def __init__(self) -> None:
        self.past: Past | None = None
        self.paused = False

    @property
    def assigned(self) -> bool:
        return self.past is not None

    def partitions(self) -> Mapping[str, PartitionStatus]:
        until = {} if self.past is None else self.past.until
        return {partition: PartitionStatus(-1, end, 0) for partition, end in until.items()}

    def connected(self, now_ms: int) -> bool:
        return True

    def begin(self, past: Past | None) -> None:
        self.past = past


class RefillWorld(World):
    """A world whose source has a past."""

    def __init__(self, folder: Path, kafka: MemoryKafka, clock: ManualClock, rules: str) -> None:
        self.folder, self.kafka, self.clock, self.past = folder, kafka, clock, MemoryPast()
        self.log = AlertLog(folder / "alerts")
        self.engine = world.new_engine(world.groups(rules))
        self.suspects = Suspects(folder, clock.now_ms())
        self.host = Host(
            self.engine, self.log, clock, HostSettings(folder, 20_000, spread=False), self.suspects
        )
        decoders = {"json": world.decoder()}
        feed = Feed("telemetry", Upstream(kafka, clock), decoders, replayable=True, past=self.past)
        self.host.attach([feed])

    async def begun(self) -> Past:
        """The past that is to be read, when there is one."""
        async with asyncio.timeout(20):
            while self.past.past is None:  # noqa: ASYNC110 - a thread gives no event to wait for
                await asyncio.sleep(0.002)
        return self.past.past

    async def reload(self, rules: str) -> None:
        await self.host.reload(world.groups(rules))

    async def read_past(self, read: int, batch: int, *, wait: bool = True) -> None:
        """Up to `read` records of each partition, in the order that is promised."""
        past = await self.begun()
        known = self.host.positions(past.name)
        for partition, end in sorted(past.until.items()):
            number = int(partition[-1])
            at, to = known.get(partition, 0), min(read, end)
            while at < to:
                part = self.kafka.partitions[number][at : min(at + batch, to)]
                payloads = world.payloads(number, at, part, self.clock.now_ms())
                await self.host.put(msgspec.structs.replace(payloads, source=past.name))
                at += len(part)
        wanted = {partition: min(read, end) for partition, end in past.until.items()}
        async with asyncio.timeout(20):
            while wait and not self._through(past, wanted):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.002)

    async def leave_to(self, heir: Path) -> None:
        await self.host.call(lambda engine: copy_disk(self.folder, heir))

    def _through(self, past: Past, wanted: Mapping[str, int]) -> bool:
        if self.host.failure is not None:
            raise self.host.failure
        positions = self.host.positions(past.name)
        return all(positions.get(partition, 0) >= to for partition, to in wanted.items())


async def live(folder: Path, kills: frozenset[int], batch: int) -> tuple[list[AlertEvent], list[Short]]:
    """A minute with a reload in its middle; from then on each second brings a piece of the past, too."""
    kafka, clock, life, read = MemoryKafka(), ManualClock(world.START_MS), 0, 0
    here = RefillWorld(folder / "0", kafka, clock, NARROW)
    here.host.start()
    for second, values in world.seconds_of(world.records(4, untidy=False)):
        if second in kills:
            await here.leave_to(folder / f"{life + 1}")
            await here.host.stop()
            life += 1
            here = RefillWorld(folder / f"{life}", kafka, clock, WIDE)
            here.host.start()
            await here.deliver(batch)
            if read:
                await here.read_past(read, batch, wait=False)
        clock.time_ms = world.START_MS + second * 1000 + 950
        kafka.append(values)
        await here.deliver(batch)
        await here.settle()
        if second == RELOAD:
            await here.reload(WIDE)
        if second >= RELOAD:
            read += 37
            await here.read_past(read, batch)
    short = await here.host.call(lambda engine: engine.short())
    await here.host.stop()
    return here.events(), short


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[AlertEvent]:
    events, short = asyncio.run(live(tmp_path_factory.mktemp("whole"), frozenset(), 1000))
    assert short == []
    return events


def test_a_window_is_whole_long_before_it_has_passed(whole: list[AlertEvent]) -> None:
    first = next(event.evaluated_at_ms for event in whole if event.rule.endswith(";Full"))
    assert 0 < first - world.START_MS - RELOAD * 1000 < 10_000, "by itself it takes 19 seconds"


@pytest.mark.parametrize("kills", [{33}, {32, 36, 37}, {38, 45}])
def test_a_crash_while_windows_fill_changes_nothing(
    kills: set[int], whole: list[AlertEvent], tmp_path: Path
) -> None:
    pieces, short = asyncio.run(live(tmp_path, frozenset(kills), 7))
    assert [event.id for event in pieces] == [event.id for event in whole]
    assert pieces == whole and short == []


async def quiet(folder: Path, seconds: int = 20) -> RefillWorld:
    """A world that has run for some seconds, with a rule that reads nothing but the newest samples."""
    kafka, clock = MemoryKafka(), ManualClock(world.START_MS)
    here = RefillWorld(folder, kafka, clock, NARROW)
    here.host.start()
    for _, values in list(world.seconds_of(world.records(4, untidy=False)))[:seconds]:
        clock.time_ms += 1000
        kafka.append(values)
        await here.deliver()
        await here.settle()
    return here


def test_what_is_read_again_is_counted_apart_and_once(tmp_path: Path) -> None:
    async def run() -> tuple[dict[str, float], list[int], int]:
        here, before = await quiet(tmp_path), refilled()
        series, records = len(here.engine.store.index), here.host.accounts.total("records")
        await here.reload(WIDE)
        past = await here.begun()
        await here.read_past(1000, 50)
        await here.read_past(1000, 50)
        after = [len(here.engine.store.index) - series, here.host.accounts.total("records") - records]
        await here.host.stop()
        counted = {name: count - before[name] for name, count in refilled().items()}
        return counted, after, sum(past.until.values())

    counted, unchanged, records = asyncio.run(run())
    assert unchanged == [0, 0]
    assert counted["records"] == records == 20 * 24
    assert counted["unasked"] == records / 2, "work_total is read by no rule"
    assert counted["samples"] + counted["duplicate_timestamp"] == records / 2
    assert 12 <= counted["duplicate_timestamp"] <= 48, "the newest are here"


def refilled() -> dict[str, float]:
    """What the counters say."""
    found = {"records": refill.RECORDS.labels("telemetry"), "samples": refill.SAMPLES.labels("telemetry")}
    found |= {
        reason: refill.DROPPED.labels("telemetry", reason) for reason in ("unasked", "duplicate_timestamp")
    }
    return {name: counter._value.get() for name, counter in found.items()}


def test_series_that_are_forgotten_come_back(tmp_path: Path) -> None:
    async def run() -> list[str]:
        here = await quiet(tmp_path)
        await here.host.call(lambda engine: _forget(engine))
        await here.reload(WIDE)
        await here.begun()
        await here.read_past(1000, 50)
        names = {here.engine.store.labels(slot).name for slot in here.engine.store.index.live()}
        await here.host.stop()
        return sorted(names)

    assert asyncio.run(run()) == ["load"]


def _forget(engine: Engine) -> None:
    engine.store.windows.horizon_ms = world.START_MS + 10**9
    engine.store.windows.horizons_ms = {}
    engine.store.expire()
    assert len(engine.store.index) == 0


def test_a_reload_under_way_begins_with_another_past(tmp_path: Path) -> None:
    async def run() -> tuple[list[str], list[Short]]:
        here = await quiet(tmp_path)
        await here.reload(WIDE)
        first = await here.begun()
        await here.read_past(50, 50)
        await here.reload(NARROW + '      - {alert: All, expr: "count_over_time(work_total[15s]) > 1"}\n')
        async with asyncio.timeout(20):
            while (second := await here.begun()) is first:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.002)
        late = world.payloads(0, 50, here.kafka.partitions[0][50:60], here.clock.now_ms())
        await here.host.put(msgspec.structs.replace(late, source=first.name))
        await here.read_past(1000, 50)
        assert here.host.positions(first.name) == {}
        short = await here.host.call(lambda engine: engine.short())
        await here.host.stop()
        return [first.name, second.name], short

    names, short = asyncio.run(run())
    assert names == ["telemetry (past 1)", "telemetry (past 2)"] and short == []


def test_where_less_is_left_the_window_stays_short_by_that(tmp_path: Path) -> None:
    async def run() -> tuple[list[Short], int]:
        here = await quiet(tmp_path)
        await here.reload(WIDE)
        past = await here.begun()
        past.begins_ms = past.from_ms + 7000
        await here.read_past(1000, 50)
        short = await here.host.call(lambda engine: engine.short())
        await here.host.stop()
        return short, world.START_MS + 20_000

    short, now_ms = asyncio.run(run())
    assert [(each.rule, each.until_ms - now_ms) for each in short] == [("Full", 7000), ("Some", 7000)]


def test_demands_that_stay_read_nothing_again(tmp_path: Path) -> None:
    async def run() -> Past | None:
        here = await quiet(tmp_path)
        await here.reload(NARROW.replace("> 35", "> 36"))
        await here.settle()
        await here.host.stop()
        return here.past.past

    assert asyncio.run(run()) is None
