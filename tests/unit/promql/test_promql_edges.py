"""Numbers at the edges, as Go's floats and calendar have them."""

from __future__ import annotations

import math

import pytest

from sentinel.promql import Evaluator, Vector
from sentinel.store.store import Store

TABLE = (
    ("rad(vector(1.7e308))", math.inf),
    ("deg(vector(1.7e308))", math.inf),
    ("clamp_max(vector(-Inf), NaN)", -math.inf),
    ("clamp_min(vector(Inf), NaN)", math.inf),
    ("clamp(vector(-Inf), 0, NaN)", 0.0),
    ("1 / sgn(vector(-0))", -math.inf),
    ("1 / clamp_max(vector(0), -0)", -math.inf),
    ("1 / clamp_min(vector(-0), 0)", math.inf),
    ("year(vector(1e15))", 31690708.0),
    ("month(vector(1e15))", 7.0),
    ("hour(vector(-1))", 23.0),
)


@pytest.mark.parametrize(("expr", "value"), TABLE)
def test_edges(expr: str, value: float) -> None:
    evaluator = Evaluator(Store())
    found = evaluator.instant(evaluator.prepare(expr), 0)
    assert isinstance(found, Vector)
    assert found.values.tolist() == [value]
