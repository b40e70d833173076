"""Ad-hoc queries: work on labels stops when their time is over, and what they leave behind is bounded."""

from __future__ import annotations

from itertools import count

import pytest

from sentinel.engine import Engine
from sentinel.errors import QueryError
from sentinel.model import Histogram, Labels
from sentinel.promql import Budget, Evaluator
from sentinel.promql.sources import Sources
from sentinel.store.store import Store

SERIES = 10_000
ONE_BY_ONE = (
    'label_replace(m, "a", "$1", "i", "(.*)")',
    'label_join(m, "a", "-", "i", "i")',
    'count_values("v", m)',
    'sort_by_label(m, "i")',
    "m * on (i) group_right (j) m",
)
BY_NUMBERS = ("sum by (i) (m)", "m * on (i) group_right () m", "m")


def filled(series: int) -> Store:
    store = Store(retention_ms=3_600_000)
    for number in range(series):
        store.add(Labels({"__name__": "m", "i": str(number)}), [1000], [float(number)])
    return store


@pytest.fixture(scope="module")
def store() -> Store:
    return filled(SERIES)


@pytest.mark.parametrize("query", ONE_BY_ONE + BY_NUMBERS)
def test_work_on_labels_ends_with_the_time(store: Store, query: str) -> None:
    looks, evaluator = count(), Evaluator(store)
    evaluator.instant(evaluator.prepare(query), 1000, Budget(expired=lambda: next(looks) < 0))
    needed = next(looks)
    assert needed > (SERIES // 4096 if query in ONE_BY_ONE else 1)
    for last in {0, needed // 2, needed - 1}:
        fresh, asked = Evaluator(store), count()
        budget = Budget(expired=lambda asked=asked, last=last: next(asked) >= last)  # type: ignore[misc]
        with pytest.raises(QueryError, match="timed out"):
            fresh.instant(fresh.prepare(query), 1000, budget)
        assert next(asked) == last + 1  # nothing went on after it


def test_what_was_changed_before_the_end_need_not_be_changed_again(store: Store) -> None:
    evaluator, refusals = Evaluator(store), 0
    query = evaluator.prepare(ONE_BY_ONE[0])
    while refusals < 20:
        looks = count()
        budget = Budget(expired=lambda looks=looks: next(looks) >= 3)  # type: ignore[misc]
        try:
            evaluator.instant(query, 1000, budget)
            break
        except QueryError:
            refusals += 1
    assert 0 < refusals < 20


def test_queries_that_never_come_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.promql.sources._MOST", 1 << 18)
    engine = Engine([])
    for number in range(100):
        engine.store.add(Labels({"__name__": "m", "i": str(number)}), [1000], [1.0])
    generations, most = set(), 0
    for number in range(200):
        query = engine.evaluator.prepare(f'label_replace(m, "a{number}", "$1", "i", "(.*)")')
        engine.evaluator.instant(query, 1000)
        generations.add(engine.evaluator.generation)
        most = max(most, engine.evaluator.sets.nbytes)
    assert len(generations) > 2
    assert most < 1 << 19


def test_rules_keep_their_label_sets_whatever_is_asked() -> None:
    engine = Engine([])
    assert engine.evaluator is not engine._context.evaluator
    assert isinstance(engine.evaluator.sources, Sources)


def test_a_sweep_by_one_evaluator_is_known_to_the_other() -> None:
    store = filled(1)
    histogram = Histogram(count=1.0, sum=1.0, zero_count=1.0)
    rules, asked = Evaluator(store), Evaluator(store, forgetful=True)
    rules.instant(rules.prepare("m"), 1000)
    store.histograms.box([histogram] * 5000)
    asked.instant(asked.prepare("m"), 1000)
    assert store.histograms.sweeps == 1
    rules.instant(rules.prepare("m"), 1000)
    assert rules._sweeps == 1
