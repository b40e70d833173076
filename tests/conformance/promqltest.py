"""Runs Prometheus's PromQL scripts against the evaluator, by the rules of its own test engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from sentinel.errors import QueryError
from sentinel.promql import Evaluator, Matrix, Scalar, Value, ast, parse, to_text
from sentinel.promql.plan import Query
from tests.conformance.promqltest_compare import (
    MismatchError,
    compare_failure,
    compare_notes,
    compare_value,
    compare_vector,
    rows,
)
from tests.conformance.promqltest_load import Storage
from tests.conformance.promqltest_script import Clear, Eval, Load, read_script

_OF_CONTEXT: Final = re.compile(r"(start|end|range|step)\(\)")
_OF_TIME: Final = {
    "time",
    "timestamp",
    "start",
    "end",
    "range",
    "step",
    "predict_linear",
    "hour",
    "minute",
} | {
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "month",
    "year",
}
"""Functions whose value depends on when they are evaluated, whatever `@` says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One evaluation of a script: what went wrong, "" if nothing did."""

    where: str
    """`script:line`."""
    tier: str
    expr: str
    error: str = ""


def tiers(folder: Path) -> dict[str, str]:
    """Tier by `script:line`."""
    cases = json.loads((folder / "index.json").read_text())["cases"]
    return {f"{case['file'].removesuffix('.test')}:{case['line']}": case["tier"] for case in cases}


def run_script(path: Path, tier_of: dict[str, str]) -> Iterator[Outcome]:
    """The outcome of each evaluation of a script, in its order."""
    for line, expr, error in run_text(path.read_text()):
        where = f"{path.stem}:{line}"
        yield Outcome(where, tier_of[where], expr, error)


def run_text(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, expression and error ("" if there is none) of each evaluation."""
    storage = Storage()
    for command in read_script(text):
        if isinstance(command, Clear):
            storage = Storage()
        elif isinstance(command, Load):
            storage.load(command)
        else:
            yield command.line, command.expr, storage.lacking or _failure(storage, command)


def _failure(storage: Storage, command: Eval) -> str:
    """What is wrong. An exception that is no QueryError fails its evaluation, not the whole script."""
    evaluator = Evaluator(storage.store, delayed_name_removal=True)
    for expr, at_ms in _ways(command):
        try:
            (_check_instant if command.instant else _check_range)(evaluator, command, expr, at_ms)
        except MismatchError as mismatch:
            return f"{expr}: {mismatch}"
        except Exception as error:
            return f"{expr}: {type(error).__name__}: {error}"
    return ""


def _ways(command: Eval) -> Iterator[tuple[str, int]]:
    """Expressions and times that give one result: as it stands, then pinned with `@` at other times."""
    at_ms = command.end_ms
    yield command.expr, at_ms
    try:
        expr = parse(command.expr)
    except QueryError:
        return
    of_time = any(isinstance(node, ast.Call) and node.function in _OF_TIME for node in ast.walk(expr))
    if command.instant and not of_time:
        pinned = to_text(pin(expr, at_ms))
        others = (-10 * at_ms, 0, at_ms // 5, at_ms, 10 * at_ms) if at_ms else (-1000, 0, 1000)
        yield from ((pinned, other) for other in others)


def pin(node: ast.Expr, at_ms: int) -> ast.Expr:
    """The expression with `@ at` on every outermost selector or subquery that has no time of its own."""
    if isinstance(node, ast.Selector | ast.Subquery):
        return node if isinstance(node.at, int) else replace(node, at=at_ms)
    return replace(node, **{field.name: _pinned(getattr(node, field.name), at_ms) for field in fields(node)})


def _pinned(value: Any, at_ms: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_pinned(each, at_ms) for each in value)
    return pin(value, at_ms) if isinstance(value, ast.Expr) else value


def _evaluated(evaluator: Evaluator, command: Eval, expr: str, run: Callable[[Query], Value]) -> Value | None:
    """The value after it was compared; None if the evaluation failed as it should."""
    try:
        query = evaluator.prepare(expr)
        value = run(query)
        if isinstance(value, Matrix):
            value = evaluator.in_order(value)
    except QueryError as error:
        compare_failure(command, str(error))
        return None
    if "fail" in command.expects:
        raise MismatchError("should fail")
    compare_notes(command, query)
    compare_value(evaluator, command, value)
    return value


def _check_range(evaluator: Evaluator, command: Eval, expr: str, end_ms: int) -> None:
    start_ms, step_ms = command.start_ms, command.step_ms
    _evaluated(evaluator, command, expr, lambda query: evaluator.range(query, start_ms, end_ms, step_ms))


def _check_instant(evaluator: Evaluator, command: Eval, expr: str, at_ms: int) -> None:
    """As an instant query and, where it can be one, as the middle of a range query."""
    value = _evaluated(evaluator, command, expr, lambda query: evaluator.instant(query, at_ms))
    fixed = command.matrix or command.string is not None or _OF_CONTEXT.search(expr)
    if value is None or fixed:
        return
    times = at_ms - 60_000, at_ms + 60_000, 60_000
    try:
        found = list(rows(evaluator, evaluator.in_order(evaluator.range(evaluator.prepare(expr), *times))))
    except QueryError as error:
        raise MismatchError(f"as a range: {error}") from error
    now = [(labels, points[at_ms]) for labels, points in found if at_ms in points]
    try:
        if isinstance(value, Scalar):
            ((_, point),) = now
            assert isinstance(point, float)
            compare_value(evaluator, command, Scalar(point))
        elif "ordered" not in command.expects:
            compare_vector(command, now)
    except MismatchError as mismatch:
        raise MismatchError(f"as a range: {mismatch}") from mismatch
