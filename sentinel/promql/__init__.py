"""PromQL: parse a query, plan what it reads, evaluate it over columns.

Parsing and printing need neither numba nor the store; `Evaluator` brings both in on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sentinel.promql.ast import Expr
from sentinel.promql.syntax.parser import parse
from sentinel.promql.syntax.printer import to_text
from sentinel.promql.values import Matrix, Scalar, String, Value, Vector

if TYPE_CHECKING:
    from sentinel.promql.evaluate import Evaluator
    from sentinel.promql.moment import Budget
    from sentinel.promql.plan import Query

__all__ = [
    "Budget",
    "Evaluator",
    "Expr",
    "Matrix",
    "Query",
    "Scalar",
    "String",
    "Value",
    "Vector",
    "parse",
    "to_text",
]


def __getattr__(name: str) -> Any:
    if name == "Evaluator":
        from sentinel.promql.evaluate import Evaluator

        return Evaluator
    if name == "Budget":
        from sentinel.promql.moment import Budget

        return Budget
    if name == "Query":
        from sentinel.promql.plan import Query

        return Query
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
