"""Syntax tree to text. `parse(to_text(expr)) == expr` for every tree the parser makes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sentinel.model import Duration, Labels, Matcher
from sentinel.promql import ast
from sentinel.promql.syntax.literals import LEGACY_NAME, quoted


def to_text(expr: ast.Expr) -> str:
    """One line in Prometheus's own style."""
    match expr:
        case ast.Number():
            return _number(expr)
        case ast.Text():
            return quoted(expr.value)
        case ast.Selector():
            return _series(expr) + _times(expr)
        case ast.Range():
            return f"{_series(expr.selector)}[{Duration(expr.range_ms)}]{_times(expr.selector)}"
        case ast.Subquery():
            step = Duration(expr.step_ms) if expr.step_ms else ""
            return f"{to_text(expr.expr)}[{Duration(expr.range_ms)}:{step}]{_times(expr)}"
        case ast.Call():
            return f"{expr.function}({', '.join(map(to_text, expr.args))})"
        case ast.Aggregation():
            return _aggregation(expr)
        case ast.Binary():
            modifiers = (" bool" if expr.return_bool else "") + _matching(expr.matching)
            return f"{to_text(expr.left)} {expr.op}{modifiers} {to_text(expr.right)}"
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


def _number(expr: ast.Number) -> str:
    if not expr.duration:
        return number(expr.value)
    sign = "-" if expr.value < 0 else ""
    return f"{sign}{Duration(round(abs(expr.value) * 1000))}"


def _series(selector: ast.Selector) -> str:
    matchers = [_matcher(m) for m in selector.matchers[: -1 if selector.name else None]]
    return selector.name + (f"{{{','.join(matchers)}}}" if matchers or not selector.name else "")


def _matcher(matcher: Matcher) -> str:
    return f"{_name(matcher.name)}{matcher.op}{quoted(matcher.value)}"


def _name(label: str) -> str:
    return label if LEGACY_NAME.fullmatch(label) else quoted(label)


def _names(labels: Iterable[str]) -> str:
    return "(" + ", ".join(map(_name, labels)) + ")"


def _times(timed: ast.Selector | ast.Subquery) -> str:
    text = ""
    if isinstance(timed.at, int):
        text += f" @ {timed.at / 1000:.3f}"
    elif timed.at is not None:
        text += f" @ {timed.at}()"
    if timed.offset_ms:
        sign = "-" if timed.offset_ms < 0 else ""
        text += f" offset {sign}{Duration(abs(timed.offset_ms))}"
    return text


def _aggregation(expr: ast.Aggregation) -> str:
    grouping = ""
    if expr.without or expr.labels:
        grouping = f" {'without' if expr.without else 'by'} {_names(expr.labels)} "
    param = f"{to_text(expr.param)}, " if expr.param is not None else ""
    return f"{expr.op}{grouping}({param}{to_text(expr.expr)})"


def _matching(matching: ast.Matching) -> str:
    text = ""
    if matching.on or matching.labels or matching.group:
        text += f" {'on' if matching.on else 'ignoring'} {_names(matching.labels)}"
    if matching.group:
        text += f" group_{matching.group} {_names(matching.include)}"
    return text
