"""Samples on their way: undecoded records, and columns of samples."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from sentinel.model.columns import Floats, Int64s, UInt8s, UInt64s
from sentinel.model.histogram import Histogram
from sentinel.model.labels import Labels


class Payloads(msgspec.Struct, frozen=True, eq=False):
    """Undecoded records of one source and partition, as spans into one buffer.

    `record_ms` is the broker's time of each record, or -1. `next_offset` is where reading goes on, which
    may lie behind the last record (control batches, compaction). `arrival_ms` bounds future timestamps.
    `target` labels are laid over every sample (`job` and `instance` of a scrape).
    """

    source: str
    partition: str
    format: str
    buffer: UInt8s
    start: Int64s
    end: Int64s
    offset: Int64s
    record_ms: Int64s
    next_offset: int
    arrival_ms: int
    target: Labels = Labels()

    def __len__(self) -> int:
        return len(self.start)

    def record(self, row: int) -> bytes:
        return self.buffer[self.start[row] : self.end[row]].tobytes()

    def split(self, offset: int) -> tuple[Payloads, Payloads]:
        """What lies before `offset`, and the rest; both share the buffer."""
        cut = int(np.searchsorted(self.offset, offset))
        head, tail = slice(None, cut), slice(cut, None)
        return self._part(head, min(offset, self.next_offset)), self._part(tail, self.next_offset)

    def _part(self, rows: slice, next_offset: int) -> Payloads:
        return msgspec.structs.replace(
            self,
            start=self.start[rows],
            end=self.end[rows],
            offset=self.offset[rows],
            record_ms=self.record_ms[rows],
            next_offset=next_offset,
        )


def payload_of(
    source: str, format: str, body: bytes, *, arrival_ms: int, target: Labels | None = None
) -> Payloads:
    """One record with no partition: a scrape's answer, a push's body."""
    one = np.zeros(1, np.int64)
    return Payloads(
        source=source,
        partition="",
        format=format,
        buffer=np.frombuffer(body, np.uint8),
        start=one,
        end=one + len(body),
        offset=one,
        record_ms=one - 1,
        next_offset=1,
        arrival_ms=arrival_ms,
        target=target or Labels(),
    )


LabelReader = Callable[[bytes, bytes], Labels]
"""Makes labels of the raw bytes of (name, labels) of one sample; called once per new key, not per sample."""


class SampleBatch(msgspec.Struct, frozen=True, eq=False):
    """Decoded samples as columns, in the order of their records.

    `series_hash` (n x 2) hashes the raw name and label bytes and the target labels; `key` (n x 4) holds the
    spans name start, name end, labels start, labels end in `buffer`. `record` is the row in the payloads
    that a sample came from: samples of one record stand or fall together. Where `value` is a box, the first
    one stands for `histograms[0]`, and so on. Where `delta_from_ms` is not negative, a sample is what was
    counted since then (0: it is not said since when).
    """

    series_hash: UInt64s
    key: Int64s
    buffer: UInt8s
    timestamp_ms: Int64s
    value: Floats
    record: Int64s
    read_labels: LabelReader
    target: Labels = Labels()
    histograms: tuple[Histogram, ...] = ()
    delta_from_ms: Int64s | None = None

    def __len__(self) -> int:
        return len(self.timestamp_ms)

    def labels(self, row: int) -> Labels:
        return self.labels_of(np.array([row], np.int64))[0]

    def labels_of(self, rows: Int64s) -> list[Labels]:
        """The label sets of these rows, target labels laid over. For misses and edges: it builds objects."""
        read, raw, target = self.read_labels, self.buffer.data, self.target.map
        spans = self.key[rows].tolist()
        found = [read(bytes(raw[a:b]), bytes(raw[c:d])) for a, b, c, d in spans]
        return [labels.with_(target) for labels in found] if target else found


class Decoded(msgspec.Struct, frozen=True, eq=False):
    """What a decoder makes of payloads: good samples, and each refused record with its reason."""

    batch: SampleBatch
    refused: list[tuple[int, str]]
    """(row in the payloads, reason), by row."""
