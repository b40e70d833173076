"""Quantiles and fractions of classic histograms.

Histogram `i` is `[first[i], last[i])` of `bound` (upper, ascending) and `count` (cumulative). Both kernels
write to `bound` and `count`: buckets of one bound are added up in place.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_TOLERANCE = 1e-12
"""Counts whose relative distance is below this differ by rounding alone."""

_HISTOGRAMS = "i8[::1], i8[::1], f8[::1], f8[::1]"


@njit(f"i8({_HISTOGRAMS}, i8)", cache=True, nogil=True, error_model="numpy")
def coalesce(first, last, bound, count, row):  # type: ignore[no-untyped-def]
    """Adds up buckets of equal bounds; returns where the histogram ends then, or its start without +Inf."""
    assert 0 <= first[row] < last[row] <= len(bound)
    if bound[last[row] - 1] != math.inf:
        return first[row]
    end = first[row]
    for at in range(first[row] + 1, last[row]):
        if bound[at] == bound[end]:
            count[end] += count[at]
        else:
            end += 1
            bound[end], count[end] = bound[at], count[at]
    return end + 1


@njit("b1(f8, f8)", cache=True, nogil=True, error_model="numpy")
def _alike(a, b):  # type: ignore[no-untyped-def]
    return a == b or abs(a - b) < _TOLERANCE * min(abs(a) + abs(b), 1.7976931348623157e308)


@njit(f"void({_HISTOGRAMS}, i8, i8, f8[::1])", cache=True, nogil=True, error_model="numpy")
def flatten(first, last, bound, count, row, end, fixed):  # type: ignore[no-untyped-def]
    """Takes out falls of the cumulative count; `fixed` gets lowest and highest bound and largest fall."""
    before = count[first[row]]
    for at in range(first[row] + 1, end):
        now = count[at]
        if _alike(before, now):
            count[at] = before
        elif now < before:
            count[at] = before
            fixed[0] = min(fixed[0], bound[at])
            fixed[1] = max(fixed[1], bound[at])
            fixed[2] = max(fixed[2], before - now)
        else:
            before = now


@njit(f"f8[::1]({_HISTOGRAMS}, f8, f8[:, ::1])", cache=True, nogil=True, error_model="numpy")
def quantiles(first, last, bound, count, q, fixed):  # type: ignore[no-untyped-def]
    """Linear interpolation within the bucket of the rank. `fixed` (rows of inf, -inf, 0) see `flatten`."""
    out = np.full(len(first), math.nan)
    for row in range(len(first)):
        if math.isnan(q) or q < 0.0 or q > 1.0:
            out[row] = math.nan if math.isnan(q) else math.copysign(math.inf, q)
            continue
        begin, end = first[row], coalesce(first, last, bound, count, row)
        if end == begin:
            continue
        flatten(first, last, bound, count, row, end, fixed[row])
        total = count[end - 1]
        if end - begin < 2 or total == 0.0 or math.isnan(total):
            continue
        rank = q * total
        at = begin
        while at < end - 1 and count[at] < rank:
            at += 1
        if at == end - 1:
            out[row] = bound[end - 2]
        elif at == begin and bound[at] <= 0.0:
            out[row] = bound[at]
        else:
            low = bound[at - 1] if at > begin else 0.0
            below = count[at - 1] if at > begin else 0.0
            out[row] = low + (bound[at] - low) * ((rank - below) / (count[at] - below))
    return out


@njit("f8(f8, f8, f8, f8, f8)", cache=True, nogil=True, error_model="numpy")
def _below(value, low, high, rank, count):  # type: ignore[no-untyped-def]
    """The observations below a value in (low, high], the bucket that takes the count from `rank` on."""
    if low == -math.inf:
        return count
    return rank + (count - rank) * (value - low) / (high - low)


@njit(f"f8({_HISTOGRAMS}, i8, i8, f8)", cache=True, nogil=True, error_model="numpy")
def rank_of(first, last, bound, count, row, end, value):  # type: ignore[no-untyped-def]
    """How many observations lie below a value."""
    begin, rank = first[row], 0.0
    low = 0.0 if bound[begin] > 0.0 else -math.inf
    for at in range(begin, end):
        if low >= value:
            return rank
        if bound[at] > value:
            return _below(value, low, bound[at], rank, count[at])
        low, rank = bound[at], count[at]
    return count[end - 1]


@njit(f"f8[::1]({_HISTOGRAMS}, f8, f8)", cache=True, nogil=True, error_model="numpy")
def fractions(first, last, bound, count, lower, upper):  # type: ignore[no-untyped-def]
    """The share of observations between two values."""
    out = np.full(len(first), math.nan)
    for row in range(len(first)):
        end = coalesce(first, last, bound, count, row)
        total = count[end - 1] if end > first[row] else 0.0
        if total == 0.0 or math.isnan(lower) or math.isnan(upper):
            continue
        if lower >= upper:
            out[row] = 0.0
            continue
        high = min(rank_of(first, last, bound, count, row, end, upper), total)
        low = min(rank_of(first, last, bound, count, row, end, lower), total)
        out[row] = (high - low) / total
    return out
