"""Kafka message sets to columns: checksum, control batches, transactions, decompression, record walk.

Nothing here knows a client library. One call works on the bytes that one fetch brought of one partition
and may run in any thread; the kernels and the decompressors release the GIL.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import cramjam
import google_crc32c
import msgspec
import numpy as np

from sentinel.ingest import _kafka_kernel as kernel
from sentinel.ingest.records import Records
from sentinel.model import UInt8s

PIECE_RECORDS: Final = 32_768
PIECE_BYTES: Final = 16 << 20
BATCH_BYTES: Final = 64 << 20
"""The largest batch after decompression; a larger one is refused, so that no batch can fill the memory."""

REASONS: Final = {kernel.BAD_CRC: "crc", kernel.BAD_ORDER: "order", kernel.BAD_FORM: "malformed"}
_CODEC, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_XERIAL: Final = b"\x82SNAPPY\0"
_ABORT: Final = b"\0\0\0\0"

Header = list[int]
Aborted = list[tuple[int, int]]
"""(producer id, first offset) of each aborted transaction, as the broker tells with a fetch."""
Legacy = Callable[[bytes], list[tuple[int, int, bytes]]]
"""Parses one batch of message format 0 or 1 to (offset, time in ms or -1, value), or raises ValueError."""


class MessageSet(msgspec.Struct, frozen=True, eq=False):
    """What one fetch brought of one partition. `aborted` is None unless reading committed records only."""

    data: bytes | memoryview
    fetch_offset: int
    next_offset: int
    aborted: Aborted | None = None


def next_offset(data: bytes | memoryview, fetch_offset: int, highwater: int) -> int:
    """Where to fetch on after `data`; always past `fetch_offset`.

    A batch whose checksum holds is believed even past `highwater`: the broker notes that before it reads, so
    what was appended in between lies behind it. One whose checksum fails is believed only up to there, and
    when its fields agree with each other; otherwise reading goes on one offset further, so that a broken
    length cannot make us jump over good records.
    """
    buffer = np.frombuffer(data, np.uint8)
    headers, _ = kernel.scan(buffer)
    for row in headers[::-1].tolist():
        following = row[kernel.BASE] + row[kernel.LAST_DELTA] + 1
        if following <= fetch_offset:
            continue
        current = row[kernel.MAGIC] == 2
        agrees = row[kernel.LAST_DELTA] == row[kernel.COUNT] - 1
        if following <= max(highwater, fetch_offset + 1) and (agrees or not current):
            return int(following)
        if current and _checksum(buffer, row) == row[kernel.CRC]:
            return int(following)
    return fetch_offset + 1


def _checksum(buffer: UInt8s, row: Header) -> int:
    """CRC-32C of what a batch's checksum covers; by a library, whose hardware instructions no kernel has."""
    return int(google_crc32c.value(buffer[row[kernel.START] + kernel.CRC_FROM : row[kernel.END]]))


def has_batch(data: bytes | memoryview) -> bool:
    """Whether there is anything to read or to skip: not just the cut-off beginning of one batch."""
    if len(data) < kernel.LOG_OVERHEAD + 5:
        return False
    (length,) = struct.unpack_from(">i", data, 8)
    return bool(length < 5 or kernel.LOG_OVERHEAD + length <= len(data))


def read(messages: MessageSet, legacy: Legacy) -> Iterator[Records]:
    """All records of a message set, in pieces of bounded size; the last one carries its next offset.

    Corrupt batches are left out and counted in the piece they would have been in.
    """
    buffer = np.frombuffer(messages.data, np.uint8)
    headers, torn = kernel.scan(buffer)
    checksums = [_checksum(buffer, row) for row in headers.tolist()]
    verdicts = kernel.verify(headers, np.array(checksums, np.int64))
    aborted = _AbortedProducers(messages.aborted)
    piece = _Piece(buffer, messages.fetch_offset)
    for row, verdict in zip(headers.tolist(), verdicts.tolist(), strict=True):
        if verdict:
            piece.skipped[REASONS[verdict]] += 1
            continue
        if aborted.leave_out(row, messages.data):
            continue
        if piece.is_full(row):
            yield piece.finish(piece.next_offset, more=True)
            piece = _Piece(buffer, messages.fetch_offset)
        piece.add(row, legacy)
    if torn:
        piece.skipped["malformed"] += 1
    yield piece.finish(max(messages.next_offset, piece.next_offset))


class _AbortedProducers:
    """Follows transactions through the batches: which producer's batches are to be left out now."""

    def __init__(self, aborted: Aborted | None) -> None:
        self._committed_only = aborted is not None
        self._ahead = sorted(aborted or [], key=lambda entry: entry[1], reverse=True)
        self._producers: set[int] = set()

    def leave_out(self, row: Header, data: bytes | memoryview) -> bool:
        """True for control batches and, reading committed records only, for what was aborted."""
        attributes, producer = row[kernel.ATTRIBUTES], row[kernel.PRODUCER]
        while self._ahead and self._ahead[-1][1] <= row[kernel.BASE]:
            self._producers.add(self._ahead.pop()[0])
        if attributes & _CONTROL:
            if _control_key(data, row)[:4] == _ABORT:
                self._producers.discard(producer)
            return True
        return self._committed_only and bool(attributes & _TRANSACTIONAL) and producer in self._producers


