"""From raw label bytes to a slot, or to the certainty that there is none.

The same labels in another order (or spacing) hash differently; each spelling is one entry of a `HashTable`
that leads to the same slot: a bounded cache in front of the index. Digests are the same for all spellings:
by them `KnownSets` can tell that a label set is new without making it. Both are seeded per process, so
nothing here is kept over a restart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import numpy as np

from sentinel.model import Bools, Int64s, Labels, SampleBatch, UInt64s
from sentinel.store import _digest_kernels as kernel
from sentinel.store import _lookup_kernels as kernels
from sentinel.store.index import SeriesIndex, spelled

SEED: Final = np.frombuffer(os.urandom(8), np.uint64)[0]
"""Nobody outside can prepare label sets with the same digest."""
_AT_ONCE: Final = 1 << 14


class HashTable:
    """Open addressing, at most half full."""

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return self._used

    def clear(self, size: int = 1 << 10) -> None:
        self._used = 0
        self._keys = np.zeros((size, 2), np.uint64)
        self._slots = np.full(size, -1, np.int64)

    def find(self, hashes: UInt64s) -> Int64s:
        """Slots of `hashes` (n x 2), -1 where unknown."""
        slots = np.empty(len(hashes), np.int64)
        kernels.lookup(self._keys, self._slots, hashes, slots)
        return slots

    def put(self, hashes: UInt64s, slots: Int64s, limit: int = 1 << 62) -> None:
        """New entries; the caller has made sure that they are new and distinct.

        Beyond `limit` entries the table starts anew: for whom it is only a cache.
        """
        if self._used + len(slots) > limit:
            self.clear()
        if 2 * (self._used + len(slots)) > len(self._slots):
            self._rebuild(self._slots >= 0, 2 * (self._used + len(slots)))
        kernels.insert(self._keys, self._slots, np.ascontiguousarray(hashes), slots)
        self._used += len(slots)

    def forget(self, slots: Int64s) -> None:
        """Drop every spelling of these slots."""
        self._rebuild((self._slots >= 0) & ~np.isin(self._slots, slots), len(self._slots))

    def _rebuild(self, keep: Bools, room: int) -> None:
        keys, slots = self._keys[keep], self._slots[keep]
        self.clear(1 << max(10, int(room - 1).bit_length()))
        kernels.insert(self._keys, self._slots, keys, slots)
        self._used = len(slots)


class KnownSets:
    """The digests of all label sets of an index; its owner keeps both in step.

    To begin with, the index is taken in step by step: a million series at once would hold up the alerts.
    """

    def __init__(self, index: SeriesIndex) -> None:
        self._table = HashTable()
        self._index, self._left = index, index.live()

    def add(self, series: Iterable[Labels], slots: Int64s) -> None:
        self._table.put(_keyed(_digests(series)), slots)

    def forget(self, slots: Int64s) -> None:
        self._table.forget(slots)

    def may_hold(self, batch: SampleBatch, rows: Int64s) -> Bools:
        """False for the rows whose label sets are surely not here, however they are spelled."""
        self._take_in()
        if self._left:
            return np.ones(len(rows), np.bool_)
        names = np.array([_name_hash(name) for name, _ in batch.target], np.uint64)
        keys = np.ascontiguousarray(batch.key[rows])
        sure, found = np.empty(len(rows), np.bool_), np.empty(len(rows), np.uint64)
        kernel.digest_keys(batch.buffer, keys, SEED, names, sure, found)
        found += _digests([batch.target])[0]
        return ~sure | (self._table.find(_keyed(found)) >= 0)

    def _take_in(self) -> None:
        """Slots that were used again meanwhile only make a few rows less certain; freed ones are left out."""
        if self._left:
            slots = [slot for slot in self._left[-_AT_ONCE:] if self._index.labels[slot].pairs]
            del self._left[-_AT_ONCE:]
            self.add([self._index.labels[slot] for slot in slots], np.array(slots, np.int64))


def _name_hash(name: str) -> int:
    text = np.frombuffer(name.encode(), np.uint8)
    return int(kernel.hash_plain(text, 0, len(text), SEED))


def _digests(series: Iterable[Labels]) -> UInt64s:
    text, ends = spelled(series)
    out = np.empty(len(ends), np.uint64)
    kernel.digest_spelled(text, ends, SEED, out)
    return out


def _keyed(found: UInt64s) -> UInt64s:
    """As a hash table takes them: its keys are pairs."""
    return np.stack([found, np.zeros_like(found)], axis=1)
