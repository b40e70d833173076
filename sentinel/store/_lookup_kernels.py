"""Loops from hashes to slots and from spelled label sets to fingerprints, for `lookup.py` and `index.py`."""

from __future__ import annotations

import numpy as np
from numba import njit, types

TIMES, BITS = types.int64[::1], types.uint64[::1]


@njit("void(uint64[:, ::1], int64[::1], uint64[:, ::1], int64[::1])", cache=True, nogil=True)
def lookup(keys, slots, wanted, out):  # type: ignore[no-untyped-def]
    """Slot of each 128-bit hash in an open-addressing table (slot -1 = empty place), or -1."""
    mask = np.uint64(keys.shape[0] - 1)
    for row in range(wanted.shape[0]):
        place = wanted[row, 0] & mask
        out[row] = -1
        while slots[np.int64(place)] >= 0:
            if keys[np.int64(place), 0] == wanted[row, 0] and keys[np.int64(place), 1] == wanted[row, 1]:
                out[row] = slots[np.int64(place)]
                break
            place = (place + np.uint64(1)) & mask


@njit("void(uint64[:, ::1], int64[::1], uint64[:, ::1], int64[::1])", cache=True, nogil=True)
def insert(keys, slots, new_keys, new_slots):  # type: ignore[no-untyped-def]
    """Put new hashes in the table; the caller keeps it at most half full."""
    mask = np.uint64(keys.shape[0] - 1)
    for row in range(new_keys.shape[0]):
        place = new_keys[row, 0] & mask
        while slots[np.int64(place)] >= 0:
            place = (place + np.uint64(1)) & mask
        keys[np.int64(place), 0], keys[np.int64(place), 1] = new_keys[row, 0], new_keys[row, 1]
        slots[np.int64(place)] = new_slots[row]


@njit(types.void(types.uint8[::1], TIMES, BITS), cache=True, nogil=True)
def fingerprints(text, ends, out):  # type: ignore[no-untyped-def]
    """FNV-1a-64 of each span of `text`; spans follow each other and end at `ends`."""
    place = 0
    for row in range(ends.shape[0]):
        value = np.uint64(0xCBF29CE484222325)
        while place < ends[row]:
            value = (value ^ np.uint64(text[place])) * np.uint64(0x100000001B3)
            place += 1
        out[row] = value
