"""Hot loops of the store, compiled ahead. `windows.py` and `lookup.py` say what they do; tests hold twins.

A row of `meta` describes one slot (see the column numbers); all windows live as segments in two slabs, of the
capacities of `capacities.py`. Free segments of one capacity are chained through the time slab.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.store._box_kernels import outranks
from sentinel.store.capacities import CAPACITIES, SLACK_SHIFT

_CAPACITIES = np.array(CAPACITIES, np.int64)

BASE, CAPACITY, FIRST, COUNT, KEEP, LAST, SOURCES, SERIAL = range(8)
COLUMNS = 8

STORED, DUPLICATE, OUT_OF_ORDER, TOO_LATE, SERIES_LIMIT = range(5)
OUTCOMES = 5

STALE = np.uint64(0x7FF0000000000002)

TIMES, VALUES, BITS = types.int64[::1], types.float64[::1], types.uint64[::1]


@njit("int64(int64[::1], int64, int64, int64)", cache=True, nogil=True)
def upper(times, first, last, at):  # type: ignore[no-untyped-def]
    """Position of the first time > at in times[first:last]."""
    while first < last and last - first > 4:
        middle = (first + last) >> 1
        if times[middle] > at:
            last = middle
        else:
            first = middle + 1
    while first < last and times[first] <= at:
        first += 1
    return first


@njit("int64(int64[::1], int64[::1], int64)", cache=True, nogil=True)
def _take_segment(times, free, size_class):  # type: ignore[no-untyped-def]
    """Base of a segment of a capacity, or -1: the slab is full. `free[-1]` is the end in use."""
    head = free[size_class]
    if head >= 0:
        free[size_class] = times[head]
        return head
    base = free[free.shape[0] - 1]
    if base + _CAPACITIES[size_class] > times.shape[0]:
        return np.int64(-1)
    free[free.shape[0] - 1] = base + _CAPACITIES[size_class]
    return base


@njit("boolean(int64[::1], float64[::1], int64[:, ::1], int64[::1], int64, int64)", cache=True, nogil=True)
def _make_room(times, values, meta, free, slot, horizon):  # type: ignore[no-untyped-def]
    """Room for one more sample at the end of a full segment; False when the slab must grow first."""
    base, capacity = meta[slot, BASE], meta[slot, CAPACITY]
    first, count = meta[slot, FIRST], meta[slot, COUNT]
    if count > 0:  # forget what no evaluation at or after the horizon can reach, but the newest of it
        begin = base + first
        old = upper(times, begin, begin + count, horizon - max(meta[slot, KEEP], 0)) - begin - 1
        if old > 0:
            first += old
            count -= old
    if capacity > 0 and count <= capacity - max(capacity >> SLACK_SHIFT, 1):
        for i in range(count):
            times[base + i] = times[base + first + i]
            values[base + i] = values[base + first + i]
        meta[slot, FIRST], meta[slot, COUNT] = 0, count
        return True
    size_class = 0
    while _CAPACITIES[size_class] <= capacity:
        size_class += 1
    target = _take_segment(times, free, size_class)
    if target < 0:
        return False
    for i in range(count):
        times[target + i] = times[base + first + i]
        values[target + i] = values[base + first + i]
    if capacity > 0:
        times[base] = free[size_class - 1]
        free[size_class - 1] = base
    meta[slot, BASE], meta[slot, CAPACITY] = target, _CAPACITIES[size_class]
    meta[slot, FIRST], meta[slot, COUNT] = 0, count
    return True


@njit(
    "int64(int64[::1], float64[::1], uint64[::1], int64[:, ::1], int64, int64, float64, uint64, int64)",
    cache=True,
    nogil=True,
)
def _insert_late(times, values, bits, meta, slot, at, value, value_bits, horizon):  # type: ignore[no-untyped-def]
    """Put a sample that is not the newest in its place. The segment has room. Returns an outcome."""
    begin = meta[slot, BASE] + meta[slot, FIRST]
    end = begin + meta[slot, COUNT]
    place = upper(times, begin, end, at)
    if place < end and times[place] <= horizon - meta[slot, KEEP]:
        return TOO_LATE  # something newer is already older than any evaluation to come needs
    if place > begin and times[place - 1] == at:
        if outranks(value_bits, bits[place - 1]):
            values[place - 1] = value
        return DUPLICATE
    for i in range(end, place, -1):
        times[i] = times[i - 1]
        values[i] = values[i - 1]
    times[place], values[place] = at, value
    meta[slot, COUNT] += 1
    return STORED


@njit(
    "int64(float64[::1], int64[::1], uint64[::1], int64[:, ::1], int64, int64, float64, uint64)",
    cache=True,
    nogil=True,
)
def _replace_newest(values, times, bits, meta, slot, at, value, value_bits):  # type: ignore[no-untyped-def]
    """Nobody asks for this series: only its newest sample stays. Returns an outcome."""
    place = meta[slot, BASE] + meta[slot, FIRST] + meta[slot, COUNT] - 1
    if at > meta[slot, LAST]:
        times[place], values[place], meta[slot, LAST] = at, value, at
        return STORED
    if at < meta[slot, LAST]:
        return OUT_OF_ORDER
    if outranks(value_bits, bits[place]):
        values[place] = value
    return DUPLICATE


_WINDOWS = types.Tuple((TIMES, VALUES, BITS, types.int64[:, ::1], TIMES))
_BATCH = types.Tuple((TIMES, TIMES, VALUES, BITS))


@njit(
    types.int64(_WINDOWS, _BATCH, types.int64, types.int64, types.int64, types.uint8[::1]),
    cache=True,
    nogil=True,
)
def append(windows, batch, source, horizon, start, outcome):  # type: ignore[no-untyped-def]
    """Append rows `start..` to their slots. Returns the row at which the slab must grow, or the row count.

    `windows` is (times, values, value bits, meta, free), `batch` (slots, times, values, value bits).
    `outcome` gets one code per row; rows with slot -1 are passed over.
    """
    times, values, bits, meta, free = windows
    slots, sample_times, sample_values, sample_bits = batch
    for row in range(start, slots.shape[0]):
        slot = slots[row]
        if slot < 0:
            continue
        at = sample_times[row]
        meta[slot, SOURCES] |= source
        count = meta[slot, COUNT]
        newest = count == 0 or at > meta[slot, LAST]
        if meta[slot, KEEP] < 0 and count > 0:
            outcome[row] = _replace_newest(
                values, times, bits, meta, slot, at, sample_values[row], sample_bits[row]
            )
            continue
        if meta[slot, FIRST] + count >= meta[slot, CAPACITY]:
            if not _make_room(times, values, meta, free, slot, horizon):
                return row
            count = meta[slot, COUNT]
        if newest:
            place = meta[slot, BASE] + meta[slot, FIRST] + count
            times[place], values[place] = at, sample_values[row]
            meta[slot, LAST] = at
            meta[slot, COUNT] = count + 1
            outcome[row] = STORED
        else:
            outcome[row] = _insert_late(
                times, values, bits, meta, slot, at, sample_values[row], sample_bits[row], horizon
            )
    return slots.shape[0]


@njit(
    "void(int64[::1], float64[::1], uint64[::1], int64[:, ::1], int64[::1], int64, int64,"
    " boolean[::1], float64[::1], int64[::1])",
    cache=True,
    nogil=True,
)
def latest(times, values, bits, meta, slots, at, after, present, out, out_times):  # type: ignore[no-untyped-def]
    """The newest sample in (after, at] of each slot; a staleness marker is no sample."""
    for row in range(slots.shape[0]):
        slot = slots[row]
        begin = meta[slot, BASE] + meta[slot, FIRST]
        place = begin + meta[slot, COUNT] - 1
        if place >= begin and times[place] > at:
            place = upper(times, begin, place, at) - 1
        if place >= begin and times[place] > after and bits[place] != STALE:
            present[row] = True
            out[row] = values[place]
            out_times[row] = times[place]


@njit(
    "void(int64[::1], int64[:, ::1], int64[::1], int64, int64, int64[::1], int64[::1])",
    cache=True,
    nogil=True,
)
def spans(times, meta, slots, after, to, first, last):  # type: ignore[no-untyped-def]
    """Slab positions [first, last) of the samples in (after, to] of each slot."""
    for row in range(slots.shape[0]):
        slot = slots[row]
        begin = meta[slot, BASE] + meta[slot, FIRST]
        end = begin + meta[slot, COUNT]
        first[row] = upper(times, begin, end, after)
        last[row] = end if end > begin and times[end - 1] <= to else upper(times, first[row], end, to)


@njit(
    types.Tuple((types.int64, types.int64, types.int64))(
        TIMES, BITS, types.int64[:, ::1], TIMES, types.int64, types.int64, TIMES, TIMES
    ),
    cache=True,
    nogil=True,
)
def survey(times, bits, meta, slots, after, to, first, last):  # type: ignore[no-untyped-def]
    """As `spans`; returns how many samples there are, the fewest of a slot, and whether any is a marker."""
    spans(times, meta, slots, after, to, first, last)
    total, least, marked = np.int64(0), np.int64(1) << 62, np.int64(0)
    for row in range(slots.shape[0]):
        count = last[row] - first[row]
        total += count
        least = min(least, count)
        if marked == 0:
            for at in range(first[row], last[row]):
                if bits[at] == STALE:
                    marked = np.int64(1)
                    break
    return total, least, marked


@njit(types.int64(TIMES, VALUES, types.int64[:, ::1], TIMES, VALUES), cache=True, nogil=True)
def pack(times, values, meta, new_times, new_values):  # type: ignore[no-untyped-def]
    """Move all segments to the front of other slabs; returns where they end."""
    end = np.int64(0)
    for slot in range(meta.shape[0]):
        if meta[slot, CAPACITY] == 0:
            continue
        begin = meta[slot, BASE] + meta[slot, FIRST]
        for i in range(meta[slot, COUNT]):
            new_times[end + i] = times[begin + i]
            new_values[end + i] = values[begin + i]
        meta[slot, BASE], meta[slot, FIRST] = end, 0
        end += meta[slot, CAPACITY]
    return end


@njit("void(int64[::1], int64[:, ::1], int64[::1], int64[::1])", cache=True, nogil=True)
def release(times, meta, free, slots):  # type: ignore[no-untyped-def]
    """Give the segments of these slots back."""
    for row in range(slots.shape[0]):
        slot = slots[row]
        capacity = meta[slot, CAPACITY]
        if capacity > 0:
            size_class = 0
            while _CAPACITIES[size_class] < capacity:
                size_class += 1
            times[meta[slot, BASE]] = free[size_class]
            free[size_class] = meta[slot, BASE]
        for column in range(COLUMNS):
            meta[slot, column] = 0
