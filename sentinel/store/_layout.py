"""How windows lie in memory: the columns of `meta`, and what the kernels of the store get to work on.

Kernels over these tuples count no references (`_nrt`): they allocate nothing, and counting those of each
array of a tuple at every call costs as much as the call.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

BASE, FIRST, COUNT, KEEP, LAST, SOURCES, SERIAL, PACKED = range(8)
"""By slot. BASE: where its segment begins, 0: it has none; FIRST: of its samples, from BASE on.

PACKED: twice the place of its newest packed block (0: nothing is packed), and one more if there may be a
staleness marker in its segment.
"""
COLUMNS = 8

STORED, DUPLICATE, OUT_OF_ORDER, TOO_LATE, SERIES_LIMIT = range(5)
OUTCOMES = 5

STALE = np.uint64(0x7FF0000000000002)

TIMES, VALUES, BITS = types.int64[::1], types.float64[::1], types.uint64[::1]
META = types.int64[:, ::1]
WINDOWS = types.Tuple((TIMES, VALUES, BITS, META, META, TIMES))
"""(times, values, the values' bits, meta, chunks, heads)"""
BLOCKS = types.Tuple((TIMES, META, TIMES, TIMES, VALUES, BITS, TIMES, TIMES))
"""(words, their chunks and heads; times, values and their bits of blocks unpacked; a block to be; numbers)

The last of `numbers` is how many blocks hold boxes.
"""


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
