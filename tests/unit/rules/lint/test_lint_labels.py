"""Which labels a result may have: a table, and what the evaluator really gives."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from sentinel.promql import parse
from sentinel.rules.lint import World
from sentinel.rules.lint.labels import LabelFlow

from .expressions import VECTORS, evaluated

ALL = ["a", "b", "c", "d", "v"]
TABLE = [
    ("x", "a b c d v", ""),
    ('x{a="1", b=~".+", c="", d=~".*"}', "a b d v", "a b"),
    ("sum(x)", "", ""),
    ("sum by (a, b) (x)", "a b", "a b"),
    ('sum by (a, b) (x{b=""})', "a", "a"),
    ('sum without (a) (x{b="1"})', "b c d v", "b"),
    ("topk by (a) (1, x)", "a b c d v", ""),
    ('count_values by (a) ("v", x)', "a v", "a v"),
    ("rate(x[5m])", "a b c d v", ""),
    ("max_over_time(sum by (a) (x)[5m:])", "a", "a"),
    ("sum by (a, b) (x) / sum by (a, b) (y)", "a b", "a b"),
    ("sum by (a, b) (x) / on (a) sum by (a, c) (y)", "a", "a"),
    ("sum by (a, b) (x) > on (a) sum by (a, c) (y)", "a", "a"),
    ("sum by (a, b) (x) / ignoring (b) sum by (a) (y)", "a", "a"),
    ("sum by (a, b) (x) / on (a) group_left () sum by (a, c) (y)", "a b", "a b"),
    ("sum by (a, b) (x) / on (a) group_left (c) sum by (a, c) (y)", "a b c", "a b c"),
    ("sum by (a, b) (x) / on (a) group_left (d) sum by (a, c) (y)", "a b", "a b"),
    ("sum by (a, b) (x) / on (a) group_left (b) sum by (a, c) (y)", "a", "a"),
    ("sum by (a, c) (x) / on (a) group_right (c) sum by (a, b) (y)", "a b c", "a b c"),
    ("x / ignoring (b) group_left () sum by (a) (y)", "a b", "a"),
    ("sum by (a) (x) * 2 > 1", "a", "a"),
    ("1 < -sum by (a) (x)", "a", "a"),
    ("sum by (a) (x) and on (b) y", "a", "a"),
    ("sum by (a) (x) unless sum by (b) (y)", "a", "a"),
    ("sum by (a) (x) or sum by (a, b) (y)", "a b", "a"),
    ('absent(x{a="1", b!="2", c="3", c="4"})', "a", "a"),
    ('absent_over_time(x{a="1"}[5m])', "a", "a"),
    ("absent(sum(x))", "", ""),
    ('label_replace(sum by (a) (x), "b", "$1", "a", "(.*)")', "a b", "a"),
    ('label_replace(sum by (a) (x), "b", "1", "", "")', "a b", "a b"),
    ('label_replace(sum by (a) (x), "a", "", "a", "1")', "a", ""),
    ('label_join(sum by (a) (x), "b", "-", "a", "c")', "a b", "a b"),
    ('label_join(sum by (a) (x), "b", "-", "c")', "a b", "a"),
    ("histogram_quantile(0.9, sum by (a, le) (x))", "a", "a"),
    ("vector(1)", "", ""),
    ("vector(scalar(x))", "", ""),
    ("day_of_week()", "", ""),
    ("sort(sum by (a) (x))", "a", "a"),
]


@pytest.mark.parametrize(("expr", "possible", "expected"), TABLE)
def test_flows(expr: str, possible: str, expected: str) -> None:
    flow = LabelFlow(World()).of(parse(expr))
    assert [name for name in ALL if flow.possible.has(name)] == possible.split()
    assert sorted(flow.expected) == expected.split()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VECTORS)
def test_no_result_has_an_impossible_label(text: str) -> None:
    flow = LabelFlow(World()).of(parse(text))
    for labels, _ in evaluated(text):
        lost = [name for name, _ in labels if name != "__name__" and not flow.possible.has(name)]
        assert not lost, (text, labels)
