"""One rule, with all that a check may want to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final, NamedTuple

from sentinel.documents import Place
from sentinel.promql import ast
from sentinel.rules.lint.bounds import ValueBounds
from sentinel.rules.lint.conditions import Conditions
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.labels import LabelFlow
from sentinel.rules.lint.source import RuleSource
from sentinel.rules.lint.world import World
from sentinel.rules.schema import Rule, RuleGroup

_SNIPPET: Final = 60


class Analyses(NamedTuple):
    """What is worked out once for all rules."""

    world: World
    labels: LabelFlow
    bounds: ValueBounds
    bounds_alone: ValueBounds
    """Of expressions by themselves, whatever records the series that they read."""
    conditions: Conditions

    @classmethod
    def of(cls, world: World) -> Analyses:
        return cls(world, LabelFlow(world), ValueBounds(world), ValueBounds(World()), Conditions(world))


class Subject:
    def __init__(self, rule: Rule, group: RuleGroup, source: RuleSource, analyses: Analyses) -> None:
        self.rule, self.group, self.source = rule, group, source
        self.world, self.labels, self.bounds, self.bounds_alone, self.conditions = analyses

    @cached_property
    def nodes(self) -> tuple[ast.Expr, ...]:
        """All of the expression, parents first."""
        return tuple(ast.walk(self.rule.expr))

    def selectors(self) -> Iterator[ast.Selector]:
        yield from (node for node in self.nodes if isinstance(node, ast.Selector))

    def calls(self, *functions: str) -> Iterator[ast.Call]:
        yield from (node for node in self.nodes if isinstance(node, ast.Call) and node.function in functions)

    def said(self, node: ast.Expr) -> str:
        """A part of the expression as it is written, in one line and not too long."""
        text = " ".join(self.rule.text[slice(*node.span)].split())
        return f"`{text}`" if len(text) <= _SNIPPET else f"`{text[:_SNIPPET]}...`"

    def at(self, node: ast.Expr, message: str, hint: str = "") -> Found:
        """Something about a part of the expression."""
        return Found(message, self.source.inside(self.rule, "expr", offset=node.span[0]), hint)

    def about(self, *keys: str, message: str, hint: str = "", offset: int = 0) -> Found:
        """Something about what stands under a key of the rule."""
        return Found(message, self.source.inside(self.rule, *keys, offset=offset), hint)

    def whole(self, message: str, hint: str = "") -> Found:
        """Something about all of the rule."""
        return Found(message, Place(self.rule.line, self.rule.column), hint)


def has_selector(expr: ast.Expr) -> bool:
    return any(isinstance(node, ast.Selector) for node in ast.walk(expr))
