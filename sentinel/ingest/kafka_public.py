"""The slower way to read Kafka: aiokafka's public interface, where its inside is not the one we know."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from aiokafka.errors import CorruptRecordException

from sentinel.ingest.records import Fetched, Records

MAX_RECORDS: Final = 500
"""Per poll: larger lists of record objects are two to three times slower each."""


POLL_SECONDS: Final = 5.0


async def get(consumer: Any, *partitions: Any, **limits: int) -> dict[Any, list[Any]]:
    """`getmany`, but not for ever: while the group is rebalancing it waits without a time limit."""
    try:
        async with asyncio.timeout(POLL_SECONDS):
            return await consumer.getmany(*partitions, **limits)  # type: ignore[no-any-return]
    except TimeoutError:
        return {}


class PublicReader:
    """Polls one consumer for records."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    async def poll(self, timeout_ms: int) -> list[Fetched]:
        """Up to MAX_RECORDS records. Raises aiokafka's KafkaError, but not for corrupt records."""
        try:
            found = await get(self._consumer, timeout_ms=timeout_ms, max_records=MAX_RECORDS)
        except CorruptRecordException:
            return await self._step_over()
        return [await self._fetched(tp, records) for tp, records in found.items()]

    def share(self, partitions: int) -> None:
        """The public interface has no way to change how much a fetch brings."""

    async def _step_over(self) -> list[Fetched]:
        """One record of each partition, or one offset past it where it is corrupt.

        aiokafka does not say where the corruption is, and drops the good records that it had read before.
        """
        answers = []
        for tp in self._consumer.assignment():
            try:
                found = await get(self._consumer, tp, timeout_ms=200, max_records=1)
            except CorruptRecordException:
                position = await self._consumer.position(tp) + 1
                self._consumer.seek(tp, position)
                answers.append(Fetched(tp, iter([Records.none(position, {"crc": 1})]), 0))
            else:
                answers += [await self._fetched(tp, records) for records in found.values()]
        return answers

    async def _fetched(self, tp: Any, records: Sequence[Any]) -> Fetched:
        position = await self._consumer.position(tp)
        return Fetched(tp, iter([columns(records, position)]), 0)


def columns(records: Sequence[Any], next_offset: int) -> Records:
    """aiokafka's record objects of one partition as columns; a null value is an empty span."""
    values = [record.value or b"" for record in records]
    size = np.array([len(value) for value in values], np.int64)
    end = np.cumsum(size)
    return Records(
        buffer=np.frombuffer(b"".join(values), np.uint8),
        start=end - size,
        end=end,
        offset=np.array([record.offset for record in records], np.int64),
        record_ms=np.array([max(record.timestamp, -1) for record in records], np.int64),
        next_offset=next_offset,
    )
