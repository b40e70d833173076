"""Syntax tree to JSON, as Prometheus's `/api/v1/parse_query` answers."""

from __future__ import annotations

from typing import Any, Final

from sentinel.model import Matcher
from sentinel.promql import ast
from sentinel.promql.functions import FUNCTIONS
from sentinel.promql.syntax.literals import well_formed
from sentinel.promql.syntax.printer import number

_TYPES: Final[dict[ast.Kind, str]] = {"instant vector": "vector", "range vector": "matrix"}
_CARDINALITIES: Final = {"": "one-to-one", "left": "many-to-one", "right": "one-to-many"}


def as_json(expr: ast.Expr) -> dict[str, Any]:
    """The tree in dicts and lists; times and durations are in ms."""
    match expr:
        case ast.Number():
            return {"type": "numberLiteral", "val": number(expr.value)}
        case ast.Text():
            return {"type": "stringLiteral", "val": well_formed(expr.value)}
        case ast.Selector():
            return {"type": "vectorSelector", **_selector(expr)}
        case ast.Range():
            length = _length("range", expr.range_ms, expr.range_expr)
            return {"type": "matrixSelector", **_selector(expr.selector), **length}
        case ast.Subquery():
            return _subquery(expr)
        case ast.Call():
            return {"type": "call", "func": _function(expr.function), "args": list(map(as_json, expr.args))}
        case ast.Aggregation():
            return _aggregation(expr)
        case ast.Binary():
            return _binary(expr)
        case ast.Unary():
            return {"type": "unaryExpr", "op": expr.op, "expr": as_json(expr.expr)}
        case ast.Paren():
            return {"type": "parenExpr", "expr": as_json(expr.expr)}
    raise AssertionError(f"no such node: {type(expr).__name__}")


def _matcher(matcher: Matcher) -> dict[str, str]:
    return {"name": well_formed(matcher.name), "value": well_formed(matcher.value), "type": matcher.op}


def _selector(selector: ast.Selector) -> dict[str, Any]:
    return {
        "name": selector.name,
        "matchers": list(map(_matcher, selector.matchers)),
        "anchored": selector.extended == "anchored",
        "smoothed": selector.extended == "smoothed",
        **_times(selector),
    }


def _times(timed: ast.Selector | ast.Subquery) -> dict[str, Any]:
    fixed = isinstance(timed.at, int)
    return {
        "timestamp": timed.at if fixed else None,
        "startOrEnd": None if fixed else timed.at,
        **_length("offset", timed.offset_ms, timed.offset_expr),
    }


def _subquery(expr: ast.Subquery) -> dict[str, Any]:
    return {
        "type": "subquery",
        "expr": as_json(expr.expr),
        **_length("range", expr.range_ms, expr.range_expr),
        **_length("step", expr.step_ms, expr.step_expr),
        **_times(expr),
    }


def _length(name: str, ms: int, expr: ast.Expr | None) -> dict[str, Any]:
    """A duration that is computed has no value of its own here, even if it could."""
    if expr is None:
        return {name: ms, f"{name}Expr": None}
    return {name: 0, f"{name}Expr": _computed(expr)}


def _computed(expr: ast.Expr) -> dict[str, Any]:
    sides: tuple[ast.Expr | None, ast.Expr | None]
    match expr:
        case ast.Number():
            return {**as_json(expr), "duration": expr.duration}
        case ast.Paren() if not isinstance(expr.expr, ast.Number):
            return {**_computed(expr.expr), "wrapped": True}
        case ast.Paren():
            op, sides = "+", (None, expr.expr)
        case ast.Unary():
            op, sides = expr.op, (None, expr.expr)
        case ast.Binary():
            op, sides = expr.op, (expr.left, expr.right)
        case ast.Call(args=(left, right)):
            op, sides = expr.function, (left, right)
        case ast.Call():
            op, sides = expr.function, (None, None)
        case _:
            raise AssertionError(f"no duration: {type(expr).__name__}")
    left_side, right_side = (None if side is None else _computed(side) for side in sides)
    wrapped = isinstance(expr, ast.Paren)
    return {"type": "durationExpr", "op": op, "lhs": left_side, "rhs": right_side, "wrapped": wrapped}


def _function(name: str) -> dict[str, Any]:
    known = FUNCTIONS[name]
    return {
        "name": name,
        "argTypes": [_TYPES.get(kind, kind) for kind in known.parameters],
        "variadic": -1 if known.most < 0 else known.most - known.least,
        "returnType": _TYPES.get(known.returns, known.returns),
    }


def _aggregation(expr: ast.Aggregation) -> dict[str, Any]:
    return {
        "type": "aggregation",
        "op": expr.op,
        "expr": as_json(expr.expr),
        "param": None if expr.param is None else as_json(expr.param),
        "grouping": list(expr.labels),
        "without": expr.without,
    }


def _binary(expr: ast.Binary) -> dict[str, Any]:
    return {
        "type": "binaryExpr",
        "op": expr.op,
        "lhs": as_json(expr.left),
        "rhs": as_json(expr.right),
        "matching": _matching(expr),
        "bool": expr.return_bool,
    }


def _matching(expr: ast.Binary) -> dict[str, Any] | None:
    """None unless both sides are vectors."""
    if not expr.left.kind == expr.right.kind == "instant vector":
        return None
    matching = expr.matching
    several = expr.op in ast.SET_OPERATORS
    return {
        "card": "many-to-many" if several else _CARDINALITIES[matching.group],
        "labels": list(matching.labels),
        "on": matching.on,
        "include": list(matching.include),
        "fillValues": {"lhs": matching.fill_left, "rhs": matching.fill_right},
    }
