"""What queries have in common is computed once, and nobody can tell from the results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Histogram, Labels
from sentinel.promql import Evaluator, Query, Scalar, Vector
from sentinel.promql.plan import share
from sentinel.store.store import Store

_PARTS = (
    "rate(a[5m])",
    "sum by (x) (rate(a[5m]))",
    "a",
    "b offset 1m",
    "max_over_time(sum by (x) (a)[5m:1m])",
    "count(b)",
    "a / -0",
    "a / 0",
    "label_replace(a, 'y', '$1', 'x', '(.*)')",
)
_QUERIES = st.lists(
    st.builds("{0} {2} {1}".format, st.sampled_from(_PARTS), st.sampled_from(_PARTS), st.sampled_from("+-*")),
    min_size=2,
    max_size=6,
)


def _store() -> Store:
    store = Store(retention_ms=10**9)
    for name, x in (("a", "1"), ("a", "2"), ("b", "1")):
        store.add(Labels({"__name__": name, "x": x}), [0, 60_000, 120_000], [1.0, 3.0, float(len(name + x))])
    return store


def _result(evaluator: Evaluator, query: Query, at_ms: int) -> Any:
    try:
        value = evaluator.instant(query, at_ms)
    except Exception as error:
        return str(error)
    if isinstance(value, Vector):
        labels = [evaluator.labels(id) for id in value.ids.tolist()]
        return list(zip(labels, map(repr, value.values.tolist()), strict=True))  # NaN is NaN
    assert isinstance(value, Scalar)
    return repr(value.value)


@settings(max_examples=60, deadline=None)
@given(_QUERIES, st.lists(st.sampled_from(("a", "b", "c")), max_size=6))
def test_results_are_those_of_each_query_alone(texts: list[str], written: list[str]) -> None:
    """Whatever is written between two evaluations at one time."""
    store = _store()
    together, alone = Evaluator(store), Evaluator(store)
    shared = [together.prepare(text) for text in texts]
    share(shared)
    for step, name in enumerate(["", *written]):
        if name:
            slot = store.slot(Labels({"__name__": name, "x": "1"}))
            times, values = np.array([121_000 + step]), np.array([float(10 * step)])
            store.write(np.array([slot]), times, values, 0, (name,))
        for text, query in zip(texts, shared, strict=True):
            assert _result(together, query, 150_000) == _result(alone, alone.prepare(text), 150_000)


def test_what_is_shared_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = _store()
    evaluator, reads = Evaluator(store), list[int]()
    survey = store.windows.survey
    monkeypatch.setattr(store.windows, "survey", lambda *span: reads.append(1) or survey(*span))
    queries = [evaluator.prepare(f"sum(rate(a[5m])) > {limit}") for limit in range(5)]
    share(queries)
    for query in queries:
        evaluator.instant(query, 150_000)
    assert len(reads) == 1
    evaluator.instant(queries[0], 150_001)
    assert len(reads) == 2


def test_a_selector_of_any_name_is_not_shared() -> None:
    """Nobody says which metrics have changed since."""
    evaluator = Evaluator(_store())
    queries = [evaluator.prepare('count({x="1"}) + 0'), evaluator.prepare('count({x="1"}) + 1')]
    share(queries)
    assert not any(query.shared for query in queries)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_histograms_whose_resets_were_looked_for_are_not_shared(order: tuple[int, ...]) -> None:
    """Or what a rule records would depend on who asked before it."""
    store = _store()
    histograms = [Histogram(count=1.0), Histogram(count=2.0)]
    store.add(Labels({"__name__": "h"}), [0, 60_000], store.histograms.box(histograms).tolist())
    evaluator = Evaluator(store)
    queries = [evaluator.prepare("histogram_count(h)"), evaluator.prepare("h")]
    share(queries)
    values = {number: evaluator.instant(queries[number], 60_000) for number in order}
    assert isinstance(values[1], Vector)
    assert store.histograms.unbox(values[1].values)[0].reset_hint == "unknown"
