"""Comparisons whose outcome is known beforehand, by the values that their sides can have at all."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.promql import ast
from sentinel.rules.lint.bounds import Compared
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject, has_selector


def impossible_comparison(subject: Subject) -> Iterator[Found]:
    """Never true: `count(x) == 0`, `rate(x[5m]) < 0`, `up > 1`."""
    for node in _comparisons(subject):
        found = subject.bounds.compare(node)
        if found.verdict is False and not node.return_bool:
            message = f"{subject.said(node)} is never true: {_because(node, found)}"
            yield subject.at(node, message, _advice(node))


def constant_comparison(subject: Subject) -> Iterator[Found]:
    """Always true, or a `bool` that is always the same: the comparison says nothing.

    Seen by itself: a recorded count may well be compared with 0, for whoever reads that.
    """
    for node in _comparisons(subject):
        found = subject.bounds_alone.compare(node)
        if found.verdict is None or not has_selector(node) or _is_of_alerts(node):
            continue
        if found.verdict or node.return_bool:
            outcome = "true" if found.verdict else "false"
            message = f"{subject.said(node)} is always {outcome}: {_because(node, found)}"
            yield subject.at(node, message, "leave it out, or compare with another value")


def _comparisons(subject: Subject) -> Iterator[ast.Binary]:
    for node in subject.nodes:
        if isinstance(node, ast.Binary) and node.op in ast.COMPARISONS:
            yield node


def _is_of_alerts(node: ast.Binary) -> bool:
    """`ALERTS == 1` is what many write, for emphasis."""
    return any(isinstance(side, ast.Selector) and side.name == "ALERTS" for side in node.children())


def _because(node: ast.Binary, found: Compared) -> str:
    sides = [("left", node.left, found.left), ("right", node.right, found.right)]
    told = [f"the {side} side is {bounds}" for side, expr, bounds in sides if not _is_number(expr)]
    return " and ".join(told) or "both sides are numbers"


def _is_number(expr: ast.Expr) -> bool:
    return isinstance(ast.bare(expr), ast.Number)


def _advice(node: ast.Binary) -> str:
    for side in (ast.bare(node.left), ast.bare(node.right)):
        if isinstance(side, ast.Aggregation) and side.op in ("count", "group"):
            return "of no series at all the result is empty, not 0: ask with absent(), or add `or vector(0)`"
    return "what depends on it never happens: compare with a value that can be"
