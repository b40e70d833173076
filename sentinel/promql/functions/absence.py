"""Functions that answer when there is nothing."""

from __future__ import annotations

import numpy as np

from sentinel.model import Labels
from sentinel.promql import ast
from sentinel.promql.functions.registry import function
from sentinel.promql.moment import Invocation
from sentinel.promql.syntax.literals import well_formed
from sentinel.promql.values import NO_SERIES, Matrix, Vector


@function("absent(vector) vector", "absent_over_time(matrix) vector", native=True)
def absent(invocation: Invocation, samples: Vector | Matrix) -> Vector:
    """1, with the labels that the selector asks for by equality, if there is no sample."""
    if len(samples):
        return NO_SERIES
    return Vector(np.array([invocation.sets.intern(_labels(invocation.args[0]))]), np.ones(1))


def _labels(expr: ast.Expr) -> Labels:
    expr = ast.bare(expr)
    selector = expr.selector if isinstance(expr, ast.Range) else expr
    if not isinstance(selector, ast.Selector):
        return Labels()
    names = [matcher.name for matcher in selector.matchers]
    return Labels(
        (matcher.name, well_formed(matcher.value))
        for matcher in selector.matchers
        if matcher.op == "=" and matcher.name != "__name__" and names.count(matcher.name) == 1
    )
