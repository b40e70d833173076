"""The kernel of `deltas.ingest_deltas`: running sums, row after row."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.store._kernels import DUPLICATE, OUT_OF_ORDER

_INT64S, _FLOATS = types.int64[::1], types.float64[::1]


@njit(
    types.void(_INT64S, _INT64S, _INT64S, _FLOATS, _INT64S, _FLOATS, _INT64S),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def add_up(series, from_ms, timestamp_ms, value, last_ms, last, outcome):  # type: ignore[no-untyped-def]
    """Turns deltas in `value` into sums; `outcome` says which rows are dropped, 0 for those that are not.

    `series` is each row's place in `last_ms` and `last`, -1 for rows that are left alone. A sum that is NaN
    (a staleness marker, a box, nothing yet) begins anew.
    """
    for row in range(len(series)):
        one = series[row]
        if one < 0:
            continue
        known_from = from_ms[row] if from_ms[row] > 0 else last_ms[one]
        if timestamp_ms[row] <= last_ms[one] or known_from < last_ms[one]:
            outcome[row] = DUPLICATE if timestamp_ms[row] == last_ms[one] else OUT_OF_ORDER
            continue
        if not (np.isnan(value[row]) or np.isnan(last[one])):
            value[row] += last[one]
        last[one] = value[row]
        last_ms[one] = timestamp_ms[row]
