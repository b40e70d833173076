"""What a query reads, and how far back: the store keeps no more than that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sentinel.model import Matcher
from sentinel.promql import ast
from sentinel.store.index import Demand, Selection

FOREVER_MS: Final = 10**14
"""`@ time` reads a fixed moment however long ago it was."""


@dataclass(slots=True, eq=False)
class Query:
    """A prepared query, to be evaluated any number of times by the evaluator that made it."""

    expr: ast.Expr
    text: str
    demands: tuple[Demand, ...]
    selections: tuple[Selection, ...]
    warnings: list[str] = field(default_factory=list)
    """Of the last evaluation, in Prometheus's words, each once."""
    infos: list[str] = field(default_factory=list)
    by_matchers: dict[tuple[Matcher, ...], Selection] = field(default_factory=dict)


def demands(expr: ast.Expr, lookback_ms: int) -> tuple[Demand, ...]:
    """How long the samples of each selector must be kept, one demand for each set of matchers."""
    longest: dict[tuple[Matcher, ...], int] = {}
    for matchers, keep_ms in _reads(expr, 0, lookback_ms):
        longest[matchers] = max(keep_ms, longest.get(matchers, 0))
    return tuple(Demand(matchers=matchers, keep_ms=keep_ms) for matchers, keep_ms in longest.items())


def _reads(expr: ast.Expr, ago_ms: int, lookback_ms: int) -> Iterator[tuple[tuple[Matcher, ...], int]]:
    """(matchers, age of the oldest sample read) of each selector that is evaluated up to `ago_ms` ago."""
    if isinstance(expr, ast.Subquery):
        yield from _reads(expr.expr, _reach(expr, ago_ms) + expr.range_ms, lookback_ms)
    elif isinstance(expr, ast.Range):
        yield expr.selector.matchers, max(0, _reach(expr.selector, ago_ms) + expr.range_ms)
    elif isinstance(expr, ast.Selector):
        reach = _reach(expr, ago_ms)
        # The newest sample is always there: only a selector that looks into the past needs older ones.
        yield expr.matchers, reach + lookback_ms if reach > 0 else 0
    else:
        for child in expr.children():
            yield from _reads(child, ago_ms, lookback_ms)


def _reach(timed: ast.Selector | ast.Subquery, ago_ms: int) -> int:
    """How long ago a selector's or subquery's own time may lie. A range query's ends count as now."""
    start = FOREVER_MS if isinstance(timed.at, int) else ago_ms if timed.at is None else 0
    return start + timed.offset_ms
