"""The parts of the grammar that are no expressions: matchers, label lists, modifiers of binary operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeVar, cast

from sentinel.model import Matcher, MatchOp
from sentinel.promql import ast
from sentinel.promql.syntax import literals
from sentinel.promql.syntax.cursor import Cursor
from sentinel.promql.syntax.regexes import check_regex

_Item = TypeVar("_Item")
_NO_LABEL: Final = frozenset(("without", "inf", "nan"))


def matchers(cursor: Cursor) -> list[Matcher]:
    """`{a="b", "metric name", ...}`."""
    cursor.expect("{")
    with cursor.within("label matching", 'identifier or "}"'):
        return _listed(cursor, "}", _matcher)


def _listed(cursor: Cursor, closing: str, read: Callable[[Cursor], _Item]) -> list[_Item]:
    """Items separated by commas, up to the closing bracket; one comma may stand before it."""
    found: list[_Item] = []
    while not cursor.take(closing):
        found.append(read(cursor))
        if not cursor.at(closing):
            context = "label matching" if closing == "}" else "grouping opts"
            with cursor.within(context, f'"," or "{closing}"'):
                cursor.expect(",")
    return found


def _matcher(cursor: Cursor) -> Matcher:
    token = cursor.peek()
    if token.kind not in ("word", "string"):
        cursor.unexpected()
    name = cursor.string() if token.kind == "string" else cursor.next().text
    if token.kind == "string" and (cursor.at(",") or cursor.at("}")):
        return Matcher("__name__", "=", name)
    with cursor.within("label matching", "label matching operator" if token.kind == "word" else '"," or "}"'):
        if cursor.peek().kind != "symbol" or cursor.peek().text not in ("=", "!=", "=~", "!~"):
            cursor.unexpected()
    op = cast(MatchOp, cursor.next().text)
    with cursor.within("label matching", "string"):
        if cursor.peek().kind != "string":
            cursor.unexpected()
    value = cursor.string()
    try:
        if op in ("=~", "!~"):
            check_regex(value)
        return Matcher(name, op, value)
    except ValueError as error:
        cursor.fail(token.start, str(error))


def label_list(cursor: Cursor) -> tuple[str, ...]:
    """`(a, b, "c d")`."""
    with cursor.within("grouping opts", '"("'):
        cursor.expect("(")
    with cursor.within("grouping opts", "label"):
        return tuple(_listed(cursor, ")", _label))


def _label(cursor: Cursor) -> str:
    token = cursor.peek()
    if token.kind == "word" and token.text.lower() not in _NO_LABEL:
        return cursor.next().text
    if token.kind != "string":
        cursor.unexpected()
    name = cursor.string()
    if not literals.is_label_name(name):
        cursor.fail(token.start, f"invalid label name for grouping: {literals.quoted(name)}")
    return name


def grouping(cursor: Cursor) -> tuple[bool, tuple[str, ...]]:
    """`by (...)` or `without (...)`: whether it is without, and the labels."""
    without = cursor.next().text.lower() == "without"
    return without, label_list(cursor)


def binary_modifiers(cursor: Cursor) -> tuple[bool, ast.Matching]:
    """`bool on|ignoring (...) group_left|group_right (...) fill (...)`, each of which may be missing."""
    return_bool, on, labels = cursor.take("bool"), cursor.take("on"), None
    group: Literal["", "left", "right"] = ""
    include: tuple[str, ...] = ()
    if on or cursor.take("ignoring"):
        labels = label_list(cursor)
        if cursor.word() in ("group_left", "group_right"):
            group = "left" if cursor.next().text.lower() == "group_left" else "right"
            bare = not cursor.at("(") and (cursor.begins_operand() or cursor.fills())
            include = () if bare else label_list(cursor)
    left, right = _fills(cursor)
    return return_bool, ast.Matching(on, labels or (), group, include, left, right)


def _fills(cursor: Cursor) -> tuple[float | None, float | None]:
    """`fill (1)`, `fill_left (1)` and `fill_right (1)`: what stands in on either side."""
    fills: dict[str, float] = {}
    while cursor.fills() and (word := cursor.word()) not in fills and "fill" not in fills:
        if word == "fill" and fills:
            break
        cursor.next()
        fills[word] = _fill_value(cursor)
    both = fills.get("fill")
    return fills.get("fill_left", both), fills.get("fill_right", both)


def _fill_value(cursor: Cursor) -> float:
    cursor.expect("(")
    sign = cursor.next().text if cursor.at("+") or cursor.at("-") else "+"
    value = number(cursor)
    if value is None:
        cursor.unexpected()
    cursor.expect(")")
    return -value if sign == "-" else value


def number(cursor: Cursor) -> float | None:
    """Reads a number, or a duration, which stands for seconds; None if there is none."""
    if cursor.word() in ("inf", "nan"):
        return float(cursor.next().text)
    return cursor.number() if cursor.peek().kind in ("number", "duration") else None