def _control_key(data: bytes | memoryview, row: Header) -> bytes | memoryview:
    """The key of a control batch's only record: its version and type, two bytes each.

    The four fields before the key are one-byte varints except the length, which may take two.
    """
    body = data[row[kernel.START] + kernel.HEADER_SIZE : row[kernel.END]]
    at = 1 + (len(body) > 0 and body[0] >= 0x80)
    return body[at + 4 : at + 8]


class _Piece:
    """Collects batches until there is enough for one piece.

    Uncompressed batches stay where the fetch put them; a piece with compressed or older ones has a buffer
    of its own.
    """

    def __init__(self, data: UInt8s, fetch_offset: int) -> None:
        self.next_offset = fetch_offset
        self.skipped: Counter[str] = Counter()
        self._data, self._fetch_offset = data, fetch_offset
        self._own: UInt8s | None = None
        self._used = 0
        self._count = 0
        self._bodies: list[Header] = []
        self._legacy: list[tuple[int, int, int, int]] = []

    def is_full(self, row: Header) -> bool:
        """Whether the batch with this header has to start the next piece."""
        moves = self._own is None and not _in_place(row)
        too_many = self._count + row[kernel.COUNT] > PIECE_RECORDS
        return self._used > PIECE_BYTES or (self._count > 0 and (moves or too_many))

    def add(self, row: Header, legacy: Legacy) -> None:
        """One batch; one that cannot be unpacked is counted."""
        if self._own is None and not _in_place(row):
            self._own = np.empty(PIECE_BYTES + BATCH_BYTES, np.uint8)  # only pages written to cost memory
        try:
            following = self._add_current(row) if row[kernel.MAGIC] == 2 else self._add_legacy(row, legacy)
        except (cramjam.DecompressionError, ValueError, struct.error):
            self.skipped["decompress"] += 1
        else:
            self.next_offset = max(self.next_offset, following)

    def finish(self, next_offset: int, *, more: bool = False) -> Records:
        """The records collected, their buffer cut to what is used."""
        buffer = self._data if self._own is None else self._own[: self._used].copy()
        bodies = np.array(self._bodies, np.int64).reshape(-1, kernel.BODY_COLUMNS)
        *columns, bad = kernel.walk(buffer, bodies, self._fetch_offset)
        if bad:
            self.skipped["malformed"] += bad
        if self._legacy:
            older = np.array(self._legacy, np.int64).T
            columns = [np.concatenate(pair) for pair in zip(columns, older, strict=True)]
            order = np.argsort(columns[2], kind="stable")
            columns = [column[order] for column in columns]
        start, end, offset, record_ms = columns
        return Records(buffer, start, end, offset, record_ms, next_offset, dict(self.skipped), more)

    def _add_current(self, row: Header) -> int:
        start, end = row[kernel.START] + kernel.HEADER_SIZE, row[kernel.END]
        if self._own is not None:
            start, end = self._place(row[kernel.ATTRIBUTES] & _CODEC, self._data[start:end])
        append_ms = row[kernel.MAX_MS] if row[kernel.ATTRIBUTES] & _APPEND_TIME else -1
        body = [start, end, row[kernel.BASE], row[kernel.FIRST_MS], append_ms, row[kernel.COUNT]]
        self._bodies.append([*body, row[kernel.LAST_DELTA]])
        self._count += row[kernel.COUNT]
        return row[kernel.BASE] + row[kernel.LAST_DELTA] + 1

    def _add_legacy(self, row: Header, legacy: Legacy) -> int:
        records = legacy(self._data[row[kernel.START] : row[kernel.END]].tobytes())
        for offset, time_ms, value in records:
            if offset >= self._fetch_offset:
                span = self._place(0, np.frombuffer(value, np.uint8))
                self._legacy.append((*span, offset, max(time_ms, -1)))
        self._count += len(records)
        return max((offset for offset, _, _ in records), default=row[kernel.BASE]) + 1

    def _place(self, codec: int, body: UInt8s) -> tuple[int, int]:
        """Puts one body, decompressed, behind what is there; raises what a decompressor raises."""
        assert self._own is not None
        start = self._used
        self._used += _decompress(codec, body, self._own[start : start + BATCH_BYTES])
        return start, self._used


def _in_place(row: Header) -> bool:
    return row[kernel.MAGIC] == 2 and not row[kernel.ATTRIBUTES] & _CODEC


def _decompress(codec: int, body: UInt8s, out: UInt8s) -> int:
    """Bytes written to `out`. Raises DecompressionError, or ValueError if the codec is none of Kafka's."""
    source, target = body.data, out.data
    if codec == 0:
        out[: len(body)] = body
        return len(body)
    if codec == 1:
        return int(cramjam.gzip.decompress_into(source, target))
    if codec == 2:
        return _unsnappy(source, target)
    if codec == 3:
        return int(cramjam.lz4.decompress_into(source, target))
    if codec == 4:
        return int(cramjam.zstd.decompress_into(source, target))
    raise ValueError(f"unknown compression codec {codec}")


def _unsnappy(body: memoryview, out: memoryview) -> int:
    """Raw snappy, or the blocks of the Java library: a 16-byte header, then (length, block) each."""
    if bytes(body[: len(_XERIAL)]) != _XERIAL:
        return int(cramjam.snappy.decompress_raw_into(body, out))
    at, used = 16, 0
    while at < len(body):
        (size,) = struct.unpack_from(">i", body, at)
        block = body[at + 4 : at + 4 + max(size, 0)]
        if size < 0 or len(block) < size:
            raise ValueError("snappy block beyond the end")
        used += int(cramjam.snappy.decompress_raw_into(block, out[used:]))
        at += 4 + size
    return used
