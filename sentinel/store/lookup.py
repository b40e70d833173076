"""From the hash of raw label bytes to a slot: a bounded cache in front of the index.

The same labels in another order (or spacing) hash differently; each spelling is one entry that leads to the
same slot. Hashes are seeded per process, so nothing here is kept over a restart.
"""

from __future__ import annotations

import numpy as np

from sentinel.model import Int64s, UInt64s
from sentinel.store import _kernels as kernels


class HashTable:
    """Open addressing, at most half full. Beyond `limit` entries it starts anew: it is only a cache."""

    def __init__(self, limit: int = 1 << 23) -> None:
        self._limit = limit
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

    def put(self, hashes: UInt64s, slots: Int64s) -> None:
        """New entries; the caller has made sure that they are new and distinct."""
        if self._used + len(slots) > self._limit:
            self.clear()
        if 2 * (self._used + len(slots)) > len(self._slots):
            self._rebuild(self._slots >= 0, 4 * (self._used + len(slots)))
        kernels.insert(self._keys, self._slots, np.ascontiguousarray(hashes), slots)
        self._used += len(slots)

    def forget(self, slots: Int64s) -> None:
        """Drop every spelling of these slots."""
        self._rebuild((self._slots >= 0) & ~np.isin(self._slots, slots), len(self._slots))

    def _rebuild(self, keep: np.ndarray[tuple[int], np.dtype[np.bool_]], room: int) -> None:
        keys, slots = self._keys[keep], self._slots[keep]
        self.clear(1 << max(10, int(room - 1).bit_length()))
        kernels.insert(self._keys, self._slots, keys, slots)
        self._used = len(slots)
