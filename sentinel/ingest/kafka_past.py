"""Reading Kafka's past once more: a consumer without a group beside the live one, one partition at a time."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError, RecordTooLargeError

from sentinel.clock import Clock, SystemClock
from sentinel.errors import SourceError
from sentinel.ingest.backoff import Backoff, asked_to_stop
from sentinel.ingest.kafka import SILENT_MS, KafkaConfig
from sentinel.ingest.kafka_connection import client_options
from sentinel.ingest.kafka_public import PublicReader
from sentinel.ingest.past import Past, RefillConfig
from sentinel.ingest.records import Records
from sentinel.ingest.source import FAILURES, PartitionStatus, Sink
from sentinel.telemetry import logger

PIECE_RECORDS: Final = 2048
"""So many at once: between two pieces the engine does what else is to be done."""
AHEAD_MS: Final = 60_000
"""Records may be stamped by a clock that is behind by so much."""
POLL_MS: Final = 200
LOOK_SECONDS: Final = 0.005
STUCK_MS: Final = 60_000
STOP_SECONDS: Final = 20.0


class KafkaPast:
    """Reads what `begin` names, until that is done or another one is named."""

    def __init__(
        self,
        source: str,
        config: KafkaConfig,
        sink: Sink,
        limits: RefillConfig,
        *,
        format: str = "json",
        clock: Clock | None = None,
    ) -> None:
        self.paused = False
        self._source, self._config, self._limits, self._format = source, config, limits, format
        self._sink, self._clock = sink, clock or SystemClock()
        self._past: Past | None = None
        self._heard_ms = 0
        self._cut: set[str] = set()
        self._loop, self._named = asyncio.get_running_loop(), asyncio.Event()
        self._logger = logger("ingest").bind(source=source)

    # From any thread

    @property
    def assigned(self) -> bool:
        return self._past is not None

    def partitions(self) -> Mapping[str, PartitionStatus]:
        past = self._past
        until = {} if past is None else past.until
        return {partition: PartitionStatus(-1, end, self._heard_ms) for partition, end in until.items()}

    def connected(self, now_ms: int) -> bool:
        return now_ms - self._heard_ms < SILENT_MS

    def begin(self, past: Past | None) -> None:
        self._past = past
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._named.set)

    # On the event loop

    async def run(self) -> None:
        """Until cancelled. What cannot be read now is tried again."""
        while True:
            await self._named.wait()
            self._named.clear()
            backoff = Backoff()
            while (past := self._past) is not None and self._left(past):
                try:
                    await self._read(past)
                    if asked_to_stop():  # closing a client may swallow it
                        raise asyncio.CancelledError
                    continue
                except AssertionError:
                    raise
                except asyncio.CancelledError:
                    if asked_to_stop():
                        raise
                    reason, error = "cancelled", ""
                except Exception as failure:  # the client's and the network's are too many to name
                    reason = failure.reason if isinstance(failure, SourceError) else type(failure).__name__
                    error = str(failure)
                FAILURES.labels(self._source, reason).inc()
                self._logger.warning("past not read", reason=reason, error=error)
                await backoff.wait()

    def _left(self, past: Past) -> list[str]:
        """The partitions that the sink was not given to their ends yet, in order."""
        positions = self._sink.positions(past.name)
        return sorted(p for p, end in past.until.items() if positions.get(p, -1) < end)

    async def _read(self, past: Past) -> None:
        """Raises SourceError, ConfigError, OSError, aiokafka's KafkaError."""
        options = await asyncio.to_thread(client_options, self._config)
        raw = await asyncio.to_thread(importlib.import_module, "sentinel.ingest.kafka_raw")
        consumer = AIOKafkaConsumer(
            **options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=self._config.isolation_level,
        )
        try:
            await consumer.start()
            reader = PublicReader(consumer) if raw.moved(consumer) else raw.RawReader(consumer)
            await self._enter(consumer, past)
            for partition in self._left(past):
                await self._read_partition(consumer, reader, past, partition)
                if past is not self._past:
                    return
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_SECONDS):
                    await consumer.stop()

    async def _enter(self, consumer: Any, past: Past) -> None:
        """Finds where each partition begins, and tells the sink of all before anything is read."""
        known = self._sink.positions(past.name)
        wanted = {_of(name): name for name in sorted(past.until) if name not in known}
        if not wanted:
            return
        since_ms = max(past.from_ms - AHEAD_MS, 0)
        found = await consumer.offsets_for_times(dict.fromkeys(wanted, since_ms))
        first = await consumer.beginning_offsets(list(wanted))
        most = max(1, self._limits.max_records // len(past.until))
        for tp, name in wanted.items():
            end = past.until[name]
            at = end if found[tp] is None else min(found[tp].offset, end)
            if found[tp] is not None and 0 < at <= first[tp]:
                past.begins_ms = max(past.begins_ms, found[tp].timestamp)
            if at < end - most:
                self._cut.add(name)
                at = end - most
            await self._deliver(past, name, Records.none(at))

    async def _read_partition(self, consumer: Any, reader: Any, past: Past, name: str) -> None:
        """To its end, as long as nothing else is to be read. Raises as `_read`."""
        tp, end, at = _of(name), past.until[name], self._sink.positions(past.name)[name]
        consumer.assign([tp])
        consumer.seek(tp, at)
        reader.share(1)
        self._heard_ms = self._clock.now_ms()
        while at < end and past is self._past:
            if self.paused:
                await asyncio.sleep(POLL_MS / 1000)
                self._heard_ms = self._clock.now_ms()
                continue
            try:
                found = [each for each in await reader.poll(POLL_MS) if each.partition == tp]
            except OffsetOutOfRangeError:
                first = (await consumer.beginning_offsets([tp]))[tp]  # not behind us: the topic was made anew
                at = await self._step_over(consumer, past, name, first if first > at else end)
                continue
            except RecordTooLargeError:
                at = await self._step_over(consumer, past, name, at + 1)
                continue
            for fetched in found:
                async for records in fetched.read():
                    at = await self._deliver(past, name, records)
            if not found:
                at = await self._settle(consumer, past, name, at)

    async def _step_over(self, consumer: Any, past: Past, name: str, at: int) -> int:
        """Goes on behind what cannot be read: it was reported when it was read first."""
        at = min(at, past.until[name])
        consumer.seek(_of(name), at)
        return await self._deliver(past, name, Records.none(at))

    async def _settle(self, consumer: Any, past: Past, name: str, at: int) -> int:
        """Nothing came: what was left may hold no records. Raises SourceError if nobody answers for long."""
        async with asyncio.timeout(STOP_SECONDS):
            position = await consumer.position(_of(name))
        if position > at:
            return await self._deliver(past, name, Records.none(position))
        if self._clock.now_ms() - self._heard_ms > STUCK_MS:
            raise SourceError("no broker answered", reason="silent")
        return at

    async def _deliver(self, past: Past, name: str, records: Records) -> int:
        """Hands records on, piece after piece, each when the sink is through with the one before."""
        payloads = records.payloads(past.name, name, self._format, self._clock.now_ms())
        payloads, _ = payloads.split(past.until[name])
        if name in self._cut and len(payloads):
            self._cut.discard(name)
            past.begins_ms = max(past.begins_ms, int(payloads.record_ms[0]))
        while True:
            more = len(payloads) > PIECE_RECORDS
            cut = int(payloads.offset[PIECE_RECORDS]) if more else payloads.next_offset
            piece, payloads = payloads.split(cut)
            due = self._loop.time() + len(piece) / self._limits.records_per_second
            await self._sink.put(piece)
            while past is self._past and self._given(past, name) < piece.next_offset:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
            await asyncio.sleep(due - self._loop.time())
            self._heard_ms = self._clock.now_ms()
            if not more or past is not self._past:
                return piece.next_offset

    def _given(self, past: Past, name: str) -> int:
        """How far the sink is through with a partition."""
        return self._sink.positions(past.name).get(name, -1)


def _of(name: str) -> TopicPartition:
    topic, _, number = name.rpartition("/")
    return TopicPartition(topic, int(number))
