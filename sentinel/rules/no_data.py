"""No data: telling "the condition is false" from "nothing is there to judge".

PromQL gives an empty result for both. So the expression is asked once more with comparisons that let every
element pass: what is still missing has no data.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from sentinel.model import Labels
from sentinel.promql import Expr, ast
from sentinel.rules.context import Context, elements
from sentinel.rules.rendering import Element

STAND_IN: Final = Element(Labels({"no_data": "true"}), math.nan)
"""What an expression without any data gives under the policy `alert`."""


class NoData:
    def __init__(self, expr: Expr, context: Context) -> None:
        self._query = context.evaluator.prepare(unfiltered(expr))
        self._evaluator = context.evaluator

    def known(self, sample_ms: int) -> frozenset[Labels]:
        """The labels, without the metric name, of all that the expression has data of."""
        return elements(self._evaluator, self._query, sample_ms)


def unfiltered(expr: Expr) -> Expr:
    """The expression with an element for all that has data. Only the labels of its result mean anything.

    `unless` takes elements away by their presence, so it goes, and with it its right side.
    """
    match expr:
        case ast.Paren(inner) | ast.Unary(_, inner) | ast.Subquery(inner):
            return replace(expr, expr=unfiltered(inner))
        case ast.Aggregation():
            return replace(expr, expr=unfiltered(expr.expr))
        case ast.Call():
            return replace(expr, args=tuple(map(unfiltered, expr.args)))
        case ast.Binary("unless", left):
            return unfiltered(left)
        case ast.Binary(op, left, right):
            compares = op in ast.COMPARISONS
            if compares and expr.kind != "scalar" and "scalar" in (left.kind, right.kind):
                return unfiltered(left if right.kind == "scalar" else right)
            left, right = unfiltered(left), unfiltered(right)
            return replace(expr, left=left, right=right, return_bool=compares)
    return expr
