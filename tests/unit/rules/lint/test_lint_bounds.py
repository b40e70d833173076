"""Between which values a result lies: tables, sampled intervals, and what the evaluator really gives."""

from __future__ import annotations

import math
import operator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sentinel.promql import ast, parse
from sentinel.rules.lint import World
from sentinel.rules.lint.arithmetic import Bounds, combined, narrowed, verdict
from sentinel.rules.lint.bounds import ValueBounds

from .expressions import VECTORS, evaluated

INF = math.inf
TABLE = [
    ("x", -INF, INF),
    ("up", 0, 1),
    ("1 - up", 0, 1),
    ("count(x) * 2 + 1", 3, INF),
    ("rate(x[5m]) / rate(y[5m])", 0, INF),
    ("1 - rate(x[5m]) / rate(y[5m])", -INF, 1),
    ("(x > 5) and y", 5, INF),
    ("5 < x", 5, INF),
    ("x > bool 5", 0, 1),
    ("up > bool 3", 0, 0),
    ("absent(x) or vector(0)", 0, 1),
    ("sum(up)", 0, INF),
    ("sum(-up)", -INF, 0),
    ("avg_over_time(up[5m])", 0, 1),
    ("abs(clamp(x, -3, 2))", 0, 3),
    ("clamp_max(x, 3) % 4", -4, 3),
    ("-abs(x)", -INF, 0),
    ("ceil(up / 2)", 0, 1),
    ("round(x, 5)", -INF, INF),
    ("quantile(0.5, up)", 0, 1),
    ("quantile(2, up)", -INF, INF),
    ("up ^ 2", 0, INF),
    ("Inf - Inf", -INF, INF),
    ("hour()", 0, 23),
]


@pytest.mark.parametrize(("expr", "low", "high"), TABLE)
def test_bounds(expr: str, low: float, high: float) -> None:
    assert ValueBounds(World()).of(parse(expr))[:2] == (low, high)


NUMBERS = st.integers(-4, 4).map(float)
INTERVALS = st.tuples(NUMBERS, NUMBERS).map(lambda pair: Bounds(min(pair), max(pair)))
COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": math.fmod}


def within(bounds: Bounds) -> list[float]:
    """Its ends, and what lies between in steps of a half."""
    return [bounds.low + step / 2 for step in range(int(2 * (bounds.high - bounds.low)) + 1)]


@given(st.sampled_from(sorted(COMPARE)), INTERVALS, INTERVALS)
def test_verdicts_are_those_of_all_values(op: str, left: Bounds, right: Bounds) -> None:
    """Every verdict is true of every pair; and a whole answer is missed nowhere, as intervals are closed."""
    outcomes = {COMPARE[op](a, b) for a in within(left) for b in within(right)}
    assert verdict(op, left, right) == (outcomes.pop() if len(outcomes) == 1 else None)
    kept = narrowed(op, left, right)
    if verdict(op, left, right) is not False:
        assert all(
            kept.low <= a <= kept.high for a in within(left) for b in within(right) if COMPARE[op](a, b)
        )


@given(st.sampled_from(sorted(ARITHMETIC)), INTERVALS, INTERVALS)
def test_arithmetic_holds_all_values(op: str, left: Bounds, right: Bounds) -> None:
    bounds = combined(op, left, right)
    for a in within(left):
        for b in within(right):
            if op in "/%" and b == 0:
                assert bounds.nan
            else:
                assert bounds.low - 1e-9 <= ARITHMETIC[op](a, b) <= bounds.high + 1e-9


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VECTORS)
@example("stddev_over_time((x / 0)[2m:30s])")
def test_no_result_is_out_of_bounds(text: str) -> None:
    analysis, expr = ValueBounds(World()), parse(text)
    bounds, result = analysis.of(expr), evaluated(text)
    for labels, value in result:
        if math.isnan(value):
            assert bounds.nan, (text, labels)
        else:
            slack = 1e-9 * max(1.0, abs(value)) if math.isfinite(value) else 0
            assert bounds.low - slack <= value <= bounds.high + slack, (text, labels, value)
    inner = ast.bare(expr)
    if isinstance(inner, ast.Binary) and inner.op in ast.COMPARISONS and not inner.return_bool:
        assert not result or analysis.compare(inner).verdict is not False, text
