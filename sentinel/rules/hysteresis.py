"""Hysteresis: what ends a firing alert is another expression than the one that raised it."""

from __future__ import annotations

from sentinel.model import Labels
from sentinel.promql import Expr
from sentinel.rules.context import Context, elements


class Hysteresis:
    """`resolve_expr`: an alert that fires ends when this gives an element of its labels, and not before."""

    def __init__(self, resolve_expr: Expr, context: Context) -> None:
        self.query = context.evaluator.prepare(resolve_expr)
        self._evaluator = context.evaluator

    def over(self, sample_ms: int) -> frozenset[Labels]:
        """The labels, without the metric name, of what is over."""
        return elements(self._evaluator, self.query, sample_ms)
