"""What the readers of Kafka hand on: values as spans of one buffer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec
import numpy as np

from sentinel.model import Int64s, Payloads, UInt8s


class Records(msgspec.Struct, frozen=True, eq=False):
    """The values of some records of one partition, in the order of their offsets; times in ms or -1."""

    buffer: UInt8s
    start: Int64s
    end: Int64s
    offset: Int64s
    record_ms: Int64s
    next_offset: int
    skipped: dict[str, int] = {}
    """Batches left out on the way here, by reason."""
    more: bool = False
    """Whether they are not the last of what was fetched together."""

    @classmethod
    def none(cls, next_offset: int, skipped: dict[str, int] | None = None) -> Records:
        """No records, but reading goes on elsewhere."""
        rows = np.empty(0, np.int64)
        return cls(np.empty(0, np.uint8), rows, rows, rows, rows, next_offset, skipped or {})

    def payloads(self, source: str, partition: str, format: str, arrival_ms: int) -> Payloads:
        """These records as what a source hands on."""
        return Payloads(
            source=source,
            partition=partition,
            format=format,
            buffer=self.buffer,
            start=self.start,
            end=self.end,
            offset=self.offset,
            record_ms=self.record_ms,
            next_offset=self.next_offset,
            arrival_ms=arrival_ms,
        )


INLINE_BYTES: Final = 64 << 10
"""Larger fetches are unpacked in a thread; below it the hop costs more than it saves."""


class Fetched(msgspec.Struct, frozen=True, eq=False):
    """One answer of a poll: where from, the records still to be read out, and their size as fetched.

    `fetch_offset` is where the fetch began, -1 if that is not known.
    """

    partition: Any
    pieces: Iterator[Records]
    size: int
    fetch_offset: int = -1

    async def read(self) -> AsyncIterator[Records]:
        """All records, once, in pieces."""
        more = True
        while more:
            inline = self.size <= INLINE_BYTES
            records = next(self.pieces) if inline else await asyncio.to_thread(next, self.pieces)
            more = records.more
            yield records
