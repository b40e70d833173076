"""What a native histogram says of its observations: quantiles, fractions, variance.

Within a bucket, observations are taken to lie evenly: on a logarithmic scale in exponential buckets, on a
linear one in custom buckets and the zero bucket.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from sentinel.model import Bools, Floats, Histogram
from sentinel.promql.histograms.bounds import BucketTable, buckets


def has_nan_observations(histogram: Histogram) -> bool:
    """Whether observations of NaN were counted; they are in no bucket. Infinities also make the sum NaN."""
    return math.isnan(histogram.sum) and float(buckets(histogram).count.sum()) < histogram.count


@np.errstate(all="ignore")
def quantile(histogram: Histogram, q: float) -> float:
    """The value that a share `q`, 0 to 1, of the observations does not exceed.

    NaN of no observations, for q NaN, and beyond the last bucket if NaNs were observed; q < 0 gives -Inf,
    q > 1 +Inf. The walk through the buckets starts at the nearer end, except among NaNs, which lie above all.
    """
    if q < 0 or q > 1:
        return math.copysign(math.inf, q)
    if histogram.count == 0 or math.isnan(q):
        return math.nan
    table = buckets(histogram)
    if not len(table.count):
        return math.nan
    upwards = math.isnan(histogram.sum) or q < 0.5
    rank = (q if upwards else 1 - q) * histogram.count
    reached = np.cumsum(table.count if upwards else table.count[::-1])
    found = np.flatnonzero(reached >= rank)
    step = int(found[0]) if len(found) else len(reached) - 1
    row = step if upwards else len(reached) - 1 - step
    count = min(float(reached[step]), histogram.count)
    if histogram.is_custom and row in (0, len(reached) - 1):
        end = _open_end(float(table.lower[row]), float(table.upper[row]))
        if end is not None:
            return end
    if count < rank:
        return math.nan if math.isnan(histogram.sum) else float(table.upper[row])
    inside = float(table.count[row])
    return _value(histogram, table, row, (rank - (count - inside) if upwards else count - rank) / inside)


def _open_end(lower: float, upper: float) -> float | None:
    """What stands for all observations of a custom bucket that has one finite end; None if zero ends it."""
    if math.isinf(lower):
        return upper if upper <= 0 else None
    return lower if math.isinf(upper) else None


def _value(histogram: Histogram, table: BucketTable, row: int, share: float) -> float:
    """The value that a share of a bucket's observations does not exceed."""
    lower, upper = float(table.lower[row]), float(table.upper[row])
    if histogram.is_custom:
        lower = 0.0 if math.isinf(lower) else lower
        return lower + (upper - lower) * share
    if lower <= 0 <= upper:
        lower, upper = zero_bucket(histogram)
        return lower + (upper - lower) * share
    near, far = sorted((abs(lower), abs(upper)))
    share = share if lower > 0 else 1 - share
    return math.copysign(float(np.exp2(np.log2(near) + (np.log2(far) - np.log2(near)) * share)), lower)


def zero_bucket(histogram: Histogram) -> tuple[float, float]:
    """The zero bucket's bounds; zero itself is one of them if all other buckets are of one sign."""
    width = histogram.zero_threshold
    positive, negative = bool(len(histogram.positive)), bool(len(histogram.negative))
    return 0.0 if positive and not negative else -width, 0.0 if negative and not positive else width


@np.errstate(all="ignore")
def fraction(histogram: Histogram, lower: float, upper: float) -> float:
    """The share of observations between two values. NaN of no observations, or if a value is NaN.

    Observations of NaN are in no fraction. A custom bucket that holds zero is taken to start there.
    """
    if histogram.count == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan
    if lower >= upper:
        return 0.0
    table = buckets(histogram)
    holds_zero = (table.lower <= 0) & (table.upper >= 0)
    if len(histogram.positive) and not len(histogram.negative):
        table = msgspec.structs.replace(table, lower=np.where(holds_zero, 0, table.lower))
    elif len(histogram.negative) and not len(histogram.positive):
        table = msgspec.structs.replace(table, upper=np.where(holds_zero, 0, table.upper))
    whole = float(table.count.sum()) if math.isnan(histogram.sum) else histogram.count
    linear = holds_zero | histogram.is_custom
    below = [min(_rank(table, linear, value), whole) for value in (lower, upper)]
    return (below[1] - below[0]) / histogram.count


def _rank(table: BucketTable, linear: Bools, value: float) -> float:
    """How many observations lie at or below a value; infinitely many when all do."""
    row = int(np.searchsorted(table.upper, value, side="right"))
    if row == len(table.upper):
        return math.inf
    rank = float(table.count[:row].sum())
    if table.lower[row] < value:
        one = slice(row, row + 1)
        share = share_below(table.lower[one], table.upper[one], value, linear=bool(linear[row]))
        rank += float(table.count[row] * share[0])
    return rank


def share_below(lower: Floats, upper: Floats, value: float, *, linear: bool) -> Floats:
    """The shares of buckets' observations at or below a value within them.

    All observations of a bucket that begins at -Inf, and none of one that ends at +Inf.
    """
    if not linear:
        lower, upper = np.log2(np.abs(lower)), np.log2(np.abs(upper))
        value = float(np.log2(abs(value)))
    return np.where(lower == -np.inf, 1, (value - lower) / (upper - lower))


@np.errstate(all="ignore")
def variance(histogram: Histogram) -> float:
    """The mean squared distance from the mean, every observation taken to lie in the middle of its bucket.

    The middle is the geometric one of exponential buckets, the arithmetic one of custom buckets, and zero of
    the zero bucket.
    """
    mean = np.float64(histogram.sum) / histogram.count
    table = buckets(histogram)
    if histogram.is_custom:
        middle = (table.lower + table.upper) / 2
    else:
        middle = np.copysign(np.sqrt(table.lower * table.upper), table.upper)
        middle[(table.lower <= 0) & (table.upper >= 0)] = 0
    return float((table.count * (middle - mean) ** 2).sum() / histogram.count)
