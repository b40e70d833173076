"""Hot loops that write to windows, compiled ahead. `windows.py` says what they do; tests hold twins."""

from __future__ import annotations

from numba import njit, types

from sentinel.machine import prefetch
from sentinel.store._block_kernels import block_of, drop_all, forget, insert, roomy
from sentinel.store._box_kernels import outranks
from sentinel.store._layout import (
    BASE,
    BITS,
    BLOCKS,
    COLUMNS,
    COUNT,
    DUPLICATE,
    FIRST,
    KEEP,
    LAST,
    META,
    OUT_OF_ORDER,
    OUTCOMES,
    PACKED,
    SERIAL,
    SERIES_LIMIT,
    SOURCES,
    STALE,
    STORED,
    TIMES,
    TOO_LATE,
    VALUES,
    WINDOWS,
    upper,
)
from sentinel.store._room_kernels import make_room, reachable, tidy
from sentinel.store._segment_kernels import CAPACITY, give
from sentinel.store.capacities import CHUNK_SHIFT

__all__ = [
    "BASE",
    "COLUMNS",
    "COUNT",
    "DUPLICATE",
    "FIRST",
    "KEEP",
    "LAST",
    "OUTCOMES",
    "OUT_OF_ORDER",
    "PACKED",
    "SERIAL",
    "SERIES_LIMIT",
    "SOURCES",
    "STORED",
    "TOO_LATE",
    "append",
    "begin",
    "keep",
    "release",
]
_AHEAD, _LINE = 24, 8
_BATCH = types.Tuple((TIMES, TIMES, VALUES, BITS))


@njit(
    types.int64(WINDOWS, BLOCKS, types.int64, types.int64, types.float64, types.uint64, types.int64),
    cache=True,
    nogil=True,
    _nrt=False,
)
def _insert_late(windows, blocks, slot, at, value, value_bits, horizon):  # type: ignore[no-untyped-def]
    """Put a sample that is not the newest in its place. The segment has room. Returns an outcome."""
    times, values, bits, meta, _, _ = windows
    begin = meta[slot, BASE] + meta[slot, FIRST]
    block = block_of(blocks, meta, slot, at)
    if block:
        return insert(windows, blocks, slot, block, at, value, value_bits, horizon)
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
    types.int64(TIMES, VALUES, BITS, META, types.int64, types.int64, types.float64, types.uint64),
    cache=True,
    nogil=True,
    _nrt=False,
)
def _replace_newest(times, values, bits, meta, slot, at, value, value_bits):  # type: ignore[no-untyped-def]
    """Nobody asks for this series: only its newest sample stays. Returns an outcome."""
    place = meta[slot, BASE] + meta[slot, FIRST] + meta[slot, COUNT] - 1
    meta[slot, PACKED] |= value_bits == STALE
    if at > meta[slot, LAST]:
        times[place], values[place], meta[slot, LAST] = at, value, at
        return STORED
    if at < meta[slot, LAST]:
        return OUT_OF_ORDER
    if outranks(value_bits, bits[place]):
        values[place] = value
    return DUPLICATE


@njit(inline="always")
def _look_ahead(times, values, meta, chunks, slots, row):  # type: ignore[no-untyped-def]
    """Bring near what the rows to come will touch, so that many of them wait for memory at once."""
    prefetch(meta, slots[row + 2 * _AHEAD] * COLUMNS)
    slot = slots[row + _AHEAD]
    base = meta[slot, BASE]
    place = base + meta[slot, FIRST] + meta[slot, COUNT]
    if place < base + chunks[base >> CHUNK_SHIFT, CAPACITY]:
        prefetch(times, place)
        prefetch(values, place)
        return
    while place > base:  # its samples are moved
        place = max(place - _LINE, base)
        prefetch(times, place)
        prefetch(values, place)


