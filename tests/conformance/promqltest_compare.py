"""Whether an answer is the script's, by the rules of Prometheus's own test engine."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from sentinel.model import STALE_BITS, Floats, Histogram, Labels
from sentinel.model.histogram import boxed
from sentinel.promql import Evaluator, Matrix, Scalar, String, Value, Vector
from sentinel.promql.plan import Query
from sentinel.promql.series_description import Point
from tests.conformance.promqltest_load import filled
from tests.conformance.promqltest_script import Eval

EPSILON: Final = 1e-6
SMALLEST: Final = 2.2250738585072014e-308
LARGEST: Final = 1.7976931348623157e308

Row = tuple[Labels, dict[int, Point]]
"""A series of a result: labels, and values by time."""


class MismatchError(Exception):
    """The evaluator's answer is not the script's."""


def compare_failure(command: Eval, message: str) -> None:
    expected = command.expects.get("fail")
    if expected is None:
        raise MismatchError(message)
    if not any(_says(message, how, text) for how, text in expected):
        raise MismatchError(f"fails with other words: {message}")


def compare_notes(command: Eval, query: Query) -> None:
    """Each warning expected is there, and where any is expected no other one is; so are infos."""
    for word, notes in (("warn", query.warnings), ("info", query.infos)):
        expected = command.expects.get(word, [])
        if expected and not notes:
            raise MismatchError(f"no {word} annotation")
        if notes and f"no_{word}" in command.expects:
            raise MismatchError(f"unexpected {word}: {notes}")
        for how, text in expected:
            if not any(_says(note, how, text) for note in notes):
                raise MismatchError(f"missing {word}: {text} in {notes}")
        for note in notes if expected else []:
            if not any(_says(note, how, text) for how, text in expected):
                raise MismatchError(f"unexpected {word}: {note}")


def _says(message: str, how: str, text: str) -> bool:
    if how == "regex":
        return re.search(text, message) is not None
    return not how or message == text


def compare_value(evaluator: Evaluator, command: Eval, value: Value) -> None:
    if isinstance(value, String):
        _require(value.value == command.string, command.string, value.value)
    elif isinstance(value, Scalar):
        same = command.scalar is not None and alike(command.scalar, value.value)
        _require(same, command.scalar, value.value)
    elif isinstance(value, Vector):
        values = unboxed(evaluator, value.values)
        found = zip(map(evaluator.labels, value.ids.tolist()), values, strict=True)
        compare_vector(command, list(found))
    else:
        _compare_matrix(command, list(rows(evaluator, value)))


def compare_vector(command: Eval, found: list[tuple[Labels, Point]]) -> None:
    expected = [(each.labels, each.values[0], 0 in each.hinted) for each in command.series]
    if "ordered" not in command.expects:
        expected, found = sorted(expected, key=lambda row: row[0]), sorted(found, key=lambda row: row[0])
    same = [row[0] for row in expected] == [row[0] for row in found] and all(
        alike(want, have, hinted) for (_, want, hinted), (_, have) in zip(expected, found, strict=True)
    )
    _require(same and command.scalar is None, expected if command.scalar is None else command.scalar, found)


def _compare_matrix(command: Eval, found: list[Row]) -> None:
    names = [labels for labels, _ in found]
    _require(all(a < b for a, b in pairwise(names)), "series sorted by labels", names)
    times = range(command.start_ms, command.end_ms + 1, command.step_ms)
    expected: list[Row] = []
    hinted: dict[Labels, set[int]] = {}
    for each in sorted(command.series, key=lambda each: each.labels):
        timed = dict(zip(times, each.values, strict=False))
        expected.append((each.labels, {time: point for time, point in timed.items() if point is not None}))
        hinted[each.labels] = {times[row] for row in each.hinted}
    _require(all(len(each.values) <= len(times) for each in command.series), "as many points", len(times))
    same = [(labels, points.keys()) for labels, points in expected] == [
        (labels, points.keys()) for labels, points in found
    ] and all(
        alike(point, have[time], time in hinted[labels])
        for (labels, want), (_, have) in zip(expected, found, strict=True)
        for time, point in want.items()
    )
    _require(same and command.scalar is None, expected, found)


def _require(same: bool, expected: object, found: object) -> None:
    if not same:
        raise MismatchError(f"{found}, not {expected}")


def rows(evaluator: Evaluator, matrix: Matrix) -> Iterator[Row]:
    """The series of a matrix."""
    for id, first, last in zip(matrix.ids.tolist(), matrix.first.tolist(), matrix.last.tolist(), strict=True):
        values = unboxed(evaluator, matrix.value[first:last])
        yield evaluator.labels(id), dict(zip(matrix.timestamp_ms[first:last].tolist(), values, strict=True))


def unboxed(evaluator: Evaluator, values: Floats) -> list[Point]:
    points: list[Point] = values.tolist()
    marks = boxed(values)
    for row, histogram in zip(
        np.flatnonzero(marks).tolist(), evaluator.histograms.unbox(values[marks]), strict=True
    ):
        points[row] = histogram
    return points


def alike(expected: Point, found: Point, hinted: bool = False) -> bool:
    """Equal to a relative error of 1e-6; `hinted`: so are the reset hints of histograms."""
    if isinstance(expected, Histogram) and isinstance(found, Histogram):
        return _alike_histograms(expected, found) and (not hinted or expected.reset_hint == found.reset_hint)
    if isinstance(expected, float) and isinstance(found, float):
        return _alike_floats(expected, found)
    return expected is found


def _alike_histograms(a: Histogram, b: Histogram) -> bool:
    layouts = [(each.schema, each.zero_threshold, each.custom_values) for each in (a, b)]
    sides = [(filled(a.positive), filled(b.positive)), (filled(a.negative), filled(b.negative))]
    return (
        layouts[0] == layouts[1]
        and all(map(_alike_floats, (a.count, a.sum, a.zero_count), (b.count, b.sum, b.zero_count)))
        and all(one.keys() == other.keys() for one, other in sides)
        and all(_alike_floats(one[index], other[index]) for one, other in sides for index in one)
    )


def _alike_floats(a: float, b: float) -> bool:
    """The staleness marker is only like itself, other NaNs are like each other."""
    if _stale(a) or _stale(b):
        return _stale(a) and _stale(b)
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    difference, total = abs(a - b), abs(a) + abs(b)
    if a == 0 or b == 0 or total < SMALLEST:
        return difference < EPSILON * SMALLEST
    return difference / min(total, LARGEST) < EPSILON


def _stale(value: float) -> bool:
    return bool(struct.unpack("<Q", struct.pack("<d", value))[0] == STALE_BITS)
