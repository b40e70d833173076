"""Loops from hashes to slots, for `lookup.py`, and from label sets to those who wait for them (`waiting.py`).

A place of the hash table is two words: the second half of a hash; then 32 bits of the first half, which say
where in the table it belongs, and one more than the label set's id (0: the place is free).
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.machine import prefetch
from sentinel.store._pool_kernels import SETS

_WORDS, _LONGS, _INTS = types.uint64[:, ::1], types.int64[::1], types.int32[::1]
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_AHEAD = 16
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True, "_nrt": False}


@njit(types.int64(types.uint64, types.int64), **_OPTIONS)
def _home(tag, size):  # type: ignore[no-untyped-def]
    """Where a hash belongs. Larger tables keep the order, so that growing writes from front to back."""
    return np.int64(((tag & _LOW) * np.uint64(size)) >> _HALF)


@njit(types.int64(_WORDS, types.uint64, types.uint64), **_OPTIONS)
def _place(table, tag, rest):  # type: ignore[no-untyped-def]
    """Where this hash stands, or the free place for it."""
    place = _home(tag, len(table))
    while table[place, 1] & _LOW:
        if table[place, 0] == rest and table[place, 1] >> _HALF == tag & _LOW:
            break
        place += 1
        if place == len(table):
            place = 0
    return place


@njit(types.void(_WORDS, _WORDS, _LONGS), **_OPTIONS)
def lookup(table, hashes, out):  # type: ignore[no-untyped-def]
    """The id that stands with each 128-bit hash, or -1."""
    for row in range(len(hashes)):
        if row + _AHEAD < len(hashes):
            prefetch(table, 2 * _home(hashes[row + _AHEAD, 0], len(table)))
        out[row] = np.int64(table[_place(table, hashes[row, 0], hashes[row, 1]), 1] & _LOW) - 1


@njit(types.void(_INTS, _LONGS, _LONGS), **_OPTIONS)
def follow(slot_of_set, ids, out):  # type: ignore[no-untyped-def]
    """The slot of each label set, or -1; apart, because reads that wait for no branch run side by side."""
    for row in range(len(ids)):
        out[row] = slot_of_set[ids[row]] if ids[row] >= 0 else -1


@njit(types.int64(_WORDS, _WORDS, _LONGS), **_OPTIONS)
def insert(table, hashes, ids):  # type: ignore[no-untyped-def]
    """Puts hashes with an id in a table that has room for them; how many were not there yet."""
    count = 0
    for row in range(len(hashes)):
        if ids[row] >= 0:
            place = _place(table, hashes[row, 0], hashes[row, 1])
            count += table[place, 1] & _LOW == 0
            table[place, 0] = hashes[row, 1]
            table[place, 1] = hashes[row, 0] << _HALF | np.uint64(ids[row] + 1)
    return count


@njit(types.int64(_WORDS, _WORDS, _LONGS), **_OPTIONS)
def move(table, new, new_id):  # type: ignore[no-untyped-def]
    """Fills an empty table from another, ids as `new_id` has them (-1: gone); how many it holds then.

    Without any `new_id` they stay as they are.
    """
    count = 0
    for old in range(len(table)):
        word = table[old, 1]
        if word & _LOW:
            id = np.int64(word & _LOW) - 1
            id = new_id[id] if len(new_id) else id
            if id >= 0:
                place = _place(new, word >> _HALF, table[old, 0])
                new[place, 0], new[place, 1] = table[old, 0], (word >> _HALF) << _HALF | np.uint64(id + 1)
                count += 1
    return count


@njit(types.int64(_INTS, _INTS, _LONGS, _LONGS, types.int64, _LONGS), **_OPTIONS)
def settle(slot_of_set, set_of_slot, ids, free, used, out):  # type: ignore[no-untyped-def]
    """Gives each label set that has none a slot: the last free ones first, then from `used` on. How many."""
    count = 0
    for id in ids:
        if id >= 0 and slot_of_set[id] < 0:
            left = len(free) - count
            slot = free[left - 1] if left > 0 else used - left
            slot_of_set[id], set_of_slot[slot], out[count] = slot, id, slot
            count += 1
    return count


@njit(types.boolean(_INTS, types.int64, types.int64, _INTS, types.int64, types.int64), **_OPTIONS)
def _has_all(cells, first, last, needed, start, end):  # type: ignore[no-untyped-def]
    """Whether all of `needed[start:end]` are among `cells[first:last]`."""
    for at in range(start, end):
        place = first
        while place < last and cells[place] != needed[at]:
            place += 1
        if place == last:
            return False
    return True


WAITING = types.Tuple((_INTS, _INTS, _INTS, _LONGS))
"""By pair the last who waits there; by who waits the one before; the pairs that each needs; their ends."""


@njit(types.UniTuple(types.int64, 2)(SETS, _LONGS, types.int64, WAITING, _INTS, _LONGS), **_OPTIONS)
def meet(sets, ids, row, waiting, who, rows):  # type: ignore[no-untyped-def]
    """Who waits for which label sets, from `row` on: (how many were found, the row for which is no room)."""
    heads, before, needed, ends = waiting
    cells, set_ends, count = sets[1], sets[2], 0
    while row < len(ids) and count + len(before) <= len(who):
        first, last = set_ends[ids[row] - 1] if ids[row] else 0, set_ends[ids[row]]
        for cell in range(first, last):
            one = heads[cells[cell]] if cells[cell] < len(heads) else -1
            while one >= 0:
                if _has_all(cells, first, last, needed, ends[one - 1] if one else 0, ends[one]):
                    who[count], rows[count] = one, row
                    count += 1
                one = before[one]
        row += 1
    return count, row
