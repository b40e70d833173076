"""What the HTTP API shows of an expression: several lines, and JSON. Prometheus's own answers."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel.promql import parse
from sentinel.promql.syntax.pretty import pretty
from sentinel.promql.syntax.tree import as_json

LONG = "a_rather_long_metric_name_that_fills_a_line"
LINES = [
    ("sum by(job)(a{b='c',a='d'})", 'sum by (job) (a{a="d",b="c"})'),
    (
        f"topk by (x) (3, rate({LONG}[5m])) > on (y) group_left (z) (2 * -abs({LONG}))",
        f"""
  topk by (x) (3, rate({LONG}[5m]))
> on (y) group_left (z)
  (2 * -abs({LONG}))""",
    ),
    (
        f"-sum(quantile_over_time(0.9, ({LONG} + {LONG} + {LONG})[5m:1m]))",
        f"""
-sum(
  quantile_over_time(
    0.9,
    (
        {LONG} + {LONG}
      +
        {LONG}
    )[5m:1m]
  )
)""",
    ),
    (
        f"count_values by ({LONG}, {LONG}) ('v', {LONG}) == bool 1",
        f"""
  count_values by ({LONG}, {LONG}) (
    "v",
    {LONG}
  )
== bool
  1""",
    ),
]


@pytest.mark.parametrize(("query", "lines"), LINES)
def test_pretty(query: str, lines: str) -> None:
    assert pretty(parse(query)) == lines.removeprefix("\n")


NAME = {"name": "__name__", "type": "=", "value": "a"}
SELECTOR = {
    "type": "vectorSelector",
    "name": "a",
    "matchers": [NAME],
    "offset": 0,
    "offsetExpr": None,
    "timestamp": None,
    "startOrEnd": None,
    "anchored": False,
    "smoothed": False,
}
ONE = {"type": "numberLiteral", "val": "1"}
MINUTE = {"type": "numberLiteral", "val": "60", "duration": True}


def computed(op: str, lhs: Any = None, rhs: Any = None, *, wrapped: bool = False) -> dict[str, Any]:
    return {"type": "durationExpr", "op": op, "lhs": lhs, "rhs": rhs, "wrapped": wrapped}


TREES = [
    ("-1", {"type": "numberLiteral", "val": "-1"}),
    ("'\\xff'", {"type": "stringLiteral", "val": "\ufffd"}),
    ("(1)", {"type": "parenExpr", "expr": ONE}),
    ("-a", {"type": "unaryExpr", "op": "-", "expr": SELECTOR}),
    ("a smoothed @ 1.5", SELECTOR | {"smoothed": True, "timestamp": 1500}),
    ("a @ end()", SELECTOR | {"startOrEnd": "end"}),
    (
        "a[5m] anchored offset -1s",
        SELECTOR
        | {"type": "matrixSelector", "range": 300_000, "rangeExpr": None, "anchored": True, "offset": -1000},
    ),
    (
        "a offset (1m * 1)",
        SELECTOR | {"offsetExpr": computed("*", MINUTE, ONE | {"duration": False}, wrapped=True)},
    ),
    ("a offset -(1m)", SELECTOR | {"offsetExpr": computed("-", rhs=computed("+", rhs=MINUTE, wrapped=True))}),
    (
        "a[5m:max_of(1m, step())]",
        {
            "type": "subquery",
            "expr": SELECTOR,
            "range": 300_000,
            "rangeExpr": None,
            "step": 0,
            "stepExpr": computed("max_of", MINUTE, computed("step")),
            "offset": 0,
            "offsetExpr": None,
            "timestamp": None,
            "startOrEnd": None,
        },
    ),
    (
        "topk by (b) (1, a)",
        {
            "type": "aggregation",
            "op": "topk",
            "expr": SELECTOR,
            "param": ONE,
            "grouping": ["b"],
            "without": False,
        },
    ),
    (
        "round(a, 1)",
        {
            "type": "call",
            "func": {
                "name": "round",
                "argTypes": ["vector", "scalar"],
                "variadic": 1,
                "returnType": "vector",
            },
            "args": [SELECTOR, ONE],
        },
    ),
    (
        "a > bool 1",
        {"type": "binaryExpr", "op": ">", "lhs": SELECTOR, "rhs": ONE, "matching": None, "bool": True},
    ),
    (
        "a / on (b) group_right (c) fill_right (1) a",
        {
            "type": "binaryExpr",
            "op": "/",
            "lhs": SELECTOR,
            "rhs": SELECTOR,
            "matching": {
                "card": "one-to-many",
                "labels": ["b"],
                "on": True,
                "include": ["c"],
                "fillValues": {"lhs": None, "rhs": 1},
            },
            "bool": False,
        },
    ),
]


@pytest.mark.parametrize(("query", "tree"), TREES, ids=[row[0] for row in TREES])
def test_json(query: str, tree: dict[str, Any]) -> None:
    assert as_json(parse(query)) == tree
