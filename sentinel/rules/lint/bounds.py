"""Between which values the result of an expression lies: interval analysis over the tree.

Every interval holds all values that can come out, and often more: so a comparison that no value of an
interval meets is never true. An empty result has no value: `count` is at least 1 wherever it is anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from sentinel.promql import ast
from sentinel.rules.lint import arithmetic
from sentinel.rules.lint.arithmetic import ANY, NON_NEGATIVE, Bounds
from sentinel.rules.lint.recorded import Recorded
from sentinel.rules.lint.world import World, name_of

_RATIO: Final = Bounds(0, 1)
_ONE: Final = Bounds(1, 1)
_AT_LEAST_ONE: Final = Bounds(1, math.inf)

_SERIES: Final = {"up": _RATIO, "probe_success": _RATIO, "ALERTS": _ONE, "ALERTS_FOR_STATE": NON_NEGATIVE}

_CALLS: Final = {
    **dict.fromkeys(("rate", "increase", "irate", "resets", "changes", "time"), NON_NEGATIVE),
    **dict.fromkeys(
        ("stddev_over_time", "stdvar_over_time", "mad_over_time"), NON_NEGATIVE._replace(nan=True)
    ),
    **dict.fromkeys(
        ("histogram_count", "histogram_stddev", "histogram_stdvar"), NON_NEGATIVE._replace(nan=True)
    ),
    **dict.fromkeys(("exp", "sqrt"), NON_NEGATIVE._replace(nan=True)),
    **dict.fromkeys(("sin", "cos", "tanh", "sgn"), Bounds(-1, 1, nan=True)),
    **dict.fromkeys(("absent", "absent_over_time", "present_over_time"), _ONE),
    "count_over_time": _AT_LEAST_ONE,
    "histogram_fraction": _RATIO._replace(nan=True),
    "hour": Bounds(0, 23, nan=True),
    "minute": Bounds(0, 59, nan=True),
    "day_of_week": Bounds(0, 6, nan=True),
    "day_of_month": Bounds(1, 31, nan=True),
    "day_of_year": Bounds(1, 366, nan=True),
    "days_in_month": Bounds(28, 31, nan=True),
    "month": Bounds(1, 12, nan=True),
    "pi": Bounds(math.pi, math.pi),
}
"""Whatever their arguments are. Of counters: a rate is of something that only grows."""

_FIRST: Final = """
    avg_over_time min_over_time max_over_time last_over_time first_over_time
    sort sort_desc sort_by_label sort_by_label_desc label_replace label_join vector info
"""
_SAME: Final = frozenset(_FIRST.split())
"""Their results lie where their first argument lies."""

_AGGREGATIONS: Final = {
    "count": _AT_LEAST_ONE,
    "count_values": _AT_LEAST_ONE,
    "group": _ONE,
    "stddev": NON_NEGATIVE._replace(nan=True),
    "stdvar": NON_NEGATIVE._replace(nan=True),
}


class Compared(NamedTuple):
    """What a comparison comes to, if that is certain."""

    verdict: bool | None
    left: Bounds
    right: Bounds


class ValueBounds:
    """Bounds by expression. Series that rules at hand record have the bounds of their expressions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._recorded = Recorded(
            world, ANY, lambda rules: arithmetic.union([self.of(rule.expr) for rule in rules])
        )

    def of(self, expr: ast.Expr) -> Bounds:
        match expr:
            case ast.Number(value=value):
                return ANY if math.isnan(value) else Bounds(value, value)
            case ast.Selector():
                return self._series(name_of(expr))
            case ast.Range(selector=inner) | ast.Subquery(expr=inner) | ast.Paren(expr=inner):
                return self.of(inner)
            case ast.Unary(op=op, expr=inner):
                return -self.of(inner) if op == "-" else self.of(inner)
            case ast.Aggregation():
                return self._aggregation(expr)
            case ast.Call():
                return self._call(expr)
            case ast.Binary():
                return self._binary(expr)
        return ANY

    def compare(self, node: ast.Binary) -> Compared:
        left, right = self.of(node.left), self.of(node.right)
        return Compared(arithmetic.verdict(node.op, left, right), left, right)

    def _series(self, name: str) -> Bounds:
        if name in _SERIES:
            return _SERIES[name]
        counter = self._world.kind(name) == "counter"
        return self._recorded.of(name) or (NON_NEGATIVE if counter else ANY)

    def _aggregation(self, node: ast.Aggregation) -> Bounds:
        if node.op in _AGGREGATIONS:
            return _AGGREGATIONS[node.op]
        inner = self.of(node.expr)
        if node.op == "sum":
            return arithmetic.total(inner)
        return self._quantile(node.param, inner) if node.op == "quantile" else inner

    def _call(self, call: ast.Call) -> Bounds:
        name, args = call.function, call.args
        if name in _CALLS:
            return _CALLS[name]
        if name in _SAME:
            return self.of(args[0])
        if name in _SHAPED:
            return _SHAPED[name](*map(self.of, args))
        return self._quantile(args[0], self.of(args[1])) if name == "quantile_over_time" else ANY

    def _quantile(self, rank: ast.Expr | None, inner: Bounds) -> Bounds:
        """Beyond 0 and 1 quantiles are infinite."""
        where = self.of(rank) if rank is not None else ANY
        return inner if where.low >= 0 and where.high <= 1 else ANY

    def _binary(self, node: ast.Binary) -> Bounds:
        if node.op in ast.COMPARISONS:
            return self._comparison(node)
        left, right = self.of(node.left), self.of(node.right)
        if node.op == "or":
            return arithmetic.union([left, right])
        return left if node.op in ast.SET_OPERATORS else arithmetic.combined(node.op, left, right)

    def _comparison(self, node: ast.Binary) -> Bounds:
        """The left side where the comparison holds; the right one, if the left is a number."""
        verdict, left, right = self.compare(node)
        if node.return_bool:
            return _RATIO if verdict is None else Bounds(verdict, verdict)
        if node.left.kind == "scalar":
            return arithmetic.narrowed(arithmetic.MIRRORED[node.op], right, left)
        return arithmetic.narrowed(node.op, left, right)


def _rounded(inner: Bounds, to: Bounds = _ONE) -> Bounds:
    if to != _ONE:
        return ANY
    return Bounds(arithmetic.floor(inner.low), arithmetic.ceil(inner.high), inner.nan)


_SHAPED: Final[dict[str, Callable[..., Bounds]]] = {
    "abs": arithmetic.absolute,
    "ceil": _rounded,
    "floor": _rounded,
    "round": _rounded,
    "clamp": lambda inner, low, high: arithmetic.capped(arithmetic.raised(inner, low), high),
    "clamp_min": arithmetic.raised,
    "clamp_max": arithmetic.capped,
    "scalar": lambda inner: inner._replace(nan=True),
    "sum_over_time": arithmetic.total,
    "timestamp": lambda _: NON_NEGATIVE,
}
"""How the bounds of a result follow from those of the arguments."""
