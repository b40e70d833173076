"""Functions that make one number of all samples in a range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sentinel.model import Floats, Histogram, Int64s
from sentinel.promql.aggregations import quantile_of_sorted, warn_of_quantile
from sentinel.promql.functions.registry import function
from sentinel.promql.histograms import Combined, mean, total
from sentinel.promql.moment import Invocation
from sentinel.promql.native import Row, by_kind, note_combined
from sentinel.promql.values import Matrix, Scalar, Vector


def _kernels() -> Any:
    from sentinel.promql.functions import _kernels

    return _kernels


def _nameless(invocation: Invocation, matrix: Matrix, values: Floats) -> Vector:
    return invocation.run.renamed(Vector(matrix.ids, values))


@function("sum_over_time(matrix) vector", native=True)
def sum_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _folded(invocation, matrix, "sums", total)


@function("avg_over_time(matrix) vector", native=True)
def avg_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _folded(invocation, matrix, "averages", mean)


_Fold = Callable[[list[Histogram]], Combined]


def _folded(invocation: Invocation, matrix: Matrix, kernel: str, of_histograms: _Fold) -> Vector:
    def of_floats(matrix: Matrix) -> Floats:
        values: Floats = getattr(_kernels(), kernel)(matrix.first, matrix.last, matrix.value)
        return values

    def of_row(row: Row) -> Histogram:
        folded = of_histograms(row.histograms)
        note_combined(invocation, folded.collision, folded.reconciled, "aggregation")
        return folded.histogram

    ids, values = by_kind(invocation, matrix, of_floats, of_row)
    return invocation.run.renamed(Vector(ids, values))


@function("count_over_time(matrix) vector", native=True)
def count_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, matrix.count.astype(np.float64))


@function("present_over_time(matrix) vector", native=True)
def present_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, np.ones(len(matrix)))


def _extremes(matrix: Matrix, *, highest: bool, latest: bool = False) -> Int64s:
    found: Int64s = _kernels().extremes(matrix.first, matrix.last, matrix.value, highest, latest)
    return found


@function("min_over_time(matrix) vector")
def min_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, matrix.value[_extremes(matrix, highest=False)])


@function("max_over_time(matrix) vector")
def max_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, matrix.value[_extremes(matrix, highest=True)])


def _seconds(matrix: Matrix, positions: Int64s) -> Floats:
    return matrix.timestamp_ms[positions] / 1000


@function("ts_of_min_over_time(matrix) vector")
def ts_of_min_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    """Of equal values the latest counts."""
    return _nameless(invocation, matrix, _seconds(matrix, _extremes(matrix, highest=False, latest=True)))


@function("ts_of_max_over_time(matrix) vector")
def ts_of_max_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    """Of equal values the latest counts."""
    return _nameless(invocation, matrix, _seconds(matrix, _extremes(matrix, highest=True, latest=True)))


@function("ts_of_first_over_time(matrix) vector", native=True)
def ts_of_first_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, _seconds(matrix, matrix.first))


@function("ts_of_last_over_time(matrix) vector", native=True)
def ts_of_last_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, _seconds(matrix, matrix.last - 1))


@function("first_over_time(matrix) vector", native=True)
def first_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    """Like an offset, it keeps the metric name."""
    return Vector(matrix.ids, matrix.value[matrix.first], matrix.drop_name)


@function("last_over_time(matrix) vector", native=True)
def last_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    """Like an offset, it keeps the metric name."""
    return Vector(matrix.ids, matrix.value[matrix.last - 1], matrix.drop_name)


@function("stdvar_over_time(matrix) vector")
def stdvar_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, _kernels().variances(matrix.first, matrix.last, matrix.value))


@function("stddev_over_time(matrix) vector")
def stddev_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(
        invocation, matrix, np.sqrt(_kernels().variances(matrix.first, matrix.last, matrix.value))
    )


def _quantiles(matrix: Matrix, value: Floats, q: float) -> Floats:
    count = matrix.count
    ordered = _kernels().sorted_values(matrix.first, matrix.last, value)
    return quantile_of_sorted(q, ordered, np.cumsum(count) - count, count)


@function("quantile_over_time(scalar, matrix) vector")
def quantile_over_time(invocation: Invocation, q: Scalar, matrix: Matrix) -> Vector:
    if len(matrix):
        warn_of_quantile(invocation, q.value, invocation.args[0])
    return _nameless(invocation, matrix, _quantiles(matrix, matrix.value, q.value))


@function("mad_over_time(matrix) vector")
def mad_over_time(invocation: Invocation, matrix: Matrix) -> Vector:
    """The median distance from the median; NaN as soon as one sample is."""
    median = _quantiles(matrix, matrix.value, 0.5)
    ends = np.cumsum(matrix.count)
    ordered = _kernels().sorted_values(matrix.first, matrix.last, matrix.value)
    distance = np.abs(ordered - np.repeat(median, matrix.count))
    distances = Matrix(
        matrix.ids, ends - matrix.count, ends, matrix.timestamp_ms, distance, matrix.start_ms, matrix.end_ms
    )
    values = _quantiles(distances, distance, 0.5)
    with_nan = np.isnan(ordered[distances.first]) if len(matrix) else np.zeros(0, np.bool_)
    return _nameless(invocation, matrix, np.where(with_nan, np.nan, values))
