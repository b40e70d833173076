"""The evaluator: order, determinism, demands, limits, churn, staleness and both ways of dropping names."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sentinel.errors import QueryError
from sentinel.model import STALE, Labels
from sentinel.promql import Budget, Evaluator, Matrix, Scalar, Vector, parse
from sentinel.promql.plan import FOREVER_MS, demands
from sentinel.store.store import Store

SECOND = 1000


def series(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def filled(rows: list[tuple[Labels, list[float]]], step_ms: int = 10 * SECOND) -> Store:
    store = Store(retention_ms=10**12)
    for labels, values in rows:
        store.add(labels, [row * step_ms for row in range(len(values))], values)
    return store


def answer(evaluator: Evaluator, text: str, at_ms: int) -> list[tuple[str, float]]:
    value = evaluator.instant(evaluator.prepare(text), at_ms)
    assert isinstance(value, Vector)
    return [
        (str(evaluator.labels(id)), x)
        for id, x in zip(value.ids.tolist(), value.values.tolist(), strict=True)
    ]


FIGURES = [(series("m", a=str(n % 7), b=str(n)), [n * 0.1, n * 0.3 + 1e9, n * 0.7 - 1e9]) for n in range(60)]
QUERIES = [
    "sum by (a) (m)",
    "avg without (b) (rate(m[1m]))",
    "topk(5, m)",
    "m * on (b) group_left m",
    "m > 10 or -m",
    "quantile by (a) (0.3, m)",
    "stddev(m)",
    'label_replace(m, "c", "$1", "b", "(.).*")',
    "sum_over_time(sum by (a) (m)[30s:10s])",
]


@pytest.mark.parametrize("text", QUERIES)
def test_slot_numbers_do_not_show(text: str) -> None:
    """The same series put into stores in different orders give the same bytes in the same order."""
    answers = []
    for seed in (1, 2):
        shuffled = random.Random(seed).sample(FIGURES, len(FIGURES))
        answers.append(answer(Evaluator(filled(shuffled)), text, 20 * SECOND))
    assert answers[0] == answers[1]
    assert answers[0]


def test_order_is_of_fingerprints() -> None:
    evaluator = Evaluator(filled(FIGURES))
    for text in ("m", "sum by (a) (m)"):
        value = evaluator.instant(evaluator.prepare(text), 20 * SECOND)
        assert isinstance(value, Vector)
        prints = [evaluator.labels(id).fingerprint for id in value.ids.tolist()]
        assert prints == sorted(prints)


DEMANDS = [
    ("m", 0),
    ("m offset 5m", 600_000),
    ("m offset -5m", 0),
    ("rate(m[5m])", 300_000),
    ("rate(m[5m] offset 1m)", 360_000),
    ("max_over_time(m[1h:1m])", 3_900_000),
    ("max_over_time(rate(m[5m])[1h:1m] offset 10m)", 4_500_000),
    ("max_over_time(m[5m] @ 0)", FOREVER_MS + 300_000),
    ("m + rate(m[10m])", 600_000),
]


@pytest.mark.parametrize(("text", "keep_ms"), DEMANDS)
def test_demands(text: str, keep_ms: int) -> None:
    assert [demand.keep_ms for demand in demands(parse(text), 300_000)] == [keep_ms]


def test_ranges_are_left_open_and_right_closed() -> None:
    evaluator = Evaluator(filled([(series("m"), [1.0, 2.0, 3.0, 4.0])]))
    assert answer(evaluator, "count_over_time(m[20s])", 30 * SECOND) == [("{}", 2.0)]
    short = Evaluator(filled([(series("m"), [1.0])]), lookback_ms=60 * SECOND)
    assert answer(short, "m", 60 * SECOND - 1) == [("m", 1.0)]
    assert answer(short, "m", 60 * SECOND) == []


def test_staleness_markers_end_series_and_are_no_samples() -> None:
    evaluator = Evaluator(filled([(series("m"), [1.0, float("nan"), STALE, 4.0]), (series("n"), [1.0, 2.0])]))
    assert answer(evaluator, "m", 20 * SECOND) == []
    assert answer(evaluator, "m", 30 * SECOND) == [("m", 4.0)]
    assert answer(evaluator, "count_over_time(m[1m])", 30 * SECOND) == [("{}", 3.0)]
    assert answer(evaluator, 'sum_over_time({__name__="n"}[1m])', 30 * SECOND) == [("{}", 3.0)]


@pytest.mark.parametrize("delayed", [False, True])
def test_names_go_at_once_or_at_the_end(delayed: bool) -> None:
    store = filled([(series("a_total", x="1"), [0.0, 60.0]), (series("b_total", x="1"), [0.0, 60.0])])
    evaluator = Evaluator(store, delayed_name_removal=delayed)
    text = 'sum by (__name__) (label_replace(rate({x="1"}[10s1ms]), "y", "$1", "__name__", "(.)_.*"))'
    with pytest.raises(QueryError, match="same labelset") as caught:
        answer(evaluator, text, 10 * SECOND)
    assert caught.value.kind == "execution"
    if delayed:
        kept = answer(
            evaluator, 'label_replace(rate({x="1"}[10s1ms]), "x", "$1", "__name__", "(.)_.*")', 10 * SECOND
        )
        assert sorted(labels for labels, _ in kept) == ['{x="a"}', '{x="b"}']


def test_range_query_is_instant_queries_put_together() -> None:
    evaluator = Evaluator(filled(FIGURES, step_ms=SECOND))
    query = evaluator.prepare("sum by (a) (m > 4)")
    matrix = evaluator.range(query, 0, 2 * SECOND, SECOND)
    found = {
        (id, time): value
        for row, id in enumerate(matrix.ids.tolist())
        for time, value in zip(
            matrix.timestamp_ms[matrix.first[row] : matrix.last[row]].tolist(),
            matrix.value[matrix.first[row] : matrix.last[row]].tolist(),
            strict=True,
        )
    }
    expected = {}
    for time in (0, SECOND, 2 * SECOND):
        value = evaluator.instant(query, time)
        assert isinstance(value, Vector)
        expected |= {(id, time): x for id, x in zip(value.ids.tolist(), value.values.tolist(), strict=True)}
    assert found == expected
    with pytest.raises(QueryError, match="invalid expression type"):
        evaluator.range(evaluator.prepare("m[5m]"), 0, 1, 1)


def test_new_and_reused_slots_are_seen() -> None:
    store = Store(retention_ms=SECOND)
    evaluator = Evaluator(store)
    query = evaluator.prepare("m")
    for round_ in range(3):
        at_ms = round_ * 10**9
        store.windows.horizon_ms = at_ms
        store.expire()
        store.add(series("m", round=str(round_)), [at_ms], [float(round_)])
        value = evaluator.instant(query, at_ms)
        assert isinstance(value, Vector)
        assert [str(evaluator.labels(id)) for id in value.ids.tolist()] == [f'm{{round="{round_}"}}']


def test_churn_does_not_fill_the_interner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.promql.sources._SPARE_IDS", 50)
    store = Store(retention_ms=SECOND)
    evaluator = Evaluator(store)
    query = evaluator.prepare("sum by (pod) (m)")
    highest = 0
    for round_ in range(300):
        at_ms = round_ * 10**9
        store.windows.horizon_ms = at_ms
        store.expire()
        store.add(series("m", pod=str(round_), x="y"), [at_ms], [1.0])
        value = evaluator.instant(query, at_ms)
        assert isinstance(value, Vector)
        highest = max(highest, int(value.ids[0]))
        assert evaluator.labels(int(value.ids[0])) == Labels({"pod": str(round_)})
    assert highest < 600
    assert evaluator.generation > 1


def test_too_many_samples() -> None:
    evaluator = Evaluator(filled(FIGURES), budget=Budget(max_samples=100))
    assert isinstance(evaluator.instant(evaluator.prepare("count(m)"), 20 * SECOND), Vector)
    with pytest.raises(QueryError, match="too many samples") as caught:
        evaluator.instant(evaluator.prepare("count_over_time(m[1m])"), 20 * SECOND)
    assert caught.value.kind == "execution"


def test_notes_carry_positions_and_are_of_the_last_evaluation() -> None:
    evaluator = Evaluator(filled([(series("m"), [1.0, 2.0])]))
    query = evaluator.prepare("1 +\n  rate(m[1m])")
    for _ in range(2):
        evaluator.instant(query, 10 * SECOND)
        assert len(query.infos) == 1
        assert query.infos[0].endswith('_total/_sum/_count/_bucket: "m" (2:8)')
    evaluator.instant(query, 10**9)
    assert query.infos == ()


def test_results_are_the_callers_own_kinds() -> None:
    evaluator = Evaluator(filled([(series("m"), [1.0, 2.0])]))
    scalar = evaluator.instant(evaluator.prepare("-(1 - 3) % 4"), 0)
    assert isinstance(scalar, Scalar)
    assert scalar.value == 2.0
    matrix = evaluator.instant(evaluator.prepare("m[1m]"), 10 * SECOND)
    assert isinstance(matrix, Matrix)
    assert np.array_equal(matrix.value[matrix.first[0] : matrix.last[0]], [1.0, 2.0])
    assert evaluator.labels(evaluator.intern(series("x"))) == series("x")
