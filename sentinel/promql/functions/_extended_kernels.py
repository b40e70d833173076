"""Loops over range vectors that reach beyond their range: `anchored` and `smoothed` ones.

As in `_kernels`, row `i` is `[first[i], last[i])` of `time` (ms) and `value`, never empty.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sentinel.promql.functions._kernels import check_spans

_SPANS = "i8[::1], i8[::1]"


@njit(f"i8[::1]({_SPANS}, i8[::1], i8)", cache=True, nogil=True, error_model="numpy")
def anchors(first, last, time, start):  # type: ignore[no-untyped-def]
    """By row, the place of the last sample at or before the start; of the first one if there is none."""
    check_spans(first, last, len(time))
    out = np.empty(len(first), np.int64)
    for row in range(len(first)):
        at = first[row]
        while at + 1 < last[row] and time[at + 1] <= start:
            at += 1
        out[row] = at
    return out


@njit("f8(i8[::1], f8[::1], i8, i8, b1)", cache=True, nogil=True, error_model="numpy")
def _between(time, value, at, when, counter):  # type: ignore[no-untyped-def]
    """The value at a time between samples `at` and `at + 1`; a counter that fell began at zero."""
    before, after = value[at], value[at + 1]
    if counter and after < before:
        before = 0.0
    return before + (after - before) * (when - time[at]) / (time[at + 1] - time[at])


@njit(f"f8[::1]({_SPANS}, i8[::1], f8[::1], i8, i8, b1, b1)", cache=True, nogil=True, error_model="numpy")
def increases(first, last, time, value, start, end, counter, smoothed):  # type: ignore[no-untyped-def]
    """By how much each row grew from start to end.

    Its values there are those of the samples before, or (`smoothed`) lie on the line to the next sample. Each
    row has a sample after the start, and a smoothed one also one at or before the end.
    """
    begin = anchors(first, last, time, start)
    out = np.empty(len(first))
    for row in range(len(first)):
        low, high = begin[row], last[row] - 1
        if smoothed:
            high = low
            while high < last[row] - 1 and time[high] < end:
                high += 1
        left, right = value[low], value[high]
        if smoothed and time[low] < start:
            left = _between(time, value, low, start, counter)
        if smoothed and high > first[row] and time[high] > end:
            right = _between(time, value, high - 1, end, counter)
        out[row] = right - left
        if not counter:
            continue
        before = left
        for at in range(low + (time[low] <= start), high + (time[high] < end)):
            if value[at] < before:
                out[row] += before
            before = value[at]
        if right < before:
            out[row] += before
    return out
