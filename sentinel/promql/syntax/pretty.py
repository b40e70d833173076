"""Long expressions over several lines, as Prometheus's `/api/v1/format_query` prints them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sentinel.promql import ast
from sentinel.promql.syntax.printer import aggregation_head, matcher_text, operator, subquery_times, to_text

_WIDTH: Final = 100
_INDENT: Final = "  "


def pretty(expr: ast.Expr) -> str:
    """The expression, parts of more than 100 bytes split and indented by two spaces a level.

    Matchers are sorted.
    """
    return _lines(ast.rebuilt(expr, _sorted), 0)


def _sorted(node: ast.Expr) -> ast.Expr:
    if not isinstance(node, ast.Selector):
        return node
    named = 1 if node.name else 0
    free = node.matchers[: len(node.matchers) - named]
    return replace(node, matchers=(*sorted(free, key=matcher_text), *node.matchers[len(free) :]))


def _lines(expr: ast.Expr, level: int) -> str:
    """The node's lines. A level of 0 also says that the parent began no new line."""
    indent, text = _INDENT * level, to_text(expr)
    if isinstance(expr, ast.Unary):
        return f"{indent}{expr.op}{_lines(expr.expr, level).strip()}"
    if len(text.encode(errors="replace")) <= _WIDTH:
        return text if isinstance(expr, ast.Subquery) else indent + text
    match expr:
        case ast.Subquery():
            return _lines(expr.expr, level) + subquery_times(expr)
        case ast.Binary():
            left, right = _lines(expr.left, level + 1), _lines(expr.right, level + 1)
            return f"{left}\n{indent}{operator(expr)}\n{right}"
        case ast.Aggregation():
            return indent + _enclosed(aggregation_head(expr), tuple(expr.children()), level)
        case ast.Call():
            return indent + _enclosed(expr.function, expr.args, level)
        case ast.Paren():
            return indent + _enclosed("", (expr.expr,), level)
    return indent + text


def _enclosed(head: str, inner: tuple[ast.Expr, ...], level: int) -> str:
    lines = ",\n".join(_lines(expr, level + 1) for expr in inner)
    return f"{head}(\n{lines}\n{_INDENT * level})"
