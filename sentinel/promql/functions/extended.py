"""`anchored` and `smoothed` selectors: what a counter was exactly at the ends of a range.

A plain range knows only the samples inside it, so a rate must extrapolate. An anchored one takes the sample
before the range along, a smoothed one also the one after it and draws lines between samples.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Final

import msgspec

from sentinel.errors import QueryError
from sentinel.model import Bools, Floats, Histogram, Int64s
from sentinel.promql import ast
from sentinel.promql.histograms import (
    Combined,
    IncompatibleError,
    add,
    divide,
    interpolate,
    is_reset,
    subtract,
)
from sentinel.promql.moment import Invocation
from sentinel.promql.native import Row, note_combined
from sentinel.promql.native_rates import doubt_kind
from sentinel.promql.values import Matrix

_ALLOWED: Final = {
    "anchored": ("changes", "delta", "increase", "rate", "resets"),
    "smoothed": ("delta", "increase", "rate"),
}


def check(expr: ast.Expr) -> None:
    """QueryError if a function reads such a range and does not know how."""
    for node in ast.walk(expr):
        if not isinstance(node, ast.Call):
            continue
        for kind in (extension(arg) for arg in node.args if isinstance(ast.bare(arg), ast.Range)):
            if kind and node.function not in _ALLOWED[kind]:
                known = ", ".join(_ALLOWED[kind])
                message = f"{kind} modifier can only be used with: {known} - not with {node.function}"
                raise QueryError(message, kind="execution")


def extension(expr: ast.Expr) -> str:
    """`anchored`, `smoothed` or nothing."""
    expr = ast.bare(expr)
    return expr.selector.extended if isinstance(expr, ast.Range) else ""


def reach(selector: ast.Selector, lookback_ms: int) -> tuple[int, int]:
    """How far beyond start and end of its range a selector reads, in ms."""
    before = lookback_ms if selector.extended else 0
    return before, lookback_ms if selector.extended == "smoothed" else 0


def measurable(matrix: Matrix, kind: str) -> Matrix:
    """The series of which it can be said how they grew in the range."""
    known: Bools = matrix.timestamp_ms[matrix.last - 1] > matrix.start_ms
    if kind == "smoothed":
        known &= matrix.timestamp_ms[matrix.first] <= matrix.end_ms
    return matrix.take(known)


def anchored(matrix: Matrix) -> Matrix:
    """From the last sample at or before the start on."""
    kernels = _kernels()
    first: Int64s = kernels.anchors(matrix.first, matrix.last, matrix.timestamp_ms, matrix.start_ms)
    return msgspec.structs.replace(matrix, first=first)


def of_floats(matrix: Matrix, kind: str, counter: bool) -> Floats:
    """By how much measurable series of floats grew."""
    span = (matrix.timestamp_ms, matrix.value, matrix.start_ms, matrix.end_ms)
    growth: Floats = _kernels().increases(matrix.first, matrix.last, *span, counter, kind == "smoothed")
    return growth


def of_histograms(invocation: Invocation, row: Row, kind: str, counter: bool, seconds: float) -> Histogram:
    """How a measurable series of histograms grew in so many seconds. Raises IncompatibleError."""
    times, samples, smoothed = row.timestamp_ms, row.histograms, kind == "smoothed"
    high = len(times) - 1
    low = max(0, bisect_right(times, row.start_ms, 0, high) - 1)
    if smoothed:
        high = bisect_left(times, row.end_ms, 0, high)
    if len({each.is_custom for each in samples[low : high + 1]}) > 1:
        raise IncompatibleError
    if counter:
        doubt_kind(invocation, row.name, samples[low : high + 1], counter)
    left, right = samples[low], samples[high]
    if smoothed and times[low] < row.start_ms:
        left = _between(invocation, row, low, row.start_ms, counter)
    if smoothed and high and times[high] > row.end_ms:
        right = _between(invocation, row, high - 1, row.end_ms, counter)
    if not counter:
        doubt_kind(invocation, row.name, (left, right), counter)
    grown = _noted(invocation, subtract(right, left), "subtraction")
    for hidden in _hidden(row, (low, high), (left, right), smoothed) if counter else ():
        grown = _noted(invocation, add(grown, hidden), "addition")
    return msgspec.structs.replace(divide(grown, seconds), reset_hint="gauge")


def _hidden(
    row: Row, span: tuple[int, int], ends: tuple[Histogram, Histogram], smoothed: bool
) -> list[Histogram]:
    """What was counted before each reset between the ends."""
    (low, high), (before, right) = span, ends
    first = low + 1
    if (
        smoothed
        and row.timestamp_ms[low] < row.start_ms
        and is_reset(row.histograms[first], row.histograms[low])
    ):
        before, first = row.histograms[first], first + 1  # the left end has taken this reset into account
    if first > high:
        return []
    found = []
    for now in (*row.histograms[first:high], right):
        if is_reset(now, before):
            found.append(before)
        before = now
    return found


def _between(invocation: Invocation, row: Row, at: int, when_ms: int, counter: bool) -> Histogram:
    """The histogram at a time between samples `at` and `at + 1`."""
    begin, end = row.timestamp_ms[at], row.timestamp_ms[at + 1]
    if when_ms == end:
        return row.histograms[at + 1]
    share = (when_ms - begin) / (end - begin)
    found = interpolate(row.histograms[at], row.histograms[at + 1], share, counter=counter)
    return _noted(invocation, found, "subtraction")


def _noted(invocation: Invocation, combined: Combined, operation: str) -> Histogram:
    note_combined(invocation, False, combined.reconciled, operation)
    return combined.histogram


def _kernels() -> Any:
    from sentinel.promql.functions import _extended_kernels

    return _extended_kernels
