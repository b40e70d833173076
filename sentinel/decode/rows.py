"""Rows of records that have any number of them: what a kernel and what a plain reader read, as one batch."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode.columns import Columns
from sentinel.model import Int64s, LabelReader, Payloads, SampleBatch, UInt8s, UInt64s

NAMES_PER_BYTE: Final = 16
"""So many bytes of metric names may a byte of input become: a measurement is in the names of its fields."""


class Scanned(NamedTuple):
    """What a kernel read of payloads, with keys hashed."""

    columns: Columns
    text: UInt8s
    """Where the keys lie."""
    counts: Int64s
    """By record, how many rows it has; -1 if it is left to the plain reader."""

    @classmethod
    def nothing(cls, payloads: Payloads) -> Scanned:
        return cls(Columns.empty(0), np.empty(0, np.uint8), np.full(len(payloads), -1))


class Read(NamedTuple):
    """One sample as a plain reader read it; the key is given by its parts."""

    record: int
    name: bytes
    labels: bytes
    value: float
    timestamp_ms: int


def together(payloads: Payloads, scanned: Scanned, read: list[Read], read_labels: LabelReader) -> SampleBatch:
    """All rows in the order of their records."""
    columns, text, counts = scanned
    record = np.repeat(np.arange(len(payloads)), np.maximum(counts, 0))
    if read:
        more, more_text = _written(read, len(text), seed_of(payloads.target))
        record = np.concatenate([record, [each.record for each in read]])
        order = np.argsort(record, kind="stable")
        record, text = record[order], np.concatenate([text, more_text])
        columns = Columns._make(np.concatenate(parts)[order] for parts in zip(columns, more, strict=True))
    return columns.batch(payloads, text, record, slice(None), read_labels)


def _written(read: list[Read], at: int, seed: UInt64s) -> tuple[Columns, UInt8s]:
    """Rows, and the text of their keys, which will lie at `at`."""
    from sentinel.decode._hash_kernel import hash_rows

    columns, keys, pos = Columns.empty(len(read)), list[bytes](), 0
    for row, (_, name, labels, value, timestamp_ms) in enumerate(read):
        columns.key[row] = pos, pos + len(name), pos + len(name), pos + len(name) + len(labels)
        columns.timestamp_ms[row], columns.value[row] = timestamp_ms, value
        keys += name, labels
        pos += len(name) + len(labels)
    text = np.frombuffer(b"".join(keys), np.uint8)
    hash_rows(text, seed, np.arange(len(read)), columns)
    columns.key[:] += at
    return columns, text
