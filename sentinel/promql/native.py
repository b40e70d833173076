"""Native histograms among the samples of an evaluation.

They stand as boxes in the columns of floats (see `model.histogram`). What cannot use them never sees them;
what can is given floats as columns and histograms one by one: each is a column of buckets by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sentinel.model import Bools, Floats, Histogram, Int64s
from sentinel.model.histogram import boxed
from sentinel.promql.histograms import IncompatibleError, scale, text
from sentinel.promql.moment import Invocation, Run
from sentinel.promql.steps import flat
from sentinel.promql.syntax.literals import quoted
from sentinel.promql.syntax.printer import number
from sentinel.promql.values import Matrix, Value, Vector

MIXED: Final = "encountered a mix of histograms and floats for"
MIXED_SCHEMAS: Final = (
    "vector contains a mix of histograms with exponential and custom buckets schemas for metric name"
)


@dataclass(slots=True, eq=False)
class Row:
    """The histograms of one series in a range, in order of time."""

    name: str
    timestamp_ms: list[int]
    histograms: list[Histogram]
    start_ms: int
    end_ms: int


OfFloats = Callable[[Matrix], Floats]
OfHistograms = Callable[[Row], Histogram | float | None]


def floats_of(vector: Vector) -> Vector:
    """The vector without histograms."""
    marks = boxed(vector.values)
    return vector.take(~marks) if marks.any() else vector


def without_histograms(invocation: Invocation, value: Value) -> Value:
    """An argument for a function of floats alone."""
    if isinstance(value, Vector):
        return floats_of(value)
    return float_samples(invocation, value) if isinstance(value, Matrix) else value


def scaled(run: Run, values: Floats, computed: Floats, factor: float) -> Floats:
    """`computed`, with the histograms among `values` multiplied by a factor."""
    marks = boxed(values)
    if run.native and marks.any():
        computed[marks] = run.histograms.box(
            scale(each, factor) for each in run.histograms.unbox(values[marks])
        )
    return computed


def histograms_of(invocation: Invocation, vector: Vector) -> tuple[Vector, list[Histogram]]:
    """The rows that are histograms, and these."""
    found = vector.take(boxed(vector.values))
    return found, invocation.run.histograms.unbox(found.values)


def float_samples(invocation: Invocation, matrix: Matrix) -> Matrix:
    """The matrix without histograms; a series that has both kinds is noted."""
    where, row_of = flat(matrix)
    marks = boxed(matrix.value[where])
    if not marks.any():
        return matrix
    floats = np.bincount(row_of[~marks], minlength=len(matrix))
    for row in np.flatnonzero((floats > 0) & (floats < matrix.count)).tolist():
        text = "ignored histograms in a range containing both floats and histograms for metric name"
        invocation.inform(f"{text} {metric_of(invocation, matrix, row)}", invocation.args[0])
    return _picked(matrix, where[~marks], floats)


def by_kind(
    invocation: Invocation, matrix: Matrix, of_floats: OfFloats, of_histograms: OfHistograms
) -> tuple[Int64s, Floats]:
    """(ids, values): of each series of floats by columns, of each one of histograms by itself.

    A series that has both kinds has no result and is warned of; nor has one whose `of_histograms` is None.
    """
    if not invocation.run.native:
        return matrix.ids, of_floats(matrix)
    has_float, has_histogram = kinds(matrix)
    if not has_histogram.any():
        return matrix.ids, of_floats(matrix)
    for row in np.flatnonzero(has_float & has_histogram).tolist():
        invocation.warn(f"{MIXED} metric name {metric_of(invocation, matrix, row)}", invocation.args[0])
    values, known = np.empty(len(matrix)), ~has_histogram
    values[known] = of_floats(matrix.take(known))
    for row in np.flatnonzero(~has_float).tolist():
        result = _guarded(invocation, matrix, row, of_histograms)
        if result is not None:
            values[row], known[row] = as_value(invocation, result), True
    return matrix.ids[known], values[known]


def _guarded(
    invocation: Invocation, matrix: Matrix, row: int, compute: OfHistograms
) -> Histogram | float | None:
    try:
        return compute(row_of(invocation, matrix, row))
    except IncompatibleError:
        invocation.warn(f"{MIXED_SCHEMAS} {metric_of(invocation, matrix, row)}", invocation.args[0])
        return None


def as_value(invocation: Invocation, result: Histogram | float) -> float:
    """A number, or a histogram's box."""
    if isinstance(result, Histogram):
        return float(invocation.run.histograms.box([result])[0])
    return result


def value_text(invocation: Invocation, value: float) -> str:
    """A number or a histogram, written out."""
    column = np.array([value])
    if not invocation.run.native or not boxed(column)[0]:
        return number(value)
    return text(invocation.run.histograms.unbox(column)[0])


def row_of(invocation: Invocation, matrix: Matrix, row: int) -> Row:
    span = slice(int(matrix.first[row]), int(matrix.last[row]))
    return Row(
        invocation.sets[int(matrix.ids[row])].name,
        matrix.timestamp_ms[span].tolist(),
        invocation.run.histograms.unbox(matrix.value[span]),
        matrix.start_ms,
        matrix.end_ms,
    )


def samples_of(invocation: Invocation, matrix: Matrix, row: int) -> list[float | Histogram]:
    """A row's samples of both kinds, in order of time."""
    values = matrix.value[matrix.first[row] : matrix.last[row]]
    marks = boxed(values).tolist()
    histograms = iter(invocation.run.histograms.unbox(values[boxed(values)]))
    return [next(histograms) if mark else value for mark, value in zip(marks, values.tolist(), strict=True)]


def kinds(matrix: Matrix) -> tuple[Bools, Bools]:
    """By row, whether it has floats and whether it has histograms."""
    where, row = flat(matrix)
    marks = boxed(matrix.value[where])
    histograms = np.bincount(row[marks], minlength=len(matrix))
    return histograms < matrix.count, histograms > 0


def metric_of(invocation: Invocation, matrix: Matrix | Vector, row: int) -> str:
    """A row's metric name, quoted."""
    return quoted(invocation.sets[int(matrix.ids[row])].name)


def note_combined(invocation: Invocation, collision: bool, reconciled: bool, operation: str) -> None:
    """What Prometheus says of histograms that went together badly."""
    place = invocation.args[0] if invocation.args else invocation.node
    if collision:
        invocation.warn(f"conflicting counter resets during histogram {operation}", place)
    if reconciled:
        invocation.inform(f"mismatched custom buckets were reconciled during {operation}", place)


def _picked(matrix: Matrix, where: Int64s, count: Int64s) -> Matrix:
    """Only the samples at these places; `count` is how many of each row they are."""
    last = np.cumsum(count)
    picked = Matrix(
        matrix.ids,
        last - count,
        last,
        matrix.timestamp_ms[where],
        matrix.value[where],
        matrix.start_ms,
        matrix.end_ms,
        matrix.drop_name,
    )
    filled = count > 0
    return picked if filled.all() else picked.take(filled)
