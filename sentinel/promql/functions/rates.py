"""Functions of how a range vector's samples grow: rates, derivatives, changes, forecasts."""

from __future__ import annotations

from typing import Any

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Floats
from sentinel.promql import ast
from sentinel.promql.functions.registry import function
from sentinel.promql.moment import Invocation
from sentinel.promql.values import Matrix, Scalar, Vector

_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def _kernels() -> Any:
    from sentinel.promql.functions import _kernels

    return _kernels


def _at_least_two(matrix: Matrix) -> Matrix:
    enough = matrix.count > 1
    return matrix if enough.all() else matrix.take(enough)


def _nameless(invocation: Invocation, matrix: Matrix, values: Floats) -> Vector:
    return invocation.run.renamed(Vector(matrix.ids, values))


def _growth(matrix: Matrix, *, counter: bool) -> Floats:
    growth: Floats = _kernels().increases(
        matrix.first, matrix.last, matrix.timestamp_ms, matrix.value, matrix.start_ms, matrix.end_ms, counter
    )
    return growth


@function("increase(matrix) vector")
def increase(invocation: Invocation, matrix: Matrix) -> Vector:
    matrix = _at_least_two(matrix)
    _doubt_counters(invocation, matrix)
    return _nameless(invocation, matrix, _growth(matrix, counter=True))


@function("rate(matrix) vector")
def rate(invocation: Invocation, matrix: Matrix) -> Vector:
    """The increase by the length of the range, not of the time its samples cover."""
    matrix = _at_least_two(matrix)
    _doubt_counters(invocation, matrix)
    seconds = (matrix.end_ms - matrix.start_ms) / 1000
    return _nameless(invocation, matrix, _growth(matrix, counter=True) / seconds)


@function("delta(matrix) vector")
def delta(invocation: Invocation, matrix: Matrix) -> Vector:
    matrix = _at_least_two(matrix)
    return _nameless(invocation, matrix, _growth(matrix, counter=False))


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


def _last_two(matrix: Matrix) -> tuple[Matrix, Floats, Floats, Floats]:
    """Rows of two samples at least, their last two values and the seconds between them."""
    matrix = _at_least_two(matrix)
    last = matrix.last - 1
    seconds = (matrix.timestamp_ms[last] - matrix.timestamp_ms[last - 1]) / 1000
    return matrix, matrix.value[last - 1], matrix.value[last], seconds


@function("irate(matrix) vector")
def irate(invocation: Invocation, matrix: Matrix) -> Vector:
    """By the last two samples alone; after a fall the counter has started from zero."""
    matrix, before, now, seconds = _last_two(matrix)
    return _nameless(invocation, matrix, np.where(now < before, now, now - before) / seconds)


@function("idelta(matrix) vector")
def idelta(invocation: Invocation, matrix: Matrix) -> Vector:
    matrix, before, now, _ = _last_two(matrix)
    return _nameless(invocation, matrix, now - before)


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


@function("changes(matrix) vector")
def changes(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, _kernels().changes(matrix.first, matrix.last, matrix.value, False))


@function("resets(matrix) vector")
def resets(invocation: Invocation, matrix: Matrix) -> Vector:
    return _nameless(invocation, matrix, _kernels().changes(matrix.first, matrix.last, matrix.value, True))


@function("double_exponential_smoothing(matrix, scalar, scalar) vector")
def smoothing(invocation: Invocation, matrix: Matrix, level: Scalar, trend: Scalar) -> Vector:
    for word, short, factor in (("smoothing", "sf", level.value), ("trend", "tf", trend.value)):
        if not 0 < factor < 1:
            message = f"invalid {word} factor. Expected: 0 < {short} < 1, got: {factor:f}"
            raise QueryError(message, kind="execution")
    matrix = _at_least_two(matrix)
    values = _kernels().smoothed(matrix.first, matrix.last, matrix.value, level.value, trend.value)
    return _nameless(invocation, matrix, values)
