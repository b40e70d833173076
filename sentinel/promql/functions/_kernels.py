"""Loops over the samples of range vectors, straight over the store's slabs.

Row `i` of a range vector is `[first[i], last[i])` of `time` (ms) and `value`; rows are not empty and, but for
the kernel that takes markers out, hold no staleness marker. Spans that reach outside the slabs are an
AssertionError: they would be our own bug. Sums are compensated (Neumaier), divisions as IEEE 754 has them.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sentinel.machine import prefetch

_AHEAD, _LINE = 32, 8
_SPANS = "i8[::1], i8[::1]"
_SLABS = "i8[::1], f8[::1]"
_FOLD = f"f8[::1]({_SPANS}, f8[::1])"


@njit(f"void({_SPANS}, i8)", cache=True, nogil=True, error_model="numpy")
def check_spans(first, last, size):  # type: ignore[no-untyped-def]
    for row in range(len(first)):
        assert first[row] >= 0 and last[row] <= size


@njit(
    f"i8[::1]({_SPANS}, {_SLABS}, u8[::1], u8, i8[::1], f8[::1])", cache=True, nogil=True, error_model="numpy"
)
def copy_samples(first, last, time, value, bits, marker, time_to, value_to):  # type: ignore[no-untyped-def]
    """Copies all samples that are no markers, row by row; returns where each row ends."""
    check_spans(first, last, len(value))
    ends = np.empty(len(first), np.int64)
    to = 0
    for row in range(len(first)):
        for at in range(first[row], last[row]):
            if bits[at] != marker:
                time_to[to], value_to[to] = time[at], value[at]
                to += 1
        ends[row] = to
    return ends


@njit("UniTuple(f8, 2)(f8, f8, f8)", cache=True, nogil=True, error_model="numpy")
def add(value, total, lost):  # type: ignore[no-untyped-def]
    """One step of a compensated sum: the new total and what rounding has lost of it."""
    new = total + value
    if math.isinf(new):
        return new, 0.0
    if abs(total) >= abs(value):
        return new, lost + ((total - new) + value)
    return new, lost + ((value - new) + total)


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def sums(first, last, value):  # type: ignore[no-untyped-def]
    check_spans(first, last, len(value))
    out = np.empty(len(first))
    for row in range(len(first)):
        total, lost = 0.0, 0.0
        for at in range(first[row], last[row]):
            total, lost = add(value[at], total, lost)
        out[row] = total + lost
    return out


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def averages(first, last, value):  # type: ignore[no-untyped-def]
    """Sum by count; a row whose sum overflows goes on as a running mean."""
    check_spans(first, last, len(value))
    out = np.empty(len(first))
    for row in range(len(first)):
        total, lost, count, running = value[first[row]], 0.0, 1.0, False
        for at in range(first[row] + 1, last[row]):
            count += 1.0
            if not running:
                new, low = add(value[at], total, lost)
                if not math.isinf(new):
                    total, lost = new, low
                    continue
                running = True
                total, lost = total / (count - 1.0), lost / (count - 1.0)
            share = (count - 1.0) / count
            total, lost = add(value[at] / count, share * total, share * lost)
        out[row] = total + lost if running else total / count + lost / count
    return out


@njit(f"i8[::1]({_SPANS}, f8[::1], b1, b1)", cache=True, nogil=True, error_model="numpy")
def extremes(first, last, value, highest, latest):  # type: ignore[no-untyped-def]
    """Slab position of each row's smallest or greatest value; NaN only where there is no number.

    Of equal values the first counts, or the `latest`.
    """
    check_spans(first, last, len(value))
    out = np.empty(len(first), np.int64)
    for row in range(len(first)):
        best = first[row]
        for at in range(first[row], last[row]):
            better = value[at] > value[best] if highest else value[at] < value[best]
            if better or math.isnan(value[best]) or (latest and value[at] == value[best]):
                best = at
        out[row] = best
    return out


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def variances(first, last, value):  # type: ignore[no-untyped-def]
    """Population variance by Welford's method, compensated."""
    check_spans(first, last, len(value))
    out = np.empty(len(first))
    for row in range(len(first)):
        mean, mean_lost, spread, spread_lost, count = 0.0, 0.0, 0.0, 0.0, 0.0
        for at in range(first[row], last[row]):
            count += 1.0
            delta = value[at] - (mean + mean_lost)
            mean, mean_lost = add(delta / count, mean, mean_lost)
            spread, spread_lost = add(delta * (value[at] - (mean + mean_lost)), spread, spread_lost)
        out[row] = (spread + spread_lost) / count
    return out


@njit(f"f8[::1]({_SPANS}, f8[::1], b1)", cache=True, nogil=True, error_model="numpy")
def changes(first, last, value, falls_only):  # type: ignore[no-untyped-def]
    """How often the value changes from one sample to the next, or only how often it falls."""
    check_spans(first, last, len(value))
    out = np.zeros(len(first))
    for row in range(len(first)):
        for at in range(first[row] + 1, last[row]):
            before, now = value[at - 1], value[at]
            if falls_only:
                out[row] += now < before
            else:
                out[row] += now != before and not (math.isnan(now) and math.isnan(before))
    return out


