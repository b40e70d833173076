"""Syntax tree to text. `parse(to_text(expr)) == expr` for every tree the parser makes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from sentinel.model import Duration, Labels, Matcher
from sentinel.promql import ast
from sentinel.promql.syntax.literals import LEGACY_NAME, quoted

_NOT_BARE: Final = frozenset(("without", "inf", "nan"))
"""Names that mean something else where a list of labels is read."""


def to_text(expr: ast.Expr) -> str:
    """One line in Prometheus's own style."""
    match expr:
        case ast.Number():
            return _number(expr)
        case ast.Text():
            return quoted(expr.value)
        case ast.Selector():
            return _series(expr) + _at(expr) + _extended(expr) + _offset(expr)
        case ast.Range():
            inner = expr.selector
            times = _extended(inner) + _at(inner) + _offset(inner)
            return f"{_series(inner)}[{_length(expr.range_ms, expr.range_expr)}]{times}"
        case ast.Subquery():
            return to_text(expr.expr) + subquery_times(expr)
        case ast.Call():
            return f"{expr.function}({', '.join(map(to_text, expr.args))})"
        case ast.Aggregation():
            param = f"{to_text(expr.param)}, " if expr.param is not None else ""
            return f"{aggregation_head(expr)}({param}{to_text(expr.expr)})"
        case ast.Binary():
            left = to_text(expr.left)
            # Of infinity: before a power the sign would be the power's.
            return (
                f"{left.removeprefix('+') if expr.op == '^' else left} {operator(expr)} {to_text(expr.right)}"
            )
        case ast.Unary():
            return expr.op + to_text(expr.expr)
        case ast.Paren():
            return f"({to_text(expr.expr)})"
    raise AssertionError(f"no such node: {type(expr).__name__}")


def series_text(labels: Labels) -> str:
    """A label set as Prometheus's messages write it: `{__name__="up", job="a"}`."""
    return "{" + ", ".join(f"{_name(name)}={quoted(value)}" for name, value in labels) + "}"


def number(value: float) -> str:
    """The shortest decimal without an exponent that reads back as the same float, as Go's 'f' format."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, exponent = text.split("e")
    sign, digits = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    point = len(whole) + int(exponent)
    figures = (whole + fraction).ljust(point, "0")
    if point <= 0:
        return f"{sign}0.{'0' * -point}{figures}"
    return (
        f"{sign}{figures[:point]}.{figures[point:]}".rstrip("0").rstrip(".")
        if point < len(figures)
        else sign + figures
    )


def matcher_text(matcher: Matcher) -> str:
    return f"{_name(matcher.name)}{matcher.op}{quoted(matcher.value)}"


def aggregation_head(expr: ast.Aggregation) -> str:
    """What stands before the parenthesis: `sum by (job) `."""
    if not expr.without and not expr.labels:
        return expr.op
    return f"{expr.op} {'without' if expr.without else 'by'} {_names(expr.labels)} "


def operator(expr: ast.Binary) -> str:
    """The operator with its modifiers: `/ on (a) group_left (b)`."""
    matching, text = expr.matching, expr.op + (" bool" if expr.return_bool else "")
    if matching.on or matching.labels or matching.group:
        text += f" {'on' if matching.on else 'ignoring'} {_names(matching.labels)}"
    if matching.group:
        text += f" group_{matching.group} {_names(matching.include)}"
    left, right = matching.fill_left, matching.fill_right
    if left is not None and left == right:
        return f"{text} fill ({_general(left)})"
    text += f" fill_left ({_general(left)})" if left is not None else ""
    return text + (f" fill_right ({_general(right)})" if right is not None else "")


def subquery_times(expr: ast.Subquery) -> str:
    """What follows a subquery's expression: `[1h:5m] @ end() offset 1m`."""
    step = _length(expr.step_ms, expr.step_expr) if expr.step_ms or expr.step_expr is not None else ""
    return f"[{_length(expr.range_ms, expr.range_expr)}:{step}]{_at(expr)}{_offset(expr)}"


def _general(value: float) -> str:
    """As Go's %v verb: with an exponent where the number is very large or small."""
    plain = not value or 1e-4 <= abs(value) < 1e21 or not math.isfinite(value)
    return number(value) if plain else repr(value)


def _number(expr: ast.Number) -> str:
    if not expr.duration:
        return number(expr.value)
    sign = "-" if expr.value < 0 else ""
    return f"{sign}{Duration(round(abs(expr.value) * 1000))}"


def _length(ms: int, expr: ast.Expr | None) -> str:
    return str(Duration(ms)) if expr is None else to_text(expr)


def _series(selector: ast.Selector) -> str:
    matchers = [matcher_text(m) for m in selector.matchers[: -1 if selector.name else None]]
    return selector.name + (f"{{{','.join(matchers)}}}" if matchers or not selector.name else "")


def _name(label: str) -> str:
    return label if LEGACY_NAME.fullmatch(label) else quoted(label)


def _names(labels: Iterable[str]) -> str:
    shown = (quoted(label) if label.lower() in _NOT_BARE else _name(label) for label in labels)
    return f"({', '.join(shown)})"


def _at(timed: ast.Selector | ast.Subquery) -> str:
    if timed.at is None:
        return ""
    return f" @ {_seconds(timed.at)}" if isinstance(timed.at, int) else f" @ {timed.at}()"


def _seconds(ms: int) -> str:
    """With three decimals, of integers that no float holds too."""
    whole, rest = divmod(abs(ms), 1000)
    return f"{'-' if ms < 0 else ''}{whole}.{rest:03}"


def _extended(selector: ast.Selector) -> str:
    return f" {selector.extended}" if selector.extended else ""


def _offset(timed: ast.Selector | ast.Subquery) -> str:
    if timed.offset_expr is not None:
        return f" offset {to_text(timed.offset_expr)}"
    sign = "-" if timed.offset_ms < 0 else ""
    return f" offset {sign}{Duration(abs(timed.offset_ms))}" if timed.offset_ms else ""
