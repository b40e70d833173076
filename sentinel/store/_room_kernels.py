"""Room for one more sample in a full segment: by forgetting, by packing or by growing. Compiled ahead."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.store._block_kernels import drop_all, expire, roomy, seal
from sentinel.store._layout import (
    BASE,
    BITS,
    BLOCKS,
    COUNT,
    FIRST,
    KEEP,
    LAST,
    META,
    PACKED,
    STALE,
    TIMES,
    VALUES,
    WINDOWS,
    upper,
)
from sentinel.store._segment_kernels import CAPACITY, SIZES, class_for, give, take
from sentinel.store.capacities import CHUNK_SHIFT, KEPT, LONG, SHORT, SLACK_SHIFT

_PHASES = 16
"""So many slots in a row begin to pack at different samples, so that not all have to do it at once."""
_MOST = LONG - (LONG >> SLACK_SHIFT)
"""A window of so many samples is packed in part."""
_ENOUGH = 4
"""From so many samples on it is foreseen how many a window will hold, if at most 8 times as many."""


@njit(
    types.void(TIMES, VALUES, BITS, META, types.int64, types.int64, types.int64),
    cache=True,
    nogil=True,
    forceinline=True,
    _nrt=False,
)
def _move(times, values, bits, meta, slot, target, first):  # type: ignore[no-untyped-def]
    """A window's samples from `first` on to another segment, or to the front of its own."""
    count = meta[slot, COUNT] - (first - meta[slot, FIRST])
    begin = meta[slot, BASE] + first
    marked = False
    for i in range(count):
        times[target + i] = times[begin + i]
        values[target + i] = values[begin + i]
    if meta[slot, PACKED] & 1:
        for i in range(target, target + count):
            marked = marked or bits[i] == STALE
    meta[slot, BASE], meta[slot, FIRST], meta[slot, COUNT] = target, 0, count
    meta[slot, PACKED] = (meta[slot, PACKED] >> 1 << 1) | marked


@njit(
    types.int64(TIMES, META, types.int64, types.int64), cache=True, nogil=True, forceinline=True, _nrt=False
)
def reachable(times, meta, slot, horizon):  # type: ignore[no-untyped-def]
    """FIRST without what no evaluation at or after the horizon can reach: all but the newest of it."""
    count, first = meta[slot, COUNT], meta[slot, FIRST]
    begin = meta[slot, BASE] + first
    reach = horizon - max(meta[slot, KEEP], 0)
    if count == 0 or times[begin] > reach:
        return first
    return upper(times, begin, begin + count, reach) - 1 - meta[slot, BASE]


@njit(
    types.boolean(TIMES, VALUES, BITS, META, types.int64, types.int64, types.int64),
    cache=True,
    nogil=True,
    forceinline=True,
    _nrt=False,
)
def tidy(times, values, bits, meta, slot, capacity, horizon):  # type: ignore[no-untyped-def]
    """Room by forgetting alone; False if that is not enough, or something is packed, too."""
    if capacity == 0 or meta[slot, PACKED] > 1:
        return False
    first = reachable(times, meta, slot, horizon)
    if meta[slot, COUNT] - (first - meta[slot, FIRST]) > capacity - max(capacity >> SLACK_SHIFT, 1):
        return False
    _move(times, values, bits, meta, slot, meta[slot, BASE], first)
    return True


@njit(types.int64(WINDOWS, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def _foreseen(windows, slot, horizon):  # type: ignore[no-untyped-def]
    """How many samples a full window will hold: those of the time that is kept, at the pace of those here."""
    times, _, _, meta, _, _ = windows
    count, newest, keep = meta[slot, COUNT], meta[slot, LAST], meta[slot, KEEP]
    if count < _ENOUGH:
        return np.int64(_ENOUGH if count > 1 else 2)
    passed = newest - times[meta[slot, BASE] + meta[slot, FIRST]]
    if newest - horizon < keep:  # samples stay until they are evaluated, too
        keep += max(newest - horizon, 0)
    if passed <= 0 or keep // 8 > passed:
        return 8 * count
    return min(np.int64(np.ceil(np.float64(keep) * (count - 1) / passed)) + 1, 8 * count)


@njit(types.int64(types.int64, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def _next_class(foreseen, count, capacity):  # type: ignore[no-untyped-def]
    """The class of the segment to grow into; its capacity is LONG at most."""
    if count < _ENOUGH:
        return class_for(max(foreseen, capacity + 1))
    found = class_for(min(foreseen, LONG))
    while SIZES[found] - max(SIZES[found] >> SLACK_SHIFT, 1) <= foreseen and SIZES[found] < LONG:
        found += 1
    return max(found, class_for(capacity + 1))


@njit(types.boolean(WINDOWS, BLOCKS, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def make_room(windows, blocks, slot, horizon):  # type: ignore[no-untyped-def]
    """Room whatever it takes; False when the slabs must grow first."""
    times, values, bits, meta, chunks, heads = windows
    base = meta[slot, BASE]
    capacity = chunks[base >> CHUNK_SHIFT, CAPACITY] if base else np.int64(0)
    first = reachable(times, meta, slot, horizon)
    count = meta[slot, COUNT] - (first - meta[slot, FIRST])
    if first > meta[slot, FIRST]:
        drop_all(blocks, meta, slot)
    elif count and meta[slot, PACKED] >> 1:
        expire(windows, blocks, slot, horizon - max(meta[slot, KEEP], 0))
    if capacity > 0 and count <= capacity - max(capacity >> SLACK_SHIFT, 1):
        _move(times, values, bits, meta, slot, base, first)
        return True
    if not roomy(windows, blocks):
        return False
    meta[slot, FIRST], meta[slot, COUNT] = first, count
    foreseen, target = _foreseen(windows, slot, horizon), base
    if capacity >= LONG or (capacity >= SHORT and (meta[slot, PACKED] >> 1 or foreseen >= _MOST)):
        seal(windows, blocks, slot, count - KEPT - (0 if meta[slot, PACKED] >> 1 else slot % _PHASES))
        if capacity > SHORT:
            target = take(times, chunks, heads, class_for(SHORT))
    else:
        target = take(times, chunks, heads, _next_class(foreseen, count, capacity))
    _move(times, values, bits, meta, slot, target, meta[slot, FIRST])
    if base and target != base:
        give(times, chunks, heads, base)
    return True
