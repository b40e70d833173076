"""What a query reads, and how far back: the store keeps no more. And what queries have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sentinel.model import Matcher
from sentinel.promql import ast
from sentinel.promql.syntax.printer import to_text
from sentinel.store.index import Demand, Selection, selected_name

FOREVER_MS: Final = 10**14
"""`@ time` reads a fixed moment however long ago it was."""


@dataclass(slots=True, eq=False)
class Query:
    """A prepared query, to be evaluated any number of times by the evaluator that made it."""

    expr: ast.Expr
    text: str
    demands: tuple[Demand, ...]
    selections: tuple[Selection, ...]
    lookback_ms: int
    strict: frozenset[int] = frozenset()
    """Sub-queries (by id) that are empty if all their selectors are."""
    computed: bool = False
    """Whether durations are to be computed for each run."""
    warnings: tuple[str, ...] = ()
    """Of the last evaluation, in Prometheus's words, each once."""
    infos: tuple[str, ...] = ()
    selected: dict[int, Selection] = field(default_factory=dict)
    """By the id() of the matchers of a selector in `expr`."""
    shared: dict[int, Shared] = field(default_factory=dict)
    """By the id() of a node of `expr`: it occurs elsewhere too."""

    def reads_nothing(self, subquery: ast.Subquery) -> bool:
        """Whether it is empty because no series is known that any selector in it means."""
        if id(subquery) not in self.strict:
            return False
        selectors = (node for node in ast.walk(subquery) if isinstance(node, ast.Selector))
        return not any(len(self.selected[id(selector.matchers)].slots()) for selector in selectors)


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """A sub-expression that several queries, or one in several places, have in common."""

    names: tuple[str, ...]
    """The metrics that it reads."""


_OUT_OF_NOTHING: Final = frozenset(
    ("absent", "absent_over_time", "vector", "minute", "hour", "day_of_week", "day_of_month", "day_of_year")
) | {"days_in_month", "month", "year"}


def strict(expr: ast.Expr) -> frozenset[int]:
    """The subqueries in which nothing makes elements but selectors, by id."""
    subqueries = (node for node in ast.walk(expr) if isinstance(node, ast.Subquery))
    return frozenset(id(node) for node in subqueries if not any(map(_makes_elements, ast.walk(node))))


def _makes_elements(node: ast.Expr) -> bool:
    return isinstance(node, ast.Call) and node.function in _OUT_OF_NOTHING


def is_computed(expr: ast.Expr) -> bool:
    """Whether a range, step or offset in it is written as a computation."""
    fields = ("range_expr", "step_expr", "offset_expr")
    return any(getattr(node, name, None) is not None for node in ast.walk(expr) for name in fields)


def share(queries: Iterable[Query]) -> None:
    """Finds what these queries have in common, so that it is computed once for each time."""
    queries = list(queries)
    nodes = [
        (query, node, to_text(node))  # 0 and -0 are equal, and written otherwise
        for query in queries
        for node in ast.walk(query.expr)
        if _is_worth_sharing(node)
    ]
    uses = Counter((node, text) for _, node, text in nodes)
    found = {each: Shared(_names(each[0])) for each, count in uses.items() if count > 1}
    for query in queries:
        query.shared = {}
    for query, node, text in nodes:
        if (node, text) in found:
            query.shared[id(node)] = found[node, text]


def _is_worth_sharing(node: ast.Expr) -> bool:
    if not isinstance(
        node, ast.Selector | ast.Range | ast.Subquery | ast.Call | ast.Aggregation | ast.Binary
    ):
        return False
    names = _names(node)
    return bool(names) and all(names)


def _names(expr: ast.Expr) -> tuple[str, ...]:
    """The metric names of all selectors below; "" for one that may mean any."""
    selectors = (node for node in ast.walk(expr) if isinstance(node, ast.Selector))
    return tuple(sorted({selected_name(selector.matchers) for selector in selectors}))


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
        before_ms = lookback_ms if expr.selector.extended else 0
        yield expr.selector.matchers, max(0, _reach(expr.selector, ago_ms) + expr.range_ms + before_ms)
    elif isinstance(expr, ast.Selector):
        reach = _reach(expr, ago_ms)
        # The newest sample is always there: only a selector that looks into the past needs older ones.
        yield expr.matchers, reach + lookback_ms if reach > 0 or expr.extended else 0
    else:
        for child in expr.children():
            yield from _reads(child, ago_ms, lookback_ms)


def _reach(timed: ast.Selector | ast.Subquery, ago_ms: int) -> int:
    """How long ago a selector's or subquery's own time may lie. A range query's ends count as now."""
    start = FOREVER_MS if isinstance(timed.at, int) else ago_ms if timed.at is None else 0
    return start + timed.offset_ms
