"""Loops that read windows, compiled ahead: what lies in segments, and what is packed of them."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.machine import prefetch
from sentinel.store import _packed_kernels as packed
from sentinel.store._layout import (
    BASE,
    BITS,
    BLOCKS,
    COLUMNS,
    COUNT,
    FIRST,
    LAST,
    META,
    PACKED,
    STALE,
    TIMES,
    VALUES,
    WINDOWS,
    upper,
)
from sentinel.store._packed_kernels import FIRST_MS, LAST_MS, OLDER, SHAPE

_AHEAD, _STEPS = 32, 3


@njit(inline="always")
def _look_ahead(column, times, meta, slots, row, before, newer):  # type: ignore[no-untyped-def]
    """Bring near what the rows to come will touch, so that many of them wait for memory at once.

    That is of each the sample so many before the end of its segment, and if there are `newer` ones than are
    asked for the time of its last. Rows below 0 are the way to the first.
    """
    if row + 2 * _AHEAD < slots.shape[0]:
        prefetch(meta, slots[row + 2 * _AHEAD] * COLUMNS)
    if 0 <= row + _AHEAD < slots.shape[0]:
        slot = slots[row + _AHEAD]
        end = meta[slot, BASE] + meta[slot, FIRST] + meta[slot, COUNT]
        prefetch(column, end - before)
        if newer:
            prefetch(times, end - 1)


@njit(inline="always")
def _upper_from_end(times, first, last, at):  # type: ignore[no-untyped-def]
    """As `upper`, for times of which few are expected to be > at: what came since an evaluation was due."""
    place = last
    while place > first and times[place - 1] > at and last - place < _STEPS:
        place -= 1
    return upper(times, first, place, at) if last - place == _STEPS else place


@njit(
    "int64(int64[::1], float64[::1], uint64[::1], int64[:, ::1], int64[::1], int64, int64,"
    " boolean[::1], float64[::1], int64[::1])",
    cache=True,
    nogil=True,
    _nrt=False,
)
def latest(times, values, bits, meta, slots, at, after, present, out, out_times):  # type: ignore[no-untyped-def]
    """The newest sample in (after, at] of each slot; a staleness marker is no sample.

    Returns for how many slots that is to be looked for in what is packed.
    """
    deeper, rows, newer = 0, slots.shape[0], False
    for row in range(-2 * _AHEAD, rows):
        _look_ahead(values, times, meta, slots, row, 1, newer)
        if row < 0:
            continue
        slot = slots[row]
        begin = meta[slot, BASE] + meta[slot, FIRST]
        place, found = begin + meta[slot, COUNT] - 1, meta[slot, LAST]
        newer = place >= begin and found > at
        if newer:
            place = _upper_from_end(times, begin, place, at) - 1
            deeper += place < begin and meta[slot, PACKED] > 1
            found = times[max(place, begin)]
        if place >= begin and found > after and bits[place] != STALE:
            present[row], out[row], out_times[row] = True, values[place], found
    return deeper


@njit(
    "void(int64[::1], int64[:, ::1], int64[::1], int64, int64, int64[::1], int64[::1])",
    cache=True,
    nogil=True,
    _nrt=False,
)
def spans(times, meta, slots, after, to, first, last):  # type: ignore[no-untyped-def]
    """Slab positions [first, last) of the samples in (after, to] of each slot.

    Series that are sampled together have as many: the number of the slot before is tried first.
    """
    rows, count, newer = slots.shape[0], np.int64(0), False
    for row in range(-2 * _AHEAD, rows):
        _look_ahead(times, times, meta, slots, row, count, newer)
        if row < 0:
            continue
        slot = slots[row]
        begin = meta[slot, BASE] + meta[slot, FIRST]
        end = begin + meta[slot, COUNT]
        newer = meta[slot, LAST] > to
        if newer:
            end = _upper_from_end(times, begin, end, to)
        place = end - count
        found = (
            begin <= place < end and times[place] > after and (place == begin or times[place - 1] <= after)
        )
        first[row], last[row] = place if found else upper(times, begin, end, after), end
        count = end - first[row]


@njit(
    types.UniTuple(types.int64, 4)(TIMES, BITS, META, TIMES, types.int64, types.int64, TIMES, TIMES),
    cache=True,
    nogil=True,
    _nrt=False,
)
def survey(times, bits, meta, slots, after, to, first, last):  # type: ignore[no-untyped-def]
    """As `spans`; returns how many samples there are, the fewest of a slot, and whether any is a marker.

    And of how many slots there may be more in what is packed.
    """
    spans(times, meta, slots, after, to, first, last)
    total, least, marked, deeper = 0, 1 << 62, 0, 0
    for row in range(slots.shape[0]):
        count, state = last[row] - first[row], meta[slots[row], PACKED]
        total += count
        least = min(least, count)
        if state == 0:
            continue
        deeper += state > 1 and times[meta[slots[row], BASE] + meta[slots[row], FIRST]] > after
        if marked == 0 and state & 1:
            for at in range(first[row], last[row]):
                if bits[at] == STALE:
                    marked = 1
                    break
    return total, least, marked, deeper


@njit(
    types.void(WINDOWS, BLOCKS, TIMES, types.int64, types.int64, TIMES, TIMES, TIMES), cache=True, nogil=True
)
def count(windows, blocks, slots, after, to, first, last, counts):  # type: ignore[no-untyped-def]
    """How many samples in (after, to] each slot has, of which those in its segment are [first, last)."""
    times, _, _, meta, _, _ = windows
    words, block_times = blocks[0], blocks[3]
    for row in range(slots.shape[0]):
        newest = meta[slots[row], PACKED] >> 1
        counts[row] = last[row] - first[row]
        if newest == 0 or times[meta[slots[row], BASE] + meta[slots[row], FIRST]] <= after:
            continue
        block = newest
        while words[block + LAST_MS] > after:
            if words[block + FIRST_MS] > after and words[block + LAST_MS] <= to:
                counts[row] += packed.samples(words, block)
            elif words[block + FIRST_MS] <= to:
                size = packed.decode_times(words, block, block_times, 0)
                counts[row] += upper(block_times, 0, size, to) - upper(block_times, 0, size, after)
            block = words[block + OLDER]
            if block == newest:
                break


@njit(
    types.boolean(WINDOWS, BLOCKS, TIMES, types.int64, types.int64, TIMES, TIMES, TIMES, TIMES, VALUES, BITS),
    cache=True,
    nogil=True,
    _nrt=False,
)
def unpack(windows, blocks, slots, after, to, first, last, ends, out_times, out, bits):  # type: ignore[no-untyped-def]
    """All samples in (after, to] of each slot up to its end in `out`; returns whether one may be a marker."""
    times, values, _, meta, _, _ = windows
    words, _, _, block_times, block_values, block_bits, _, _ = blocks
    marked = False
    for row in range(slots.shape[0]):
        newest, end = meta[slots[row], PACKED] >> 1, ends[row]
        start = ends[row - 1] if row else 0
        marked = marked or meta[slots[row], PACKED] & 1 != 0
        for at in range(last[row] - 1, first[row] - 1, -1):
            end -= 1
            out_times[end], out[end] = times[at], values[at]
        block = newest
        while end > start:
            whole = words[block + FIRST_MS] > after and words[block + LAST_MS] <= to
            if whole:
                end -= packed.decode(words, block, out_times, out, bits, end - packed.samples(words, block))
                marked = marked or words[block + SHAPE] & packed.MARKER_INSIDE != 0
            elif words[block + FIRST_MS] <= to:
                marked = marked or words[block + SHAPE] & packed.MARKER_INSIDE != 0
                size = packed.decode(words, block, block_times, block_values, block_bits, 0)
                for at in range(upper(block_times, 0, size, to) - 1, -1, -1):
                    if block_times[at] <= after:
                        break
                    end -= 1
                    out_times[end], out[end] = block_times[at], block_values[at]
            block = words[block + OLDER]
    return marked


@njit(
    types.void(WINDOWS, BLOCKS, TIMES, types.int64, types.int64, types.boolean[::1], VALUES, TIMES),
    cache=True,
    nogil=True,
    _nrt=False,
)
def latest_packed(windows, blocks, slots, at, after, present, out, out_times):  # type: ignore[no-untyped-def]
    """As `latest`, of those slots whose segments begin after `at`."""
    times, _, _, meta, _, _ = windows
    words, _, _, block_times, block_values, block_bits, _, _ = blocks
    for row in range(slots.shape[0]):
        newest = meta[slots[row], PACKED] >> 1
        if newest == 0 or times[meta[slots[row], BASE] + meta[slots[row], FIRST]] <= at:
            continue
        block = newest
        while words[block + FIRST_MS] > at and words[block + OLDER] != newest:
            block = words[block + OLDER]
        if words[block + FIRST_MS] > at or words[block + LAST_MS] <= after:
            continue
        size = packed.decode(words, block, block_times, block_values, block_bits, 0)
        place = upper(block_times, 0, size, at) - 1
        if block_times[place] > after and block_bits[place] != STALE:
            present[row], out[row], out_times[row] = True, block_values[place], block_times[place]
