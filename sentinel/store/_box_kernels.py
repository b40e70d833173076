"""Loops of the store over the boxes of native histograms (see `model.histogram`), compiled ahead."""

from __future__ import annotations

import numpy as np
from numba import njit

from sentinel.model.histogram import BOX_BITS

_BOX, _MASK = np.uint64(BOX_BITS), np.uint64(0xFFFF_FFFF_0000_0000)


@njit("boolean(uint64, uint64)", cache=True, nogil=True, _nrt=False)
def outranks(bits, held):  # type: ignore[no-untyped-def]
    """Of two values for one time the larger bit pattern stays, so that the order of arrival cannot matter.

    The numbers of boxes say nothing of what is in them: which histogram stays is the store's to say.
    """
    return bits > held and not ((bits & _MASK) == _BOX and (held & _MASK) == _BOX)


@njit("void(uint64[::1], int64[::1], int64[::1], boolean[::1])", cache=True, nogil=True, _nrt=False)
def mark_boxes(bits, first, last, found):  # type: ignore[no-untyped-def]
    """Sets `found` at the number of each box in spans [first, last); other numbers are somebody's mistake."""
    for row in range(first.shape[0]):
        for place in range(first[row], last[row]):
            if (bits[place] & _MASK) == _BOX:
                number = np.int64(bits[place] & ~_MASK)
                if number < found.shape[0]:
                    found[number] = True