@njit(
    types.int64(WINDOWS, BLOCKS, _BATCH, types.int64, types.int64, types.int64, types.uint8[::1], TIMES),
    cache=True,
    nogil=True,
    _nrt=False,
)
def append(windows, blocks, batch, source, horizon, start, outcome, refed):  # type: ignore[no-untyped-def]
    """Append rows `start..` to their slots. Returns the row at which the slabs must grow, or the row count.

    `batch` is (slots, times, values, value bits). `outcome` gets one code per row; rows with slot -1 are
    passed over. `refed[0]` is set if a series that has samples was not fed by this source before.
    """
    times, values, bits, meta, chunks, _ = windows
    slots, new_times, new, new_bits = batch
    rows = slots.shape[0]
    for row in range(start, rows):
        if row + 2 * _AHEAD < rows:
            _look_ahead(times, values, meta, chunks, slots, row)
        slot, at = slots[row], new_times[row]
        if slot < 0:
            continue
        count = meta[slot, COUNT]
        if meta[slot, SOURCES] & source != source:
            meta[slot, SOURCES] |= source
            refed[0] |= count > 0
        newest = count == 0 or at > meta[slot, LAST]
        if meta[slot, KEEP] < 0 and count > 0:
            outcome[row] = _replace_newest(times, values, bits, meta, slot, at, new[row], new_bits[row])
            continue
        capacity = chunks[meta[slot, BASE] >> CHUNK_SHIFT, CAPACITY]
        if meta[slot, FIRST] + count >= capacity:
            tidied = tidy(times, values, bits, meta, slot, capacity, horizon)
            if not (tidied or make_room(windows, blocks, slot, horizon)):
                return row
        meta[slot, PACKED] |= new_bits[row] == STALE
        if newest:
            place = meta[slot, BASE] + meta[slot, FIRST] + meta[slot, COUNT]
            times[place], values[place], meta[slot, LAST] = at, new[row], at
            meta[slot, COUNT] += 1
            outcome[row] = STORED
        elif meta[slot, PACKED] > 1 and not roomy(windows, blocks):
            return row  # it may split a block
        else:
            outcome[row] = _insert_late(windows, blocks, slot, at, new[row], new_bits[row], horizon)
    return rows


@njit(types.void(META, TIMES, TIMES, TIMES), cache=True, nogil=True, _nrt=False)
def begin(meta, slots, keep_ms, serials):  # type: ignore[no-untyped-def]
    """Fresh windows at these slots, without samples."""
    for row in range(slots.shape[0]):
        for column in range(COLUMNS):
            meta[slots[row], column] = 0
        meta[slots[row], KEEP], meta[slots[row], SERIAL] = keep_ms[row], serials[row]


@njit(types.void(WINDOWS, BLOCKS, TIMES), cache=True, nogil=True, _nrt=False)
def release(windows, blocks, slots):  # type: ignore[no-untyped-def]
    """Give what these slots hold back."""
    times, _, _, meta, chunks, heads = windows
    for row in range(slots.shape[0]):
        slot = slots[row]
        drop_all(blocks, meta, slot)
        if meta[slot, BASE]:
            give(times, chunks, heads, meta[slot, BASE])
        for column in range(COLUMNS):
            meta[slot, column] = 0


@njit(types.int64(WINDOWS, BLOCKS, TIMES, TIMES, TIMES, types.int64), cache=True, nogil=True, _nrt=False)
def keep(windows, blocks, slots, keep_ms, horizons, start):  # type: ignore[no-untyped-def]
    """What rows `start..` keep from now on. Where it is more, what was forgotten until now is not seen again.

    Returns the row at which the slabs must grow, or the row count.
    """
    times, _, _, meta, _, _ = windows
    for row in range(start, slots.shape[0]):
        slot, before, after = slots[row], meta[slots[row], KEEP], keep_ms[row]
        if after > before and meta[slot, COUNT] > 0:
            first = meta[slot, FIRST] + meta[slot, COUNT] - 1
            if before >= 0:
                first = reachable(times, meta, slot, horizons[row])
            if first > meta[slot, FIRST] or before < 0:
                drop_all(blocks, meta, slot)
            elif not forget(windows, blocks, slot, horizons[row] - before):
                return row
            meta[slot, COUNT] -= first - meta[slot, FIRST]
            meta[slot, FIRST] = first
        elif after < 0:
            drop_all(blocks, meta, slot)
        meta[slot, KEEP] = after
    return slots.shape[0]
