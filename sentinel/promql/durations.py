"""Durations that are computed: `[2 * step()]`, `offset (1h + 5m)`. A query's own times make them numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from sentinel.errors import QueryError
from sentinel.promql import ast
from sentinel.promql.syntax.literals import MAX_SECONDS

_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
    "^": math.pow,
}
BY_ZERO: Final = {"/": "division by zero", "%": "modulo by zero"}


def resolved(expr: ast.Expr, *, start_ms: int, end_ms: int, step_ms: int) -> ast.Expr:
    """The tree with every duration a number of ms; the same object if they all were.

    `step_ms` is what `step()` stands for, 0 in an instant query; `range()` is the time from start to end.
    Raises QueryError in Prometheus's words: in front are the offsets at which the expression begins and ends.
    """
    times = _Times(step_ms / 1000, (end_ms - start_ms) / 1000)
    return ast.rebuilt(expr, times.in_ms)


def as_instant(expr: ast.Expr) -> ast.Expr:
    """The expression as an instant query reads it; as it is, if its durations make no sense there."""
    try:
        return resolved(expr, start_ms=0, end_ms=0, step_ms=0)
    except QueryError:
        return expr


def constant_ms(expr: ast.Expr) -> int:
    """The value in ms of an expression that no query's times change and that has a value; else 0."""
    try:
        if any(isinstance(node, ast.Call) and not node.args for node in ast.walk(expr)):
            return 0
        return _Times(0, 0).milliseconds(expr, negative=True)
    except QueryError:
        return 0


@dataclass(frozen=True, slots=True)
class _Times:
    """What `step()` and `range()` are, in seconds."""

    step: float
    range: float

    def in_ms(self, node: ast.Expr) -> ast.Expr:
        """The node with its own durations computed."""
        match node:
            case ast.Selector() if node.offset_expr is not None:
                offset_ms = self.milliseconds(node.offset_expr, negative=True)
                return replace(node, offset_ms=offset_ms, offset_expr=None)
            case ast.Range() if node.range_expr is not None:
                return replace(node, range_ms=self.milliseconds(node.range_expr), range_expr=None)
            case ast.Subquery() if node.offset_expr or node.step_expr or node.range_expr:
                return replace(
                    node,
                    offset_ms=self._or(node.offset_ms, node.offset_expr, negative=True),
                    step_ms=self._or(node.step_ms, node.step_expr),
                    range_ms=self._or(node.range_ms, node.range_expr),
                    range_expr=None,
                    step_expr=None,
                    offset_expr=None,
                )
        return node

    def _or(self, number: int, expr: ast.Expr | None, *, negative: bool = False) -> int:
        return number if expr is None else self.milliseconds(expr, negative=negative)

    def milliseconds(self, expr: ast.Expr, *, negative: bool = False) -> int:
        """The expression's value, cut off to ms; `negative` tells whether it may be none or less."""
        value = self._seconds(expr)
        if not math.isfinite(value):
            _fail(expr, "duration is NaN or infinite")
        if value <= 0 and not negative:
            _fail(expr, "duration must be greater than 0")
        if abs(value) > MAX_SECONDS:
            _fail(expr, "duration is out of range")
        return int(value * 1000)

    def _seconds(self, expr: ast.Expr) -> float:
        match expr:
            case ast.Number():
                return expr.value
            case ast.Paren():
                return self._seconds(expr.expr)
            case ast.Unary():
                return -self._seconds(expr.expr)
            case ast.Call(args=()):
                return self.step if expr.function == "step" else self.range
            case ast.Call(args=(left, right)):
                both = self._seconds(left), self._seconds(right)
                if any(map(math.isnan, both)):
                    return math.nan
                return min(both) if expr.function == "min_of" else max(both)
            case ast.Binary():
                return self._binary(expr)
        raise AssertionError(f"no duration: {type(expr).__name__}")

    def _binary(self, node: ast.Binary) -> float:
        left, right = self._seconds(node.left), self._seconds(node.right)
        if right == 0 and node.op in BY_ZERO:
            _fail(node, BY_ZERO[node.op])
        try:
            return _ARITHMETIC[node.op](left, right)
        except OverflowError:
            return math.inf
        except ValueError:  # where Go's functions answer NaN, or infinity for a power of zero
            return math.nan


def _fail(expr: ast.Expr, message: str) -> NoReturn:
    start, end = ast.bare(expr).span
    raise QueryError(f"{start}:{end}: {message}", position=start)
