"""Runs Prometheus's PromQL scripts against the evaluator, by the rules of its own test engine."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from promqltest_script import Clear, Eval, Load, Sample, read_script

from sentinel.errors import QueryError
from sentinel.model import STALE_BITS, Labels
from sentinel.promql import Evaluator, Matrix, Scalar, String, Value, Vector, ast, parse, to_text
from sentinel.promql.plan import Query
from sentinel.store.store import Store

_EPSILON: Final = 1e-6
_SMALLEST: Final = 2.2250738585072014e-308
_OF_CONTEXT: Final = re.compile(r"(start|end|range|step)\(\)")
_OF_TIME: Final = frozenset(
    (
        "time",
        "timestamp",
        "predict_linear",
        "minute",
        "hour",
        "month",
        "year",
        "days_in_month",
        "day_of_month",
    )
) | {"day_of_week", "day_of_year", "start", "end", "step", "range"}


@dataclass(slots=True)
class Outcome:
    """One evaluation of a script: what went wrong, "" if nothing did, or why it was not run."""

    line: int
    tier: str
    error: str = ""
    skipped: str = ""


class MismatchError(Exception):
    """The evaluator's answer is not the script's."""


def tiers(folder: Path) -> dict[tuple[str, int], str]:
    cases = json.loads((folder / "index.json").read_text())["cases"]
    return {(case["file"], case["line"]): case["tier"] for case in cases}


def run_script(path: Path, tier_of: dict[tuple[str, int], str]) -> Iterator[Outcome]:
    """The outcome of each evaluation of a script, in its order."""
    store, native = Store(retention_ms=10**14), False
    for command in read_script(path.read_text()):
        if isinstance(command, Clear):
            store, native = Store(retention_ms=10**14), False
        elif isinstance(command, Load):
            native |= command.native
            _load(store, command)
        else:
            outcome = Outcome(command.line, tier_of.get((path.name, command.line), "A"))
            if outcome.tier != "A" and (native or command.native):
                outcome.skipped = "native histograms or start timestamps"
            else:
                outcome.error = _failure(store, command)
            yield outcome


def _load(store: Store, load: Load) -> None:
    for labels, values in dict(load.series).items():  # of a series given twice, the last counts
        rows = [(row * load.step_ms, value) for row, value in enumerate(values) if value is not None]
        store.add(labels, [time for time, _ in rows], [value for _, value in rows])


def _failure(store: Store, command: Eval) -> str:
    evaluator = Evaluator(store, delayed_name_removal=True)
    try:
        if command.instant:
            _check_instant(evaluator, command)
        else:
            _check(evaluator, command, command.expr, None)
    except MismatchError as mismatch:
        return str(mismatch)
    return ""


def _check_instant(evaluator: Evaluator, command: Eval) -> None:
    """As it stands, then pinned with `@` and evaluated at other times, each also as a range query."""
    at_ms = command.at_ms
    for expr, time in [(command.expr, at_ms), *_pinned(command.expr, at_ms)]:
        if _check(evaluator, command, expr, time) and _has_range_form(command, expr):
            _check_middle(evaluator, command, expr, time)


def _pinned(text: str, at_ms: int) -> list[tuple[str, int]]:
    try:
        expr = parse(text)
    except QueryError:
        return []
    if any(isinstance(node, ast.Call) and node.function in _OF_TIME for node in ast.walk(expr)):
        return []
    times = (-10 * at_ms, 0, at_ms // 5, at_ms, 10 * at_ms) if at_ms else (-1000, 0, 1000)
    pinned = to_text(pin(expr, at_ms))
    return [(pinned, time) for time in times]


def pin(node: ast.Expr, at_ms: int) -> ast.Expr:
    """The expression with `@ at` on every outermost selector or subquery that has none."""
    if isinstance(node, ast.Selector):
        return node if node.at is not None else replace(node, at=at_ms)
    if isinstance(node, ast.Range):
        return (
            node if node.selector.at is not None else replace(node, selector=replace(node.selector, at=at_ms))
        )
    if isinstance(node, ast.Subquery):
        return node if node.at is not None else replace(node, at=at_ms)
    if isinstance(node, ast.Call):
        return replace(node, args=tuple(pin(arg, at_ms) for arg in node.args))
    if isinstance(node, ast.Binary):
        return replace(node, left=pin(node.left, at_ms), right=pin(node.right, at_ms))
    if isinstance(node, ast.Aggregation):
        param = None if node.param is None else pin(node.param, at_ms)
        return replace(node, expr=pin(node.expr, at_ms), param=param)
    if isinstance(node, ast.Unary | ast.Paren):
        return replace(node, expr=pin(node.expr, at_ms))
    return node


def _has_range_form(command: Eval, expr: str) -> bool:
    fixed = command.matrix or command.string is not None or "ordered" in command.expects
    return not fixed and not _OF_CONTEXT.search(expr)


def _check(evaluator: Evaluator, command: Eval, expr: str, at_ms: int | None) -> bool:
    """Evaluates and compares; false if the evaluation failed as it should."""
    try:
        query = evaluator.prepare(expr)
        if at_ms is None:
            value: Value = evaluator.range(query, command.start_ms, command.end_ms, command.step_ms)
        else:
            value = evaluator.instant(query, at_ms)
    except QueryError as error:
        if "fail" not in command.expects:
            raise MismatchError(f"{expr}: {error}") from error
        if not any(_says(str(error), how, text) for how, text in command.expects["fail"]):
            raise MismatchError(f"{expr}: fails with other words: {error}") from error
        return False
    if "fail" in command.expects:
        raise MismatchError(f"{expr}: should fail")
    _compare_notes(command, query)
    _compare(evaluator, command, value, expr)
    return True


def _says(message: str, how: str, text: str) -> bool:
    if how == "regex":
        return re.search(text, message) is not None
    return not text or message == text


def _compare_notes(command: Eval, query: Query) -> None:
    for word, notes in (("warn", query.warnings), ("info", query.infos)):
        expected = command.expects.get(word, [])
        if expected and not notes:
            raise MismatchError(f"no {word} annotation")
        if notes and f"no_{word}" in command.expects:
            raise MismatchError(f"unexpected {word}: {notes}")
        told = [(how, text) for how, text in expected if text]
        for note in notes if told else []:
            if not any(_says(note, how, text) for how, text in told):
                raise MismatchError(f"unexpected {word}: {note}")
        for how, text in told:
            if not any(_says(note, how, text) for note in notes):
                raise MismatchError(f"missing {word}: {text} in {notes}")


def _compare(evaluator: Evaluator, command: Eval, value: Value, expr: str) -> None:
    if isinstance(value, String):
        if value.value != command.string:
            raise MismatchError(f"{expr}: {value.value!r}, not {command.string!r}")
    elif isinstance(value, Scalar):
        if command.scalar is None or not alike(command.scalar, value.value):
            raise MismatchError(f"{expr}: {value.value}, not {command.scalar}")
    elif isinstance(value, Vector):
        found = [
            (evaluator.labels(id), x) for id, x in zip(value.ids.tolist(), value.values.tolist(), strict=True)
        ]
        _compare_vector(command, found, expr)
    else:
        _compare_matrix(evaluator, command, value, expr)


def _compare_vector(command: Eval, found: list[tuple[Labels, float]], expr: str) -> None:
    expected = [(labels, values[0]) for labels, values in command.series]
    if "ordered" not in command.expects:
        expected, found = sorted(expected, key=lambda row: row[0]), sorted(found, key=lambda row: row[0])
    same = len(expected) == len(found) and all(
        a[0] == b[0] and alike(a[1], b[1]) for a, b in zip(expected, found, strict=True)
    )
    if not same or command.scalar is not None:
        raise MismatchError(
            f"{expr}: {found}, not {command.scalar if command.scalar is not None else expected}"
        )


def _compare_matrix(evaluator: Evaluator, command: Eval, matrix: Matrix, expr: str) -> None:
    times = range(command.start_ms, command.end_ms + 1, command.step_ms)
    found = dict(rows(evaluator, matrix))
    expected = {
        labels: [(times[row], value) for row, value in enumerate(values) if value is not None]
        for labels, values in command.series
    }
    same = expected.keys() == found.keys() and all(
        [t for t, _ in expected[labels]] == [t for t, _ in found[labels]]
        and all(alike(a, b) for (_, a), (_, b) in zip(expected[labels], found[labels], strict=True))
        for labels in expected
    )
    if not same:
        raise MismatchError(f"{expr}: {found}, not {expected}")


def rows(evaluator: Evaluator, matrix: Matrix) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
    """Labels and (time, value) pairs of each row."""
    for id, first, last in zip(matrix.ids.tolist(), matrix.first.tolist(), matrix.last.tolist(), strict=True):
        times, values = matrix.timestamp_ms[first:last].tolist(), matrix.value[first:last].tolist()
        yield evaluator.labels(id), list(zip(times, values, strict=True))


def _check_middle(evaluator: Evaluator, command: Eval, expr: str, at_ms: int) -> None:
    try:
        matrix = evaluator.range(evaluator.prepare(expr), at_ms - 60_000, at_ms + 60_000, 60_000)
    except QueryError as error:
        raise MismatchError(f"{expr} as a range: {error}") from error
    found = [(labels, dict(samples)) for labels, samples in rows(evaluator, matrix)]
    now = [(labels, samples[at_ms]) for labels, samples in found if at_ms in samples]
    if command.scalar is not None:
        if len(now) != 1 or not alike(now[0][1], command.scalar):
            raise MismatchError(f"{expr} as a range: {now}, not {command.scalar}")
        return
    _compare_vector(command, now, f"{expr} as a range")


def alike(a: Sample, b: Sample) -> bool:
    """Equal to a relative error of 1e-6; the staleness marker is only like itself."""
    if a is None or b is None:
        return a is b
    if _stale(a) or _stale(b):
        return _stale(a) and _stale(b)
    if math.isnan(a) or math.isnan(b) or a == b:
        return a == b or (math.isnan(a) and math.isnan(b))
    difference, total = abs(a - b), abs(a) + abs(b)
    if a == 0 or b == 0 or total < _SMALLEST:
        return difference < _EPSILON * _SMALLEST
    return difference / min(total, 1.7976931348623157e308) < _EPSILON


def _stale(value: float) -> bool:
    return bool(struct.unpack("<Q", struct.pack("<d", value))[0] == STALE_BITS)
