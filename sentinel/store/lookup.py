"""From raw label bytes to label sets: a table of the spellings seen, and a reader of those that are new.

The same labels in another order (or spacing) hash differently; each spelling is one entry of a `HashTable`
that leads to the same set. Hashes are seeded per process, so nothing here is kept over a restart.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np

from sentinel.model import Int64s, Labels, SampleBatch, UInt8s, UInt64s
from sentinel.store import _key_kernels as keys
from sentinel.store import _lookup_kernels as kernels
from sentinel.store.label_pool import LabelPool
from sentinel.store.pairs import spelled

_LEAST: Final = 1 << 10
_MOST_TARGET: Final = 64
"""With more labels of their targets, keys are in doubt."""
_LEAST_PAIR: Final = 4
"""Bytes of a pair as it is spelled."""


class HashTable:
    """From hashes of spellings to ids of label sets, in open addressing, at most three quarters full."""

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return self._used

    @property
    def nbytes(self) -> int:
        return self._table.nbytes

    def clear(self) -> None:
        self._used = 0
        self._table: UInt64s = np.zeros((_LEAST, 2), np.uint64)

    def find(self, hashes: UInt64s) -> Int64s:
        """What `hashes` (n x 2) stand for, -1 where unknown."""
        ids = np.empty(len(hashes), np.int64)
        kernels.lookup(self._table, hashes, ids)
        return ids

    def put(self, hashes: UInt64s, ids: Int64s, limit: int = 1 << 62) -> None:
        """What these hashes stand for (id -1: nothing).

        Beyond `limit` entries the table starts anew: it is only a cache.
        """
        if self._used + len(ids) > limit:
            self.clear()
        if 4 * (self._used + len(ids)) > 3 * len(self._table):
            self._move(2 * (self._used + len(ids)), np.empty(0, np.int64))
        self._used += kernels.insert(self._table, hashes, ids)

    def rename(self, new_id: Int64s) -> None:
        """Label sets have other ids: `new_id` by the old one, -1 for those that are gone."""
        self._move(len(self._table), new_id)

    def _move(self, size: int, new_id: Int64s) -> None:
        table = np.zeros((max(size, _LEAST), 2), np.uint64)
        self._used = kernels.move(self._table, table, new_id)
        self._table = table


def label_sets(batch: SampleBatch, rows: Int64s, pool: LabelPool, *, make: bool) -> Int64s:
    """The ids of the label sets of these rows of a batch; -1: unknown, and not to be made."""
    ids = np.full(len(rows), -1, np.int64)
    text, ends, read = spelled_keys(batch, rows)
    if len(read):
        flat, row_ends = pool.pairs.number_spelled(text, ends, len(text) // _LEAST_PAIR, make=make)
        ids[read] = pool.intern_rows(flat, row_ends) if make else pool.find_rows(flat, row_ends)
    if len(read) < len(rows):
        doubtful = np.delete(np.arange(len(rows)), read)
        series = batch.labels_of(rows[doubtful])
        ids[doubtful] = pool.intern_all(series) if make else pool.find_all(series)
    return ids


def spelled_keys(batch: SampleBatch, rows: Int64s) -> tuple[UInt8s, Int64s, Int64s]:
    """(label sets as `pairs.spelled` has them, set ends, their places in `rows`) of what is not in doubt."""
    wanted = np.ascontiguousarray(batch.key[rows])
    over, spans = _laid_over(batch.target)
    if not len(rows) or len(spans) > _MOST_TARGET:
        return np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64)
    sizes = np.maximum(np.diff(wanted)[:, ::2], 0).sum(axis=1) + len(over) + keys.SPARE
    text, scratch = np.empty(int(sizes.sum()), np.uint8), np.empty(int(sizes.max()), np.uint8)
    set_ends, read = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    room = np.empty((keys.MOST_LABELS, 3), np.int64)
    count = keys.spell_keys(batch.buffer, wanted, (over, spans), scratch, text, set_ends, read, room)
    end = int(set_ends[count - 1]) if count else 0
    return text[:end], set_ends[:count], read[:count]


@functools.lru_cache(maxsize=4096)
def _laid_over(labels: Labels) -> tuple[UInt8s, Int64s]:
    """(labels as they are spelled, the spans of each pair: start, end of the name, end)."""
    sizes = [(len(name.encode()), len(value.encode())) for name, value in labels]
    ends = np.cumsum([0, *(name + value + 2 for name, value in sizes)])
    names = ends[:-1] + np.array([name for name, _ in sizes], np.int64)
    return spelled([labels])[0], np.stack([ends[:-1], names, ends[1:]], axis=1)
