"""Expressions over a small store, and what they give."""

from __future__ import annotations

from functools import cache

from hypothesis import assume
from hypothesis import strategies as st

from sentinel.errors import QueryError
from sentinel.model import Labels
from sentinel.promql import Evaluator, Vector
from sentinel.store.store import Store

AT_MS = 120_000
SERIES = {
    "x": [({"a": "1", "b": "1"}, -3.0), ({"a": "1", "b": "2"}, 7.5), ({"a": "2"}, 0.0), ({}, 40.0)],
    "y": [({"a": "1", "c": "1"}, 2.0), ({"a": "2", "c": "1"}, -0.5), ({"d": "3"}, 1.0)],
    "x_total": [({"a": "1"}, 100.0), ({"a": "2", "b": "1"}, 3.0)],
    "up": [({"a": "1"}, 1.0), ({"a": "2"}, 0.0)],
}
OPERATORS = ["+", "-", "*", "/", "%", "^", ">", "<", ">=", "<=", "==", "!=", "==bool", ">bool"]
MATCHINGS = ["", "on (a)", "ignoring (b)", "on (a) group_left (c)", "ignoring (a, b) group_right ()"]
FUNCTIONS = [
    "abs({})", "(-{})", "ceil({})", "floor({})", "round({})", "sqrt({})", "exp({})", "sgn({})", "absent({})",
    "clamp({}, -1, 5)", "clamp_min({}, 2)", "clamp_max({}, 2)", "vector(scalar({}))", "sort({})",
    "max_over_time({}[2m:30s])", "sum_over_time({}[2m:30s])", "count_over_time({}[2m:30s])",
    "stddev_over_time({}[2m:30s])", "timestamp({})", "hour({})", "quantile_over_time(0.5, {}[2m:30s])",
    'label_replace({}, "d", "x$1", "a", "(.*)")', 'label_join({}, "d", "-", "a", "c")',
]  # fmt: skip
AGGREGATIONS = [
    "sum({})", "sum by (a) ({})", "min by (a) ({})", "avg({})", "count({})", "count by (a, b) ({})",
    "stddev({})", "group without (a) ({})", "topk by (a) (1, {})",
    "quantile(0.3, {})", 'count_values by (a) ("v", {})',
]  # fmt: skip


@cache
def evaluator() -> Evaluator:
    store = Store(retention_ms=10**9)
    for name, rows in SERIES.items():
        for labels, value in rows:
            growth = 5.0 if name == "x_total" else 0.0
            times = list(range(0, AT_MS + 1, 10_000))
            values = [value + growth * number for number in range(len(times))]
            store.add(Labels({"__name__": name, **labels}), times, values)
    return Evaluator(store)


def evaluated(text: str) -> list[tuple[Labels, float]]:
    """The result now. What an evaluation refuses, as two series for one, says nothing."""
    one = evaluator()
    try:
        value = one.instant(one.prepare(text), AT_MS)
    except QueryError:
        assume(False)
    assert isinstance(value, Vector)
    return [(one.labels(id), x) for id, x in zip(value.ids.tolist(), value.values.tolist(), strict=True)]


SIMPLE = ["x", "y", 'x{a="1"}', 'x{b=""}', "up", "rate(x_total[1m])", "vector(2)", "changes(x[1m])"]
NUMBERS = st.sampled_from(["0", "1", "-2.5", "3", "Inf", "time()"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(OPERATORS)
    return (
        st.builds("({} {} {} {})".format, inner, operators, st.sampled_from(MATCHINGS), inner)
        | st.builds("({} {} {})".format, inner, operators, NUMBERS)
        | st.builds("({} {} {})".format, NUMBERS, operators, inner)
        | st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "unless on (a)"]), inner)
        | st.builds(str.format, st.sampled_from(FUNCTIONS + AGGREGATIONS), inner)
    )


VECTORS = st.recursive(st.sampled_from(SIMPLE), _larger, max_leaves=6)
"""Texts of expressions whose results are vectors."""
