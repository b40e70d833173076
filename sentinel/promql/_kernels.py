"""Loops over the rows of a vector by group: what numpy has no single call for.

Sums are compensated (Neumaier) and run in row order, so a result depends on the order of fingerprints only.
`group` holds a group number below `groups` for each row.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_INT64S, _INT32S, _FLOATS = "i8[::1]", "i4[::1]", "f8[::1]"
_FOLD = f"{_FLOATS}({_FLOATS}, {_INT32S}, i8)"


@njit(f"i8({_INT64S}, {_INT32S}, {_INT32S}, {_INT64S})", cache=True, nogil=True, error_model="numpy")
def number_groups(ids, place, group, members):  # type: ignore[no-untyped-def]
    """Numbers the distinct ids in the order in which they appear; returns how many there are.

    `place` has room for a number by id, whatever it holds. Fills `group` (the number by row) and `members`
    (the id by number).
    """
    found = 0
    for row in range(len(ids)):
        number = place[ids[row]]
        if number < 0 or number >= found or members[number] != ids[row]:
            number = found
            place[ids[row]] = number
            members[number] = ids[row]
            found += 1
        group[row] = number
    return found


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def sums(values, group, groups):  # type: ignore[no-untyped-def]
    total, lost = np.zeros(groups), np.zeros(groups)
    for row in range(len(values)):
        at, value = group[row], values[row]
        new = total[at] + value
        if math.isinf(new):
            lost[at] = 0.0
        elif abs(total[at]) >= abs(value):
            lost[at] += (total[at] - new) + value
        else:
            lost[at] += (value - new) + total[at]
        total[at] = new
    return total + lost


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def averages(values, group, groups):  # type: ignore[no-untyped-def]
    """Sum by count; a group whose sum overflows goes on as a running mean."""
    total, lost, count = np.zeros(groups), np.zeros(groups), np.zeros(groups)
    running = np.zeros(groups, np.bool_)
    for row in range(len(values)):
        at, value = group[row], values[row]
        count[at] += 1.0
        base, low = total[at], lost[at]
        if not running[at] and count[at] > 1.0 and math.isinf(base + value):
            running[at] = True
            base, low = base / (count[at] - 1.0), low / (count[at] - 1.0)
        if running[at]:
            share = (count[at] - 1.0) / count[at]
            base, low, value = base * share, low * share, value / count[at]
        new = base + value
        if math.isinf(new):
            low = 0.0
        elif abs(base) >= abs(value):
            low += (base - new) + value
        else:
            low += (value - new) + base
        total[at], lost[at] = new, low
    for at in range(groups):
        if not running[at]:
            total[at], lost[at] = total[at] / count[at], lost[at] / count[at]
    return total + lost


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def minima(values, group, groups):  # type: ignore[no-untyped-def]
    """NaN gives way to any number."""
    least = np.full(groups, math.nan)
    for row in range(len(values)):
        at = group[row]
        if least[at] > values[row] or math.isnan(least[at]):
            least[at] = values[row]
    return least


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def maxima(values, group, groups):  # type: ignore[no-untyped-def]
    """NaN gives way to any number."""
    most = np.full(groups, math.nan)
    for row in range(len(values)):
        at = group[row]
        if most[at] < values[row] or math.isnan(most[at]):
            most[at] = values[row]
    return most


@njit(_FOLD, cache=True, nogil=True, error_model="numpy")
def variances(values, group, groups):  # type: ignore[no-untyped-def]
    """Population variance by Welford's method; NaN for a group that holds an infinity."""
    mean, spread, count = np.zeros(groups), np.zeros(groups), np.zeros(groups)
    for row in range(len(values)):
        at, value = group[row], values[row]
        count[at] += 1.0
        if math.isinf(value):
            value = math.nan
        delta = value - mean[at]
        mean[at] += delta / count[at]
        spread[at] += delta * (value - mean[at])
    return spread / count
