"""Where the buckets of a native histogram begin and end."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from sentinel.model import Buckets, Floats, Histogram, Int64s
from sentinel.model.histogram import MAX_SCHEMA

LEFT_OPEN, RIGHT_OPEN, OPEN, CLOSED = range(4)
"""What `BucketTable.boundaries` holds: the numbers of the HTTP API. No bucket is open at both ends."""

_SQRT_2: Final = 1.414213562373095
"""Prometheus's figure, one unit in the last place below the true one: all its bounds follow from it."""


def _fractions() -> Floats:
    """The bounds of the finest schema in [0.5, 1): each schema halves the steps of the one before."""
    found = np.array([0.5])
    for schema in range(1, MAX_SCHEMA + 1):
        step = _SQRT_2 if schema == 1 else 2.0**2.0**-schema
        found = np.column_stack((found, found * step)).ravel()
    return found


_FRACTIONS: Final = _fractions()
_LAST_FINE: Final = 1024 << MAX_SCHEMA


class BucketTable(msgspec.Struct, frozen=True, eq=False):
    """Populated buckets in ascending order, a row each; `boundaries` says which ends belong to a bucket."""

    lower: Floats
    upper: Floats
    count: Floats
    boundaries: Int64s


@np.errstate(over="ignore", under="ignore")
def bounds(schema: int, indexes: Int64s) -> Floats:
    """The bounds `base ** index` of an exponential schema.

    The last bucket of ordinary numbers ends at the largest float; the one behind it holds the infinities.
    """
    fine = indexes << (MAX_SCHEMA - schema)
    found: Floats = np.ldexp(_FRACTIONS[fine & (len(_FRACTIONS) - 1)], (fine >> MAX_SCHEMA) + 1)
    found[fine == _LAST_FINE] = np.finfo(np.float64).max
    return found


def limits(histogram: Histogram, side: Buckets) -> tuple[Floats, Floats]:
    """The smaller and the larger absolute bound of each bucket of one side, in the order of its counts."""
    first, last = side.offset, side.offset + len(side)
    if histogram.is_custom:
        ends = np.array([-np.inf, *histogram.custom_values, np.inf])[first : last + 1]
    else:
        ends = bounds(histogram.schema, np.arange(first - 1, last))
    return ends[:-1], ends[1:]


def populated(histogram: Histogram, *, zero: bool) -> BucketTable:
    """The buckets with the bounds that the schema gives them, with or without the zero bucket."""
    lower, upper = limits(histogram, histogram.positive)
    count, boundaries = histogram.positive.counts, np.full(len(lower), LEFT_OPEN)
    if histogram.is_custom:
        boundaries[lower == -np.inf] = CLOSED
    if zero:
        width = histogram.zero_threshold
        lower, upper = np.append(-width, lower), np.append(width, upper)
        count, boundaries = np.append(histogram.zero_count, count), np.append(CLOSED, boundaries)
    if len(histogram.negative):
        near, far = limits(histogram, histogram.negative)
        lower, upper = np.append(-far[::-1], lower), np.append(-near[::-1], upper)
        count = np.append(histogram.negative.counts[::-1], count)
        boundaries = np.append(np.full(len(near), RIGHT_OPEN), boundaries)
    filled = count != 0
    return BucketTable(lower[filled], upper[filled], count[filled], boundaries[filled])


def buckets(histogram: Histogram) -> BucketTable:
    """The buckets as the HTTP API tells them: those next to the zero bucket end where it begins."""
    table, width = populated(histogram, zero=histogram.zero_count > 0), histogram.zero_threshold
    return BucketTable(
        np.where((table.lower > 0) & (table.lower < width), width, table.lower),
        np.where((table.upper < 0) & (table.upper > -width), -width, table.upper),
        table.count,
        table.boundaries,
    )
