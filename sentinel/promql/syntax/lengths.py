"""Lengths of time in a query, of `[range:step]` and `offset`: a number, a duration or a computation."""

from __future__ import annotations

from typing import Final, NamedTuple

from sentinel.promql import ast
from sentinel.promql.durations import BY_ZERO, constant_ms
from sentinel.promql.syntax import literals
from sentinel.promql.syntax.cursor import Cursor

_WANTED: Final = "number, duration, step(), or range()"
_POWERS: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_UNARY: Final = 2


class Length(NamedTuple):
    """In ms; `expr` is there if it is more than a number, and `ms` its value if that is constant, else 0."""

    ms: int
    expr: ast.Expr | None = None


def range_clause(cursor: Cursor) -> tuple[Length, Length | None]:
    """`[range]` or `[range:step]`: range and step (None: no colon; 0: the default)."""
    cursor.expect("[")
    with cursor.within("subquery or range selector", _WANTED):
        length = _positive(cursor)
    step = None
    with cursor.within("subquery or range", '":" or "]"'):
        if cursor.take(":"):
            step = Length(0)
            if not cursor.at("]"):
                step = _step(cursor)
        cursor.expect("]")
    return length, step


def _step(cursor: Cursor) -> Length:
    with cursor.within("subquery selector", 'number, duration, step(), range(), or "]"'):
        step = _positive(cursor)
    with cursor.within("subquery selector", '"]"'):
        if not cursor.at("]"):
            cursor.unexpected()
    return step


def offset_clause(cursor: Cursor) -> Length:
    """`offset -5m`, in ms."""
    cursor.next()
    with cursor.within("offset", _WANTED):
        expr = _offset(cursor)
    if isinstance(expr, ast.Number):
        return Length(literals.milliseconds(expr.value))
    return Length(constant_ms(expr), expr)


def _offset(cursor: Cursor) -> ast.Expr:
    """What stands after `offset`: operators that follow it belong to the query, as in `x offset 5m * 2`.

    But an offset that begins with a parenthesis or with two signs goes on as long as it can.
    """
    if cursor.at("("):
        return _expression(cursor)
    if not (cursor.at("+") or cursor.at("-")):
        return _operand(cursor)
    sign = cursor.next()
    if not (cursor.at("+") or cursor.at("-")):
        return _signed(sign.text, sign.start, _operand(cursor))
    expr = _rest(cursor, _signed(sign.text, sign.start, _expression(cursor, _UNARY)), 0)
    # A plus is not kept, so that only parentheses hold together what two signs did.
    loose = isinstance(expr.expr if isinstance(expr, ast.Unary) else expr, ast.Binary)
    return ast.Paren(expr, span=expr.span) if loose else expr


def _positive(cursor: Cursor) -> Length:
    expr = _expression(cursor)
    if not isinstance(expr, ast.Number):
        return Length(max(0, constant_ms(expr)), expr)
    ms = literals.milliseconds(expr.value)
    if ms <= 0:
        cursor.fail(expr.span[0], "duration must be greater than 0")
    return Length(ms)


def _expression(cursor: Cursor, power: int = 0) -> ast.Expr:
    """A computation of operators that bind tighter than `power`."""
    with cursor.nested():
        if cursor.at("+") or cursor.at("-"):
            sign = cursor.next()
            left = _signed(sign.text, sign.start, _expression(cursor, _UNARY))
        else:
            left = _operand(cursor)
        return _rest(cursor, left, power)


def _rest(cursor: Cursor, left: ast.Expr, power: int) -> ast.Expr:
    """The operators that follow, and what they are applied to."""
    length = 0
    while cursor.peek().kind == "symbol" and (binding := _POWERS.get(cursor.peek().text, 0)) > power:
        length = cursor.longer(length)
        op = cursor.next()
        right = _expression(cursor, binding - 1 if op.text == "^" else binding)
        if op.text in BY_ZERO and isinstance(right, ast.Number) and right.value == 0:
            cursor.fail(op.start, BY_ZERO[op.text])
        left = ast.Binary(op.text, left, right, span=(left.span[0], right.span[1]))
    return left


def _operand(cursor: Cursor) -> ast.Expr:
    token = cursor.peek()
    if token.kind in ("number", "duration"):
        value = cursor.number()
        if abs(value) > literals.MAX_SECONDS:
            cursor.fail(token.start, "duration out of range")
        return ast.Number(value, token.kind == "duration", span=(token.start, token.end))
    if cursor.take("("):
        inner = _expression(cursor)
        end = cursor.expect(")").end
        return ast.Paren(ast.bare(inner), span=(token.start, end))
    if cursor.word() not in ("step", "range", "min_of", "max_of"):
        cursor.unexpected()
    return _call(cursor)


def _call(cursor: Cursor) -> ast.Expr:
    name = cursor.next()
    cursor.expect("(")
    args: tuple[ast.Expr, ...] = ()
    if name.text.lower() in ("min_of", "max_of"):
        first = _expression(cursor)
        cursor.expect(",")
        args = (first, _expression(cursor))
    end = cursor.expect(")").end
    return ast.Call(name.text.lower(), args, "scalar", span=(name.start, end))


def _signed(sign: str, start: int, expr: ast.Expr) -> ast.Expr:
    span = (start, expr.span[1])
    if isinstance(expr, ast.Number):
        return ast.Number(-expr.value if sign == "-" else expr.value, expr.duration, span=span)
    return ast.Unary("-", expr, span=span) if sign == "-" else expr
