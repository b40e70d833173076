"""One Kafka consumer's life: from bootstrap to the first error that only a new consumer gets over."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)

from sentinel.errors import SourceError
from sentinel.ingest.kafka_connection import client_options
from sentinel.ingest.kafka_public import PublicReader
from sentinel.ingest.source import FAILURES, SKIPPED
from sentinel.telemetry import logger

if TYPE_CHECKING:
    from sentinel.ingest.kafka import KafkaSource
    from sentinel.ingest.kafka_raw import RawReader
    from sentinel.ingest.records import Fetched

POLL_MS: Final = 200
STUCK_SECONDS: Final = 60.0
"""Silent for this long, a session starts over: the brokers may all have other addresses now."""
ANSWER_SECONDS: Final = 5.0
STOP_SECONDS: Final = 20.0
"""Longer than a request may take: a consumer that is not stopped goes on fetching."""


class KafkaSession(ConsumerRebalanceListener):
    """Runs for one source and reports to it. A change of the assignment voids what was polled before."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source
        self._consumer: Any = None
        self._reader: RawReader | PublicReader | None = None
        self._epoch = 0
        self._probed = 0.0
        self._logger = logger("ingest").bind(source=source.name)

    async def run(self) -> None:
        """Until cancelled or failed. Raises SourceError, ConfigError, OSError, aiokafka's KafkaError."""
        config = self._source.config
        options = await asyncio.to_thread(client_options, config)
        raw = await asyncio.to_thread(importlib.import_module, "sentinel.ingest.kafka_raw")
        self._consumer = AIOKafkaConsumer(
            **options,
            group_id=config.group_id,
            group_instance_id=config.group_instance_id or None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a position that is gone is our business: it is counted
            isolation_level=config.isolation_level,
            session_timeout_ms=int(config.session_timeout),
            heartbeat_interval_ms=min(int(config.session_timeout) // 3, 3000),
            metadata_max_age_ms=30_000,
            fetch_max_bytes=16 << 20,
        )
        try:
            await self._consumer.start()
            moved = raw.moved(self._consumer)
            if moved:
                self._logger.warning("slow path: aiokafka is not the one we know", moved=moved)
            self._reader = PublicReader(self._consumer) if moved else raw.RawReader(self._consumer)
            self._consumer.subscribe(config.topics, listener=self)
            await self._poll_for_ever()
        finally:
            self._source.assigned = False
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._consumer.stop()

    async def _poll_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        alive = loop.time()
        while True:
            found = await self._poll()
            epoch, silent = self._epoch, not found
            while found:  # nobody else holds what was fetched: its memory is free with its last record
                await self._hand_on(found.pop(0), epoch)
            if silent:
                await self._settle()
            if not silent or self._source.connected(self._source.clock.now_ms()):
                alive = loop.time()
            if loop.time() - alive > STUCK_SECONDS:
                raise SourceError("no broker answered", reason="silent")

    async def _poll(self) -> list[Fetched]:
        assert self._reader is not None
        try:
            return await self._reader.poll(POLL_MS)
        except OffsetOutOfRangeError as error:
            for partition, offset in error.args[0].items():
                await self._reset(partition, offset)
        except NoOffsetForPartitionError as error:
            await self._reset(error.args[0], None)
        except RecordTooLargeError as error:
            _, partition, offset, *_ = error.args
            SKIPPED.labels(self._source.name, "too_large").inc()
            self._logger.error("record larger than a fetch", partition=_label(partition), offset=offset)
            await self._source.moved(_label(partition), offset + 1)
        except TopicAuthorizationFailedError as error:
            FAILURES.labels(self._source.name, "authorization").inc()
            self._logger.error("not allowed to read", topic=str(error))
            await asyncio.sleep(1)
        return []

    async def _hand_on(self, fetched: Fetched, epoch: int) -> None:
        """Unpacks and delivers, unless the partition changed hands meanwhile."""
        if epoch != self._epoch:
            return
        partition = _label(fetched.partition)
        expected = self._source.position(partition)
        if fetched.fetch_offset >= 0 and expected is not None and fetched.fetch_offset != expected:
            self._consumer.seek(fetched.partition, expected)  # fetched before the seek of its assignment
            return
        async for records in fetched.read():
            if epoch != self._epoch:
                return
            await self._source.deliver(partition, records)

    async def _reset(self, partition: TopicPartition, old: int | None) -> None:
        """Goes on at the reset point; `old` is the position that is gone, if there was one."""
        if partition not in self._consumer.assignment():
            return
        earliest = self._source.config.auto_offset_reset == "earliest"
        seek = self._consumer.seek_to_beginning if earliest else self._consumer.seek_to_end
        if not await seek(partition):
            raise SourceError(f"no answer about the ends of {_label(partition)}", reason="silent")
        new = await self._consumer.position(partition)
        if old is not None:
            self._source.lost(_label(partition), old, new)
        await self._source.moved(_label(partition), new)

    async def _settle(self) -> None:
        """In a quiet moment: learn positions that the broker chose, and whether it is there at all."""
        for partition in self._consumer.assignment():
            if self._source.position(_label(partition)) is None or isinstance(self._reader, PublicReader):
                with contextlib.suppress(TimeoutError, IllegalStateError):  # it may be taken away meanwhile
                    async with asyncio.timeout(POLL_MS / 1000):
                        position = await self._consumer.position(partition)
                    await self._source.moved(_label(partition), position)
        now = asyncio.get_running_loop().time()
        fetching = self._consumer.assignment() - self._consumer.paused()
        if self._source.assigned and not fetching and now - self._probed > ANSWER_SECONDS:
            self._probed = now
            await self._consumer.topics()  # nothing is fetched: ask, to know that somebody answers
            self._source.heard()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """What was polled and not handed on is fetched again by whoever gets it next."""
        self._epoch += 1
        if revoked and self._source.revoked is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._source.revoked()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Not a coroutine: the fetcher must not run before the seeks."""
        assert self._reader is not None
        self._epoch += 1
        for partition in assigned:
            position = self._source.position(_label(partition))
            if position is not None:
                self._consumer.seek(partition, position)
                self._source.seeked(_label(partition), position)
        self._reader.share(len(assigned))
        self._source.assigned = True
        self.apply_pauses()
        self._logger.info("partitions assigned", partitions=sorted(map(_label, assigned)))

    def apply_pauses(self) -> None:
        """Brings the consumer in line with what the source wants paused."""
        if self._consumer is not None:
            assigned, paused = self._consumer.assignment(), self._consumer.paused()
            wanted = {partition for partition in assigned if _label(partition) in self._source.paused}
            self._consumer.pause(*(wanted - paused))
            self._consumer.resume(*(paused - wanted))

    async def commit(self, positions: Mapping[str, int]) -> None:
        """Commits those of our partitions. Raises aiokafka's KafkaError, TimeoutError."""
        assigned = self._consumer.assignment() if self._consumer is not None else set()
        offsets = {tp: positions[_label(tp)] for tp in assigned if _label(tp) in positions}
        if offsets:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._consumer.commit(offsets)

    def ends(self) -> Iterator[tuple[str, int, int]]:
        """(partition, end offset or -1, when its leader last answered or 0) of each partition assigned."""
        committed = self._source.config.isolation_level == "read_committed"
        for partition in self._consumer.assignment() if self._consumer is not None else ():
            end = self._consumer.highwater(partition)
            stable = self._consumer.last_stable_offset(partition) if committed else None
            end = stable if stable is not None and stable >= 0 else end
            yield (
                _label(partition),
                -1 if end is None else end,
                self._consumer.last_poll_timestamp(partition) or 0,
            )


def _label(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
