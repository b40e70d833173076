"""Where segments of slabs lie: chunks of one capacity each, so that what one size frees another can use.

A slab has `chunks`, a row for each (see the column numbers), and `heads`: by size class the first chunk with
room, then how many chunks are nobody's and still take memory, the first that is nobody's, and where the
chunks in use end. Chunk 0 is never used, so 0 stands for none. Free segments of a chunk are chained through
the slab itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sentinel.store.capacities import CAPACITIES, CHUNK_SHIFT

SIZES = np.array(CAPACITIES, np.int64)
CHUNK = 1 << CHUNK_SHIFT
HEADS = len(CAPACITIES) + 3
IDLE, UNUSED, END = len(CAPACITIES), len(CAPACITIES) + 1, len(CAPACITIES) + 2

SIZE_CLASS, CAPACITY, LIVE, FRESH, FREE, NEXT, PREVIOUS, RETURNED = range(8)
"""FRESH: segments from here on have never been used; RETURNED: nobody's, and its memory is the system's."""
CHUNK_COLUMNS = 8

_AREA = "int64[::1], int64[:, ::1], int64[::1]"


@njit("int64(int64)", cache=True, nogil=True, _nrt=False)
def class_for(size):  # type: ignore[no-untyped-def]
    """The class of the smallest segments of that size; the largest class if there is none."""
    low, high = 0, SIZES.shape[0] - 1
    while low < high:
        middle = (low + high) >> 1
        if SIZES[middle] < size:
            low = middle + 1
        else:
            high = middle
    return low


@njit(f"int64({_AREA}, int64)", cache=True, nogil=True, _nrt=False)
def _take_chunk(links, chunks, heads, size_class):  # type: ignore[no-untyped-def]
    """A chunk for segments of a class, first among those with room; 0: the slab must grow."""
    chunk = heads[UNUSED]
    if chunk:
        heads[UNUSED] = chunks[chunk, NEXT]
        heads[IDLE] -= 1 - chunks[chunk, RETURNED]
    else:
        chunk = max(heads[END], 1)
        if (chunk + 1) * CHUNK > links.shape[0] or chunk >= chunks.shape[0]:
            return np.int64(0)
        heads[END] = chunk + 1
    for column in range(CHUNK_COLUMNS):
        chunks[chunk, column] = 0
    chunks[chunk, SIZE_CLASS], chunks[chunk, CAPACITY] = size_class, SIZES[size_class]
    heads[size_class] = chunk
    return chunk


@njit(f"int64({_AREA}, int64)", cache=True, nogil=True, _nrt=False)
def take(links, chunks, heads, size_class):  # type: ignore[no-untyped-def]
    """Where a segment of a class begins that nobody uses; 0: the slab must grow."""
    chunk = heads[size_class]
    if chunk == 0:
        chunk = _take_chunk(links, chunks, heads, size_class)
        if chunk == 0:
            return np.int64(0)
    capacity = chunks[chunk, CAPACITY]
    base = chunks[chunk, FREE]
    if base:
        chunks[chunk, FREE] = links[base]
    else:
        base = chunk * CHUNK + chunks[chunk, FRESH] * capacity
        chunks[chunk, FRESH] += 1
    chunks[chunk, LIVE] += 1
    if (chunks[chunk, LIVE] + 1) * capacity > CHUNK:
        following = chunks[chunk, NEXT]
        heads[size_class] = following
        chunks[following, PREVIOUS] = 0
        chunks[chunk, NEXT] = 0
    return base


@njit(f"void({_AREA}, int64)", cache=True, nogil=True, _nrt=False)
def give(links, chunks, heads, base):  # type: ignore[no-untyped-def]
    """A segment back; a chunk without any is free for another class."""
    chunk = base >> CHUNK_SHIFT
    size_class, capacity = chunks[chunk, SIZE_CLASS], chunks[chunk, CAPACITY]
    was_full = (chunks[chunk, LIVE] + 1) * capacity > CHUNK
    links[base] = chunks[chunk, FREE]
    chunks[chunk, FREE] = base
    chunks[chunk, LIVE] -= 1
    following, before = chunks[chunk, NEXT], chunks[chunk, PREVIOUS]
    if chunks[chunk, LIVE] == 0:
        if not was_full:
            chunks[following, PREVIOUS] = before
            if before:
                chunks[before, NEXT] = following
            else:
                heads[size_class] = following
        chunks[chunk, CAPACITY] = 0
        chunks[chunk, NEXT] = heads[UNUSED]
        heads[UNUSED] = chunk
        heads[IDLE] += 1
    elif was_full:
        following = heads[size_class]
        chunks[chunk, NEXT], chunks[chunk, PREVIOUS] = following, 0
        chunks[following, PREVIOUS] = chunk
        heads[size_class] = chunk
