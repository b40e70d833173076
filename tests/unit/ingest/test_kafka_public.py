"""The public way to read Kafka when something on the broker is corrupt."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.errors import CorruptRecordException

from sentinel.ingest.kafka_public import PublicReader


class Record:
    def __init__(self, offset: int) -> None:
        self.offset, self.timestamp, self.value = offset, 1000 + offset, b"%d" % offset


class Consumer:
    """One partition of ten records; those in `corrupt` raise, and what was read before them is dropped."""

    def __init__(self, corrupt: set[int]) -> None:
        self.at, self._corrupt = 0, corrupt

    def assignment(self) -> set[str]:
        return {"p"}

    async def getmany(self, *partitions: str, timeout_ms: int, max_records: int) -> dict[str, list[Record]]:
        wanted = range(self.at, min(self.at + max_records, 10))
        if self._corrupt & set(wanted):
            raise CorruptRecordException("bad")
        self.at = wanted.stop
        return {"p": [Record(offset) for offset in wanted]} if wanted else {}

    async def position(self, partition: str) -> int:
        return self.at

    def seek(self, partition: str, offset: int) -> None:
        self.at = offset


def test_corrupt_offsets_are_stepped_over_one_by_one() -> None:
    async def run(reader: PublicReader, consumer: Any) -> tuple[list[int], int]:
        offsets, skipped = [], 0
        while consumer.at < 10:
            for fetched in await reader.poll(0):
                for records in fetched.pieces:
                    offsets += records.offset.tolist()
                    skipped += records.skipped.get("crc", 0)
        return offsets, skipped

    consumer = Consumer({4, 5})
    assert asyncio.run(run(PublicReader(consumer), consumer)) == ([0, 1, 2, 3, 6, 7, 8, 9], 2)
