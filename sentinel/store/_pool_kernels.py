"""Loops over texts and label sets as numbers, compiled ahead: for `pairs.py` and `label_pool.py`.

`texts` numbers (owner, UTF-8 text), `sets` numbers rows of numbers. Both are tuples of arrays that Python
objects own. Numbers count up from 0 and are found by open addressing in a table of (half a hash, number + 1),
0 being a free place. Kernels never make room: where there is none they give NONE, and their callers grow the
arrays and go on.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.machine import load64, partial_word, trailing_zeros

NONE = -1
END = 0xFF
"""Ends each name and value in what is spelled: a byte that UTF-8 never has."""

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_ROWS = types.Array(types.int32, 1, "C", readonly=True)
_LONGS = types.Array(types.int64, 1, "C", readonly=True)
_INTS, _INT64S, _HASHES = types.int32[::1], types.int64[::1], types.uint64[::1]
TEXTS = types.Tuple((_INT64S, types.uint8[::1], _INT64S, _HASHES, types.uint64, _INTS))
"""(entries, bytes) in use; bytes; where each entry's end; table; seed; owner of each."""
SETS = types.Tuple((_INT64S, _INTS, _INT64S, _HASHES, types.uint64))
"""(entries, cells) in use; pair numbers; where each entry's end; table; seed."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
_HIGH, _LOW, _HALF = np.uint64(0xFFFFFFFF << 32), np.uint64(0xFFFFFFFF), np.uint64(32)
_ONES, _SIGNS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True, "_nrt": False}
"""No kernel here makes an array, and counting references to those it gets would take most of its time."""


@njit(types.uint64(types.uint64), **_OPTIONS)
def _finish(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(29))


@njit(types.uint64(_BYTES, types.int64, types.int64, types.int64, types.uint64), **_OPTIONS)
def _hash_text(source, start, end, owner, seed):  # type: ignore[no-untyped-def]
    value = _finish((seed + np.uint64(owner)) ^ np.uint64(end - start) << _HALF)
    for place in range(start, end, 8):
        value = _finish(value ^ partial_word(source, place, min(end - place, 8))) + _MIX
    return value


@njit(types.boolean(_BYTES, types.int64, _BYTES, types.int64, types.int64), **_OPTIONS)
def _same_text(left, at, right, start, size):  # type: ignore[no-untyped-def]
    """Whether `size` bytes of `left` from `at` on are those of `right` from `start` on."""
    for place in range(0, size, 8):
        count = min(size - place, 8)
        if partial_word(left, at + place, count) != partial_word(right, start + place, count):
            return False
    return True


@njit(types.uint64(_ROWS, types.int64, types.int64, types.uint64), **_OPTIONS)
def _hash_row(flat, start, end, seed):  # type: ignore[no-untyped-def]
    value = seed + np.uint64(end - start)
    for place in range(start, end - 1, 2):
        both = (np.uint64(flat[place]) << _HALF) | np.uint64(flat[place + 1])
        value = _finish(value ^ both) + _MIX
    return _finish(value ^ np.uint64(flat[end - 1])) if (end - start) & 1 else value


@njit(types.int64(types.uint64, types.int64), **_OPTIONS)
def _home(hashed, size):  # type: ignore[no-untyped-def]
    """Where the search for a hash begins: as far into the table as its upper half is into all of them."""
    return np.int64(((hashed >> _HALF) * np.uint64(size)) >> _HALF)


@njit(types.boolean(_INT64S, _LONGS, _HASHES, types.int64), **_OPTIONS)
def _has_room(used, ends, table, most):  # type: ignore[no-untyped-def]
    """Whether one more entry fits, and ends at most at `most`; a table is at most four fifths full."""
    return used[0] < len(ends) and used[1] <= most and 5 * used[0] + 5 <= 4 * len(table)


@njit(types.int64(TEXTS, types.int64, _BYTES, types.int64, types.int64, types.boolean), **_OPTIONS)
def number_text(texts, owner, source, start, end, make):  # type: ignore[no-untyped-def]
    """The number of `source[start:end]` with its owner; NONE if unknown and not to be made, or no room."""
    used, held, ends, table, seed, owners = texts
    hashed, size = _hash_text(source, start, end, owner, seed), len(table)
    half, place = hashed & _HIGH, _home(hashed, size)
    while table[place]:
        number = np.int64(table[place] & _LOW) - 1
        if table[place] & _HIGH == half and owners[number] == owner:
            first = ends[number - 1] if number else 0
            if ends[number] - first == end - start and _same_text(held, first, source, start, end - start):
                return number
        place = place + 1 if place + 1 < size else 0
    if not make or not _has_room(used, ends, table, len(held) - (end - start)):
        return NONE
    number, first = used[0], used[1]
    for at in range(start, end):
        held[first + at - start] = source[at]
    owners[number], ends[number] = owner, first + end - start
    table[place] = half | np.uint64(number + 1)
    used[0], used[1] = number + 1, ends[number]
    return number


@njit(
    types.int64(
        _INT64S, _INTS, _INT64S, _HASHES, types.uint64, _ROWS, types.int64, types.int64, types.boolean
    ),
    **_OPTIONS,
)
def _number_row(used, held, ends, table, seed, flat, start, end, make):  # type: ignore[no-untyped-def]
    """Of arrays one by one: to take them out of a tuple costs as much as the search."""
    hashed, size = _hash_row(flat, start, end, seed), len(table)
    half, place = hashed & _HIGH, _home(hashed, size)
    while table[place]:
        if table[place] & _HIGH == half:
            number = np.int64(table[place] & _LOW) - 1
            first = ends[number - 1] if number else 0
            if ends[number] - first == end - start:
                at = start
                while at < end and held[first + at - start] == flat[at]:
                    at += 1
                if at == end:
                    return number
        place = place + 1 if place + 1 < size else 0
    if not make or not _has_room(used, ends, table, len(held) - (end - start)):
        return NONE
    number, first = used[0], used[1]
    for at in range(start, end):
        held[first + at - start] = flat[at]
    ends[number] = first + end - start
    table[place] = half | np.uint64(number + 1)
    used[0], used[1] = number + 1, ends[number]
    return number


@njit(types.int64(SETS, _ROWS, types.int64, types.int64, types.boolean), **_OPTIONS)
def number_row(sets, flat, start, end, make):  # type: ignore[no-untyped-def]
    """The id of the label set `flat[start:end]`; NONE if it is unknown and not to be made, or no room."""
    return _number_row(sets[0], sets[1], sets[2], sets[3], sets[4], flat, start, end, make)


@njit(types.void(_HASHES, _HASHES), **_OPTIONS)
def move(table, larger):  # type: ignore[no-untyped-def]
    """Puts everything from one table into another, empty one: one walk through both, as homes keep order."""
    size = len(larger)
    for entry in table:
        if entry:
            place = _home(entry, size)
            while larger[place]:
                place = place + 1 if place + 1 < size else 0
            larger[place] = entry


@njit(types.int64(SETS, _ROWS, _LONGS, types.int64, types.boolean, _INT64S), **_OPTIONS)
def intern_rows(sets, flat, ends, start, make, out):  # type: ignore[no-untyped-def]
    """Ids of the rows of `flat` from `start` on; an unknown one is made or, if that is not wanted, NONE.

    Returns the first row for which there is no room.
    """
    used, held, own_ends, table, seed = sets
    first = ends[start - 1] if start else 0
    for row in range(start, len(ends)):
        if not 0 <= first <= ends[row] <= len(flat):
            raise ValueError("rows do not follow each other")
        out[row] = _number_row(used, held, own_ends, table, seed, flat, first, ends[row], make)
        if make and out[row] < 0:
            return row
        first = ends[row]
    return len(ends)


@njit(types.int64(_BYTES, types.int64, types.int64), **_OPTIONS)
def _text_end(source, start, stop):  # type: ignore[no-untyped-def]
    place = start
    while place + 8 <= stop:
        other = ~load64(source, place)  # the first zero byte of it, if there is one
        found = (other - _ONES) & ~other & _SIGNS
        if found:
            return place + (trailing_zeros(found) >> 3)
        place += 8
    while place < stop and source[place] != END:
        place += 1
    return place


@njit(types.int64(TEXTS, TEXTS, _BYTES, _LONGS, types.int64, types.boolean, _INTS, _INT64S), **_OPTIONS)
def number_spelled(names, pairs, source, ends, start, make, flat, row_ends):  # type: ignore[no-untyped-def]
    """Rows of pair numbers of label sets spelled `name END value END`, from set `start` on; `ends` by set.

    Unknown pairs are made or, if that is not wanted, NONE. Returns the first set for which there is no room.
    """
    place, cell = (ends[start - 1], row_ends[start - 1]) if start else (0, 0)
    for row in range(start, len(ends)):
        while place < ends[row]:
            middle = _text_end(source, place, ends[row])
            end = _text_end(source, middle + 1, ends[row])
            name = number_text(names, NONE, source, place, middle, make)
            pair = NONE if name < 0 else number_text(pairs, name, source, middle + 1, end, make)
            if make and pair < 0:
                return row
            flat[cell] = pair
            cell += 1
            place = end + 1
        row_ends[row] = cell
    return len(ends)


@njit(types.int64(TEXTS, TEXTS, TEXTS, TEXTS, types.int64, _INTS, _INTS), **_OPTIONS)
def adopt_pairs(names, pairs, other_names, other_pairs, start, flat, known):  # type: ignore[no-untyped-def]
    """Rewrites other pair numbers as own ones, in place, from cell `start` on; makes unknown pairs.

    `known` is the own number by the other one, NONE where nobody asked yet. Returns the first cell for which
    there is no room.
    """
    for cell in range(start, len(flat)):
        other = flat[cell]
        if known[other] < 0:
            name = other_pairs[5][other]
            first = other_names[2][name - 1] if name else 0
            name = number_text(names, NONE, other_names[1], first, other_names[2][name], True)
            if name < 0:
                return cell
            first = other_pairs[2][other - 1] if other else 0
            known[other] = number_text(pairs, name, other_pairs[1], first, other_pairs[2][other], True)
            if known[other] < 0:
                return cell
        flat[cell] = known[other]
    return len(flat)


@njit(types.void(SETS, _LONGS, _INTS), **_OPTIONS)
def copy_rows(sets, ids, flat):  # type: ignore[no-untyped-def]
    """The pair numbers of these sets, one set after the other."""
    cell = 0
    for row in range(len(ids)):
        for at in range(sets[2][ids[row] - 1] if ids[row] else 0, sets[2][ids[row]]):
            flat[cell] = sets[1][at]
            cell += 1


@njit(types.void(_INTS, _INT64S, _ROWS, types.boolean[::1]), **_OPTIONS)
def cut_rows(flat, ends, name_of, wanted):  # type: ignore[no-untyped-def]
    """Leaves of each row, in place, only the pairs whose names are wanted (by name number)."""
    place = cell = 0
    for row in range(len(ends)):
        while place < ends[row]:
            if wanted[name_of[flat[place]]]:
                flat[cell] = flat[place]
                cell += 1
            place += 1
        ends[row] = cell


@njit(types.void(SETS, _ROWS, _LONGS, types.int64, _INTS), **_OPTIONS)
def values_of(sets, name_of, ids, name, out):  # type: ignore[no-untyped-def]
    """The pair that each set has for a name, or NONE."""
    for row in range(len(ids)):
        out[row] = NONE
        for at in range(sets[2][ids[row] - 1] if ids[row] else 0, sets[2][ids[row]]):
            if name_of[sets[1][at]] == name:
                out[row] = sets[1][at]
                break
