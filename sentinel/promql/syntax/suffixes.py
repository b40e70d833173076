"""What follows an expression and changes what times it reads: ranges, `offset`, `@`, `anchored`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Protocol, TypeVar, cast

from sentinel.promql import ast
from sentinel.promql.syntax.clauses import number
from sentinel.promql.syntax.cursor import Cursor
from sentinel.promql.syntax.lengths import offset_clause, range_clause

_Timed = TypeVar("_Timed", ast.Selector, ast.Subquery)

_MAX_AT_MS: Final = 2**51
"""The year 73,000: floats of seconds hold milliseconds until then, and no offset leads out of 64 bits."""


def suffixed(cursor: Cursor, expr: ast.Expr) -> ast.Expr:
    """The expression with all suffixes that follow."""
    length = 0
    while True:
        word = cursor.word()
        if cursor.at("["):
            expr = _with_range(cursor, expr)
        elif word == "offset":
            expr = _with_offset(cursor, expr)
        elif cursor.at("@"):
            expr = _with_at(cursor, expr)
        elif word in ("anchored", "smoothed"):
            expr = _extended(cursor, expr, cast(ast.Extended, word))
        else:
            return expr
        length = cursor.longer(length)


def _with_range(cursor: Cursor, expr: ast.Expr) -> ast.Expr:
    start = cursor.peek().start
    length, step = range_clause(cursor)
    span = (expr.span[0], cursor.last.end)
    if step is not None:
        return ast.Subquery(expr, length.ms, step.ms, range_expr=length.expr, step_expr=step.expr, span=span)
    if not isinstance(expr, ast.Selector):
        cursor.fail(start, "ranges only allowed for vector selectors")
    if expr.offset_ms or expr.offset_expr is not None:
        cursor.fail(start, "no offset modifiers allowed before range")
    if expr.at is not None:
        cursor.fail(start, "no @ modifiers allowed before range")
    return ast.Range(expr, length.ms, length.expr, span=span)


def _with_offset(cursor: Cursor, expr: ast.Expr) -> ast.Expr:
    offset = offset_clause(cursor)

    def shift(timed: _Timed) -> _Timed:
        if timed.offset_ms or timed.offset_expr is not None:
            cursor.fail(expr.span[0], "offset may not be set multiple times")
        return replace(timed, offset_ms=offset.ms, offset_expr=offset.expr)

    return _changed(cursor, expr, shift, "offset")


def _with_at(cursor: Cursor, expr: ast.Expr) -> ast.Expr:
    at = _time(cursor, expr)

    def pin(timed: _Timed) -> _Timed:
        if timed.at is not None:
            cursor.fail(expr.span[0], "@ <timestamp> may not be set multiple times")
        return replace(timed, at=at)

    return _changed(cursor, expr, pin, "@")


def _time(cursor: Cursor, expr: ast.Expr) -> ast.At:
    """`@ 1.5`, `@ start()`, `@ end()`; times in ms."""
    cursor.next()
    with cursor.within("@", "timestamp"):
        word = cursor.word()
        if word in ("start", "end"):
            cursor.next()
            cursor.expect("(")
            cursor.expect(")")
            return "start" if word == "start" else "end"
        sign = cursor.next().text if cursor.at("+") or cursor.at("-") else "+"
        value = number(cursor)
        if value is None:
            cursor.unexpected()
    value = -value if sign == "-" else value
    if not abs(value) * 1000 < _MAX_AT_MS:
        shown = f"{value:f}" if math.isfinite(value) else f"{value:+f}".title().replace("+Nan", "NaN")
        cursor.fail(expr.span[0], f"timestamp out of bounds for @ modifier: {shown}")
    return int(value * 1000 + math.copysign(0.5, value))


def _extended(cursor: Cursor, expr: ast.Expr, word: ast.Extended) -> ast.Expr:
    cursor.next()
    if isinstance(expr, ast.Subquery):
        cursor.fail(expr.span[0], f"{word} modifier is not supported for subqueries")
    selector = expr.selector if isinstance(expr, ast.Range) else expr
    if not isinstance(selector, ast.Selector):
        cursor.fail(expr.span[0], f"{word} modifier not implemented")
    if selector.extended not in ("", word):
        cursor.fail(expr.span[0], "anchored and smoothed modifiers cannot be used together")
    selector = replace(selector, extended=word)
    return replace(expr, selector=selector) if isinstance(expr, ast.Range) else selector


class _Change(Protocol):
    def __call__(self, timed: _Timed) -> _Timed: ...


def _changed(cursor: Cursor, expr: ast.Expr, change: _Change, modifier: str) -> ast.Expr:
    """The expression changed where it keeps its times, ending where the cursor is."""
    span = (expr.span[0], cursor.last.end)
    if isinstance(expr, ast.Range):
        return replace(expr, selector=change(expr.selector), span=span)
    if isinstance(expr, ast.Selector):
        return replace(change(expr), span=span)
    if not isinstance(expr, ast.Subquery):
        kinds = "an instant vector selector or range vector selector or a subquery"
        cursor.fail(expr.span[0], f"{modifier} modifier must be preceded by {kinds}")
    return replace(change(expr), span=span)
