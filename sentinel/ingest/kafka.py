"""Reading Kafka topics as a member of a consumer group, with positions of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from sentinel.clock import Clock, SystemClock
from sentinel.errors import SourceError
from sentinel.ingest.backoff import Backoff, asked_to_stop
from sentinel.ingest.kafka_connection import KafkaConnection
from sentinel.ingest.records import Records
from sentinel.ingest.source import FAILURES, SKIPPED, PartitionStatus, Sink
from sentinel.model import Duration
from sentinel.telemetry import logger

if TYPE_CHECKING:
    from sentinel.ingest.kafka_session import KafkaSession

SILENT_MS: Final = 10_000
"""No fetch answered for this long: disconnected. A broker answers twice a second, if only with nothing."""


class KafkaConfig(KafkaConnection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source of records. Positions are kept in snapshots; the group's offsets follow for other tools.

    With a `group_instance_id`, another one for each daemon of a group, a restart waits for no rebalance;
    without one the group waits for `session_timeout` after a crash.
    """

    topics: Annotated[list[str], msgspec.Meta(min_length=1)]
    group_id: Annotated[str, msgspec.Meta(min_length=1)]
    auto_offset_reset: Literal["earliest", "latest"] = "earliest"
    isolation_level: Literal["read_uncommitted", "read_committed"] = "read_uncommitted"
    group_instance_id: str = ""
    session_timeout: Duration = Duration(10_000)


class KafkaSource:
    """Topics as a source: sessions one after another, and what outlives a session.

    `revoked`, if given, is awaited before partitions are handed back: the moment for a snapshot.
    """

    def __init__(
        self,
        name: str,
        config: KafkaConfig,
        sink: Sink,
        *,
        format: str = "json",
        clock: Clock | None = None,
        revoked: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name, self.config, self.assigned = name, config, False
        self.clock = clock or SystemClock()
        self.revoked = revoked
        self.paused: frozenset[str] = frozenset()
        self._sink, self._format = sink, format
        self._session: KafkaSession | None = None
        self._delivered: dict[str, int] = {}
        self._handing: tuple[str, int] | None = None
        self._heard_ms = 0
        self._logger = logger("ingest").bind(source=name)

    async def run(self) -> None:
        """Until cancelled. Whatever a session dies of, another one follows."""
        from sentinel.ingest.kafka_session import KafkaSession  # the client and the kernels: only who reads

        backoff = Backoff()
        while True:
            self._session = KafkaSession(self)
            try:
                await self._session.run()
            except AssertionError:
                raise
            except asyncio.CancelledError:
                if asked_to_stop():
                    raise
                FAILURES.labels(self.name, "cancelled").inc()
            except Exception as error:  # the client's and the network's are too many to name
                reason = error.reason if isinstance(error, SourceError) else type(error).__name__
                FAILURES.labels(self.name, reason).inc()
                self._logger.warning("kafka session ended", reason=reason, error=str(error))
            finally:
                self._session = None
            if self._heard_ms:
                backoff.succeeded()
            self._heard_ms = 0
            await backoff.wait()

    def partitions(self) -> Mapping[str, PartitionStatus]:
        """Assigned partitions by `topic/number`. Empty while there is no assignment."""
        if self._session is None:
            return {}
        return {
            partition: PartitionStatus(self._delivered.get(partition, -1), end, heard_ms)
            for partition, end, heard_ms in self._session.ends()
        }

    def connected(self, now_ms: int) -> bool:
        """Whether brokers answered within SILENT_MS. Waiting for the host's inbox counts as connected."""
        if self._session is None or not self.assigned:
            return False
        if self._handing is not None:
            return True
        heard = max((status.heard_ms for status in self.partitions().values()), default=0)
        return now_ms - max(heard, self._heard_ms) < SILENT_MS

    async def commit(self, positions: Mapping[str, int]) -> None:
        """Tells the group where we are, for tools that watch lag. Failures are counted, not raised."""
        if self._session is not None:
            try:
                await self._session.commit(positions)
            except Exception as error:  # nothing depends on it: our positions are in the snapshot
                FAILURES.labels(self.name, "commit").inc()
                self._logger.warning("offsets not committed", error=str(error) or type(error).__name__)

    def hold(self, partitions: Iterable[str]) -> None:
        """Fetches nothing more of these, and all others again; survives rebalances."""
        self.paused = frozenset(partitions)
        if self._session is not None:
            self._session.apply_pauses()

    def position(self, partition: str) -> int | None:
        """Where to read on: behind what the sink was given, or is being given, or remembers; else None."""
        if self._handing is not None and self._handing[0] == partition:
            return self._handing[1]
        known = self._delivered.get(partition)
        return self._sink.positions(self.name).get(partition) if known is None else known

    async def moved(self, partition: str, position: int) -> None:
        """The broker put us at `position`: the group's offset, the reset point, behind a control batch."""
        if self.position(partition) != position:
            await self._put(partition, Records.none(position))

    def seeked(self, partition: str, position: int) -> None:
        """A new assignment starts at a position that the sink knows."""
        self._delivered[partition] = position
        self.heard()

    def lost(self, partition: str, old: int, new: int) -> None:
        """The records from `old` on are gone from the broker; reading goes on at `new`."""
        SKIPPED.labels(self.name, "out_of_range").inc(max(new - old, 0))
        self._logger.error(
            "records lost: position is no longer on the broker", partition=partition, old=old, new=new
        )

    def heard(self) -> None:
        self._heard_ms = self.clock.now_ms()

    async def deliver(self, partition: str, records: Records) -> None:
        """Hands records on to the sink, waiting while it is full, and moves the position behind them."""
        for reason, count in records.skipped.items():
            SKIPPED.labels(self.name, reason).inc(count)
            self._logger.error("batches skipped", partition=partition, reason=reason, count=count)
        await self._put(partition, records)
        await asyncio.sleep(0)  # an inbox that never fills would never let anybody else run

    async def _put(self, partition: str, records: Records) -> None:
        payloads = records.payloads(self.name, partition, self._format, self.clock.now_ms())
        self._handing = partition, records.next_offset
        try:
            await self._sink.put(payloads)
            self._delivered[partition] = records.next_offset
        finally:
            self._handing = None
        self.heard()
