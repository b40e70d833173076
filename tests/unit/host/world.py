"""A host in a hand-moved world: an in-memory Kafka, a hand-moved clock, a real thread and real files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sentinel.alert.log import AlertLog
from sentinel.clock import ManualClock
from sentinel.host import Feed, Host
from sentinel.host.settings import HostSettings
from sentinel.host.suspects import Suspects
from sentinel.ingest.source import PartitionStatus
from sentinel.model import AlertEvent
from tests.unit.engine import telemetry as world


class MemoryKafka:
    """Partitions as lists of values. `read` gives what lies behind a position, as a fetch would."""

    def __init__(self) -> None:
        self.partitions: dict[int, list[bytes]] = {number: [] for number in range(world.PARTITIONS)}
        self.up = True
        self.assigned = True

    def append(self, values: Sequence[Sequence[bytes]]) -> None:
        for number, more in enumerate(values):
            self.partitions[number] += more

    def status(self, now_ms: int) -> Mapping[str, PartitionStatus]:
        return {
            f"telemetry/{number}": PartitionStatus(0, len(values), now_ms)
            for number, values in self.partitions.items()
        }


def copy_disk(folder: Path, heir: Path) -> None:
    """What is on disk, and no more. To be called on the engine's thread, which cuts the journal."""
    try:
        shutil.copytree(folder, heir)
    except shutil.Error:  # a snapshot, which a child writes, got its name under way
        shutil.rmtree(heir)
        shutil.copytree(folder, heir)


class Upstream:
    """The broker as one host's source sees it."""

    def __init__(self, kafka: MemoryKafka, clock: ManualClock) -> None:
        self._kafka, self._clock = kafka, clock

    @property
    def assigned(self) -> bool:
        return self._kafka.assigned

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return self._kafka.status(self._clock.now_ms())

    def connected(self, now_ms: int) -> bool:
        return self._kafka.up


class Pushed:
    """A source that is always there."""

    assigned = True

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return {}

    def connected(self, now_ms: int) -> bool:
        return True


class World:
    """One life of a host on a folder. `deliver` does a fetch's work; `settle` waits for the thread."""

    def __init__(
        self, folder: Path, kafka: MemoryKafka, clock: ManualClock, rules: str = world.RULES
    ) -> None:
        self.folder, self.kafka, self.clock = folder, kafka, clock
        self.log = AlertLog(folder / "alerts")
        self.engine = world.new_engine(world.groups(rules))
        self.suspects = Suspects(folder, clock.now_ms())
        self.host = Host(
            self.engine, self.log, clock, HostSettings(folder, 20_000, spread=False), self.suspects
        )
        feed = Feed("telemetry", Upstream(kafka, clock), {"json": world.decoder()}, replayable=True)
        self.host.attach([feed])

    async def deliver(self, batch: int = 1000) -> None:
        """Everything behind the host's positions, in batches, partitions in turn."""
        positions = dict(self.host.positions("telemetry"))
        left = True
        while left:
            left = False
            for number, values in self.kafka.partitions.items():
                at = positions.get(f"telemetry/{number}", 0)
                part = values[at : at + batch]
                if part:
                    await self.host.put(world.payloads(number, at, part, self.clock.now_ms()))
                    positions[f"telemetry/{number}"] = at + len(part)
                    left = True

    async def settle(self) -> None:
        """Until everything is ingested and every evaluation that is due has been made."""
        ends = {f"telemetry/{n}": len(values) for n, values in self.kafka.partitions.items() if values}
        async with asyncio.timeout(60):
            while not await self._settled(ends):  # noqa: ASYNC110 - a thread gives no event to wait for
                await asyncio.sleep(0.002)

    async def _settled(self, ends: Mapping[str, int]) -> bool:
        if self.host.failure is not None:
            raise self.host.failure
        if self.host.replaying or dict(self.host.positions("telemetry")) != ends:
            return False
        now_ms = self.clock.now_ms()
        groups = await self.host.call(
            lambda engine: [(g.last_ms, g.spec.interval_ms) for g in engine.groups.values()]
        )
        return all((last_ms or world.START_MS) + interval_ms > now_ms for last_ms, interval_ms in groups)

    async def leave_to(self, heir: Path) -> None:
        """As if this life ended here, and the next one were to begin on what it left."""
        await self.host.call(lambda engine: copy_disk(self.folder, heir))

    def events(self) -> list[AlertEvent]:
        return [event for _, event in self.log.read(self.log.start, 100_000)]
