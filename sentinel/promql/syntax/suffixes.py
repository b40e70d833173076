"""What follows an expression and changes the times it reads: `[range]`, `[range:step]`, `offset`, `@`."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, TypeVar

from sentinel.promql import ast

_Timed = TypeVar("_Timed", ast.Selector, ast.Subquery)


def with_range(expr: ast.Expr, range_ms: int, step_ms: int | None, end: int) -> ast.Expr:
    """`expr[range]`, or `expr[range:step]` if there was a colon. ValueError says what is wrong."""
    span = (expr.span[0], end)
    if step_ms is not None:
        return ast.Subquery(expr, range_ms, step_ms, span=span)
    if not isinstance(expr, ast.Selector):
        raise ValueError("ranges only allowed for vector selectors")
    if expr.offset_ms:
        raise ValueError("no offset modifiers allowed before range")
    if expr.at is not None:
        raise ValueError("no @ modifiers allowed before range")
    return ast.Range(expr, range_ms, span=span)


def with_offset(expr: ast.Expr, offset_ms: int, end: int) -> ast.Expr:
    """`expr offset o`. ValueError says what is wrong."""

    def shift(timed: _Timed) -> _Timed:
        if timed.offset_ms:
            raise ValueError("offset may not be set multiple times")
        return replace(timed, offset_ms=offset_ms)

    return _changed(expr, end, shift, "offset")


def with_at(expr: ast.Expr, at: ast.At, end: int) -> ast.Expr:
    """`expr @ t`. ValueError says what is wrong."""

    def pin(timed: _Timed) -> _Timed:
        if timed.at is not None:
            raise ValueError("@ <timestamp> may not be set multiple times")
        return replace(timed, at=at)

    return _changed(expr, end, pin, "@")


class _Change(Protocol):
    def __call__(self, timed: _Timed) -> _Timed: ...


def _changed(expr: ast.Expr, end: int, change: _Change, modifier: str) -> ast.Expr:
    """The expression changed where it keeps its times, ending at `end` now."""
    span = (expr.span[0], end)
    if isinstance(expr, ast.Range):
        return replace(expr, selector=change(expr.selector), span=span)
    if isinstance(expr, ast.Selector):
        return replace(change(expr), span=span)
    if isinstance(expr, ast.Subquery):
        return replace(change(expr), span=span)
    kinds = "an instant vector selector or range vector selector or a subquery"
    raise ValueError(f"{modifier} modifier must be preceded by {kinds}")