@njit(f"f8[::1]({_SPANS}, {_SLABS}, i8, i8, b1, f8)", cache=True, nogil=True, error_model="numpy")
def increases(first, last, time, value, start, end, counter, seconds):  # type: ignore[no-untyped-def]
    """By how much each row (of two samples at least) grew, extrapolated to [start, end], by `seconds`.

    The range is filled up to a boundary closer than 1.1 mean distances between samples, otherwise by half a
    distance. A counter's falls add the value before; it is not extrapolated to below zero. The division comes
    before the growth, as in Prometheus: tests of rules compare to the last bit.
    """
    check_spans(first, last, len(value))
    out = np.empty(len(first))
    for row in range(-_AHEAD, len(first)):
        if row + _AHEAD < len(first):
            prefetch(time, first[row + _AHEAD])
            prefetch(time, last[row + _AHEAD] - 1)
            for at in range(first[row + _AHEAD], last[row + _AHEAD], _LINE):
                prefetch(value, at)
        if row < 0:
            continue
        begin, final = first[row], last[row] - 1
        growth = value[final] - value[begin]
        if counter:
            for at in range(begin + 1, final + 1):
                raised = growth + value[at - 1]
                growth = raised if value[at] < value[at - 1] else growth  # no jump: who knows which way
        covered = (time[final] - time[begin]) / 1000.0
        before, after = (time[begin] - start) / 1000.0, (end - time[final]) / 1000.0
        distance = covered / (final - begin)
        if before >= 1.1 * distance:
            before = distance / 2.0
        if counter and growth > 0.0 and value[begin] >= 0.0:
            before = min(before, covered * (value[begin] / growth))
        if after >= 1.1 * distance:
            after = distance / 2.0
        factor = (covered + before + after) / covered if covered != 0.0 else 1.0
        out[row] = growth * (factor / seconds)
    return out


@njit(f"UniTuple(f8[::1], 2)({_SPANS}, {_SLABS}, i8[::1])", cache=True, nogil=True, error_model="numpy")
def regressions(first, last, time, value, origin):  # type: ignore[no-untyped-def]
    """Least-squares slope per second and the value at `origin` (ms, by row)."""
    check_spans(first, last, len(value))
    slope, intercept = np.empty(len(first)), np.empty(len(first))
    for row in range(len(first)):
        begin, n = first[row], float(last[row] - first[row])
        constant = True
        x, x_lost, y, y_lost, xy, xy_lost, xx, xx_lost = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for at in range(begin, last[row]):
            constant = constant and (at == begin or value[at] == value[begin])
            seconds = (time[at] - origin[row]) / 1000.0
            x, x_lost = add(seconds, x, x_lost)
            y, y_lost = add(value[at], y, y_lost)
            xy, xy_lost = add(seconds * value[at], xy, xy_lost)
            xx, xx_lost = add(seconds * seconds, xx, xx_lost)
        if constant:
            finite = not math.isinf(value[begin])
            slope[row], intercept[row] = (0.0, value[begin]) if finite else (math.nan, math.nan)
            continue
        x, y, xy, xx = x + x_lost, y + y_lost, xy + xy_lost, xx + xx_lost
        slope[row] = (xy - x * y / n) / (xx - x * x / n)
        intercept[row] = y / n - slope[row] * x / n
    return slope, intercept


@njit(f"f8[::1]({_SPANS}, f8[::1], f8, f8)", cache=True, nogil=True, error_model="numpy")
def smoothed(first, last, value, level_weight, trend_weight):  # type: ignore[no-untyped-def]
    """Holt's double exponential smoothing of rows of two samples at least."""
    check_spans(first, last, len(value))
    out = np.empty(len(first))
    for row in range(len(first)):
        begin = first[row]
        level, trend = value[begin], value[begin + 1] - value[begin]
        previous = level
        for at in range(begin + 1, last[row]):
            if at > begin + 1:
                trend = trend_weight * (level - previous) + (1.0 - trend_weight) * trend
            previous = level
            level = level_weight * value[at] + (1.0 - level_weight) * (level + trend)
        out[row] = level
    return out


@njit(f"f8[::1]({_SPANS}, f8[::1])", cache=True, nogil=True, error_model="numpy")
def sorted_values(first, last, value):  # type: ignore[no-untyped-def]
    """The values of all rows one after the other, each row in ascending order with NaN first."""
    check_spans(first, last, len(value))
    out = np.empty((last - first).sum())
    to = 0
    for row in range(len(first)):
        ordered = np.sort(value[first[row] : last[row]])
        nans = 0
        while nans < len(ordered) and math.isnan(ordered[len(ordered) - 1 - nans]):
            nans += 1
        for at in range(len(ordered)):
            out[to] = math.nan if at < nans else ordered[at - nans]
            to += 1
    return out
