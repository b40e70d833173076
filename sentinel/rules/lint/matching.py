"""Operations between vectors whose sides can never find each other."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.promql import ast
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.labels import Flow
from sentinel.rules.lint.subject import Subject


def impossible_matching(subject: Subject) -> Iterator[Found]:
    """A label that must be equal is on one side only: it was dropped on the other."""
    for node in subject.nodes:
        if not isinstance(node, ast.Binary) or node.op == "or":
            continue
        if "scalar" in (node.left.kind, node.right.kind) or _filled(node.matching):
            continue
        left, right = subject.labels.of(node.left), subject.labels.of(node.right)
        missing = [
            *((name, node.right, node.left) for name in _lacking(left, right, node.matching)),
            *((name, node.left, node.right) for name in _lacking(right, left, node.matching)),
        ]
        if missing:
            name, without, having = missing[0]
            message = (
                f"the sides of `{node.op}` never match: {subject.said(without)} has no label {name!r}, "
                f"which {subject.said(having)} has"
            )
            yield subject.at(node, message, _advice(node, name))


def _lacking(having: Flow, lacking: Flow, matching: ast.Matching) -> list[str]:
    """The labels that must be equal, are expected on one side, and are not possible on the other."""
    matched = (name for name in having.expected if (name in matching.labels) is matching.on)
    return sorted(name for name in matched if not lacking.possible.has(name))


def _filled(matching: ast.Matching) -> bool:
    """Whether a side that is not there counts as a value."""
    return matching.fill_left is not None or matching.fill_right is not None


def _advice(node: ast.Binary, name: str) -> str:
    if node.op == "unless":
        return f"so nothing is ever excluded: keep {name!r} on both sides, or match with on(...)"
    return f"keep {name!r} on both sides, or match with on(...) or ignoring({name})"
