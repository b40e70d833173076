"""Functions of how a range vector's samples grow: rates, derivatives, changes, forecasts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Floats, Histogram
from sentinel.promql import ast, native_rates
from sentinel.promql.functions import extended
from sentinel.promql.functions.registry import function
from sentinel.promql.moment import Invocation
from sentinel.promql.native import Row, by_kind, kinds, samples_of
from sentinel.promql.values import Matrix, Scalar, Vector

_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


@functools.cache
def _kernels() -> Any:
    from sentinel.promql.functions import _kernels

    return _kernels


def _at_least_two(matrix: Matrix) -> Matrix:
    if matrix.least > 1:
        return matrix
    enough = matrix.count > 1
    return matrix if enough.all() else matrix.take(enough)


def _nameless(invocation: Invocation, matrix: Matrix, values: Floats) -> Vector:
    return invocation.run.renamed(Vector(matrix.ids, values))


def _growth(invocation: Invocation, matrix: Matrix, *, counter: bool, seconds: float = 1.0) -> Vector:
    """By how much each series of two samples at least has grown, in so many seconds."""

    kind = extended.extension(invocation.args[0])

    def of_floats(matrix: Matrix) -> Floats:
        if counter:
            _doubt_counters(invocation, matrix)
        if kind:
            return extended.of_floats(matrix, kind, counter) / seconds
        span = (matrix.timestamp_ms, matrix.value, matrix.start_ms, matrix.end_ms)
        growth: Floats = _kernels().increases(matrix.first, matrix.last, *span, counter, seconds)
        return growth

    def of_row(row: Row) -> Histogram | None:
        if kind:
            return extended.of_histograms(invocation, row, kind, counter, seconds)
        return native_rates.growth(invocation, row, counter, seconds)

    matrix = extended.measurable(matrix, kind) if kind else _at_least_two(matrix)
    ids, values = by_kind(invocation, matrix, of_floats, of_row)
    return invocation.run.renamed(Vector(ids, values))


@function("increase(matrix) vector", native=True)
def increase(invocation: Invocation, matrix: Matrix) -> Vector:
    return _growth(invocation, matrix, counter=True)


@function("rate(matrix) vector", native=True)
def rate(invocation: Invocation, matrix: Matrix) -> Vector:
    """The increase by the length of the range, not of the time its samples cover."""
    seconds = (matrix.end_ms - matrix.start_ms) / 1000
    return _growth(invocation, matrix, counter=True, seconds=seconds)


@function("delta(matrix) vector", native=True)
def delta(invocation: Invocation, matrix: Matrix) -> Vector:
    return _growth(invocation, matrix, counter=False)


def _doubt_counters(invocation: Invocation, matrix: Matrix) -> None:
    """Notes metrics whose names are not those of counters."""
    for name in _metric_names(invocation, matrix):
        if name and not name.endswith(_COUNTER_SUFFIXES):
            text = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket"
            invocation.inform(f'{text}: "{name}"', invocation.args[0])


def _metric_names(invocation: Invocation, matrix: Matrix) -> list[str]:
    arg = ast.bare(invocation.args[0])
    if isinstance(arg, ast.Range) and arg.selector.name:
        return [arg.selector.name] if len(matrix) else []
    named = np.unique(invocation.sets.keeping(("__name__",))(matrix.ids))
    return sorted(invocation.sets[id].name for id in named.tolist())


def _last_two(
    invocation: Invocation, matrix: Matrix, of_floats: Callable[[Floats, Floats, Floats], Floats], rate: bool
) -> Vector:
    """Of series of two samples at least, from their last two values and the seconds between them."""
    enough = _at_least_two(matrix)
    matrix = msgspec.structs.replace(enough, first=enough.last - 2)

    def of_matrix(matrix: Matrix) -> Floats:
        last = matrix.last - 1
        seconds = (matrix.timestamp_ms[last] - matrix.timestamp_ms[last - 1]) / 1000
        return of_floats(matrix.value[last - 1], matrix.value[last], seconds)

    def of_row(row: Row) -> Histogram:
        return native_rates.instant(invocation, row, rate)

    ids, values = by_kind(invocation, matrix, of_matrix, of_row)
    return invocation.run.renamed(Vector(ids, values))


@function("irate(matrix) vector", native=True)
def irate(invocation: Invocation, matrix: Matrix) -> Vector:
    """By the last two samples alone; after a fall the counter has started from zero."""

    def of_floats(before: Floats, now: Floats, seconds: Floats) -> Floats:
        return np.where(now < before, now, now - before) / seconds

    return _last_two(invocation, matrix, of_floats, rate=True)


@function("idelta(matrix) vector", native=True)
def idelta(invocation: Invocation, matrix: Matrix) -> Vector:
    return _last_two(invocation, matrix, lambda before, now, _: now - before, rate=False)


@function("deriv(matrix) vector")
def deriv(invocation: Invocation, matrix: Matrix) -> Vector:
    matrix = _at_least_two(matrix)
    origin = matrix.timestamp_ms[matrix.first]  # near the samples, for accuracy
    slope, _ = _kernels().regressions(matrix.first, matrix.last, matrix.timestamp_ms, matrix.value, origin)
    return _nameless(invocation, matrix, slope)


@function("predict_linear(matrix, scalar) vector")
def predict_linear(invocation: Invocation, matrix: Matrix, seconds: Scalar) -> Vector:
    matrix = _at_least_two(matrix)
    origin = np.full(len(matrix), invocation.at_ms)
    slope, now = _kernels().regressions(matrix.first, matrix.last, matrix.timestamp_ms, matrix.value, origin)
    return _nameless(invocation, matrix, slope * seconds.value + now)


@function("changes(matrix) vector", native=True)
def changes(invocation: Invocation, matrix: Matrix) -> Vector:
    return _counted(invocation, matrix, falls_only=False)


@function("resets(matrix) vector", native=True)
def resets(invocation: Invocation, matrix: Matrix) -> Vector:
    return _counted(invocation, matrix, falls_only=True)


def _counted(invocation: Invocation, matrix: Matrix, *, falls_only: bool) -> Vector:
    if extended.extension(invocation.args[0]):
        matrix = extended.anchored(extended.measurable(matrix, "anchored"))
    values = _kernels().changes(matrix.first, matrix.last, matrix.value, falls_only)
    if invocation.run.native:
        for row in np.flatnonzero(kinds(matrix)[1]).tolist():
            values[row] = native_rates.count_changes(samples_of(invocation, matrix, row), falls_only)
    return _nameless(invocation, matrix, values)


@function("double_exponential_smoothing(matrix, scalar, scalar) vector")
def smoothing(invocation: Invocation, matrix: Matrix, level: Scalar, trend: Scalar) -> Vector:
    for word, short, factor in (("smoothing", "sf", level.value), ("trend", "tf", trend.value)):
        if not 0 < factor < 1:
            message = f"invalid {word} factor. Expected: 0 < {short} < 1, got: {factor:f}"
            raise QueryError(message, kind="execution")
    matrix = _at_least_two(matrix)
    values = _kernels().smoothed(matrix.first, matrix.last, matrix.value, level.value, trend.value)
    return _nameless(invocation, matrix, values)
