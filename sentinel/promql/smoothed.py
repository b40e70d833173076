"""What `smoothed` and `anchored` selectors give by themselves, without a function around them."""

from __future__ import annotations

from bisect import bisect_left

import msgspec
import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Histogram
from sentinel.promql.functions import extended
from sentinel.promql.histograms import IncompatibleError, interpolate
from sentinel.promql.moment import Invocation
from sentinel.promql.native import MIXED, MIXED_SCHEMAS, as_value, kinds, metric_of, note_combined, samples_of
from sentinel.promql.values import Matrix, Vector

_Sample = float | Histogram


def at(invocation: Invocation, matrix: Matrix, at_ms: int) -> Vector:
    """Each series at one time: a sample, or on the line between two; the last one where none follows."""
    rows, values = [], []
    has_float, has_histogram = kinds(matrix)
    for row in range(len(matrix)):
        if has_float[row] and has_histogram[row]:
            text = f"{MIXED} metric name {metric_of(invocation, matrix, row)}"
            invocation.warn(text, invocation.node)
            continue
        found = _at(invocation, matrix, row, at_ms)
        if found is not None:
            rows.append(row)
            values.append(as_value(invocation, found))
    return Vector(matrix.ids[np.array(rows, np.int64)], np.array(values, np.float64))


def _at(invocation: Invocation, matrix: Matrix, row: int, at_ms: int) -> _Sample | None:
    times = matrix.timestamp_ms[matrix.first[row] : matrix.last[row]].tolist()
    samples = samples_of(invocation, matrix, row)
    place = bisect_left(times, at_ms)
    if place < len(times) and times[place] == at_ms:
        return samples[place]
    if place == 0:
        return None
    if place == len(times):
        last = samples[-1]
        return msgspec.structs.replace(last, reset_hint="unknown") if isinstance(last, Histogram) else last
    share = (at_ms - times[place - 1]) / (times[place] - times[place - 1])
    return _between(
        invocation, (samples[place - 1], samples[place]), share, metric_of(invocation, matrix, row)
    )


def _between(
    invocation: Invocation, ends: tuple[_Sample, _Sample], share: float, metric: str
) -> _Sample | None:
    before, after = ends
    if not isinstance(before, Histogram) or not isinstance(after, Histogram):
        assert isinstance(before, float) and isinstance(after, float), "both kinds were sorted out before"
        return before + (after - before) * share
    counter = not before.reset_hint == after.reset_hint == "gauge"
    try:
        if before.is_custom != after.is_custom:
            raise IncompatibleError
        found = interpolate(before, after, share, counter=counter)
    except IncompatibleError:
        invocation.warn(f"{MIXED_SCHEMAS} {metric}", invocation.node)
        return None
    note_combined(invocation, False, found.reconciled, "subtraction")
    return found.histogram


def with_ends(invocation: Invocation, matrix: Matrix, kind: str) -> Matrix:
    """A range with a sample at its start and one at its end, as a query's whole result."""
    if invocation.run.native and kinds(matrix)[1].any():
        raise QueryError(f"{kind} modifier is not supported with histograms", kind="execution")
    matrix = extended.measurable(matrix, kind)
    rows = [_with_ends(invocation, matrix, row, kind) for row in range(len(matrix))]
    last = np.cumsum([len(times) for times, _ in rows], dtype=np.int64)
    first = last - np.array([len(times) for times, _ in rows], np.int64)
    times = np.concatenate([np.array(times, np.int64) for times, _ in rows] or [np.empty(0, np.int64)])
    values = np.concatenate([np.array(values) for _, values in rows] or [np.empty(0)])
    return Matrix(matrix.ids, first, last, times, values, matrix.start_ms, matrix.end_ms)


def _with_ends(invocation: Invocation, matrix: Matrix, row: int, kind: str) -> tuple[list[int], list[float]]:
    start, end = matrix.start_ms, matrix.end_ms
    times = matrix.timestamp_ms[matrix.first[row] : matrix.last[row]].tolist()
    values = matrix.value[matrix.first[row] : matrix.last[row]].tolist()
    within = [(time, value) for time, value in zip(times, values, strict=True) if start < time < end]
    ends = []
    for when in (start, end):
        place = bisect_left(times, when)
        exact = place < len(times) and times[place] == when
        if kind == "smoothed" and not exact and 0 < place < len(times):
            share = (when - times[place - 1]) / (times[place] - times[place - 1])
            ends.append(values[place - 1] + (values[place] - values[place - 1]) * share)
        else:
            ends.append(values[place] if exact or place == 0 else values[place - 1])
    return [start, *(t for t, _ in within), end], [ends[0], *(v for _, v in within), ends[1]]
