"""How results become series: the labels they get, and what is remembered of them between evaluations."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels
from sentinel.promql import Evaluator
from sentinel.rules.remembered import Remembered
from sentinel.rules.writer import SeriesWriter, bare
from sentinel.store.store import Store

NAMES = ["__name__", "A", "a", "aa", "b", "é", "z"]
SETS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["v", "w", "ü"]), max_size=5).map(Labels)
OWN = st.dictionaries(st.sampled_from(NAMES[1:]), st.sampled_from(["", "own", "v"]), max_size=3)


@settings(max_examples=60, deadline=None)
@given(results=st.lists(SETS, unique=True, max_size=8), own=OWN)
def test_a_rules_labels_are_laid_over(results: list[Labels], own: dict[str, str]) -> None:
    store = Store()
    evaluator = Evaluator(store)
    ids = evaluator.sets.intern_all(results)
    expected = [labels.with_({**own, "__name__": "r"}) for labels in results]
    kept = [expected.index(labels) == row for row, labels in enumerate(expected)]
    sets = bare(evaluator, ids[np.array(kept, np.bool_)], own)
    values = np.arange(float(len(sets)))
    writer = SeriesWriter(store, evaluator, "r", own)
    writer.write(sets, values, 1000, 0)
    wanted = [labels for labels, is_first in zip(expected, kept, strict=True) if is_first]
    assert [store.labels(slot) for slot in writer.written.slots.tolist()] == wanted
    present, found, _ = store.latest(writer.written.slots, 1000, 1)
    assert present.all() and found.tolist() == values.tolist()


IDS = st.lists(st.integers(0, 30), unique=True, max_size=12)


@settings(max_examples=60, deadline=None)
@given(results=st.lists(IDS, max_size=6), forget=st.integers(0, 6))
def test_what_is_remembered_is_the_last_result(results: list[list[int]], forget: int) -> None:
    evaluator = Evaluator(Store())
    recent = Remembered(evaluator, columns=2)
    plain: dict[int, int] = {}
    for turn, result in enumerate(results):
        if turn == forget:
            evaluator._begin()
            plain = {}
        evaluator.sets.intern_all(Labels({"n": str(n)}) for n in range(31))
        ids = np.array(result, np.int64)
        first, second = recent.find(ids)
        assert first.tolist() == [plain.get(id, -1) for id in result]
        assert second.tolist() == [plain.get(id, -2) + 1 for id in result]
        plain = {id: 100 * turn + id for id in result}
        numbers = ids + 100 * turn
        recent.keep(ids, numbers, numbers + 1)


def test_a_series_that_the_store_forgot_is_made_again() -> None:
    """Its slot may be another's by then."""
    store = Store()
    evaluator = Evaluator(store)
    writer = SeriesWriter(store, evaluator, "r", {})
    sets = bare(evaluator, evaluator.sets.intern_all([Labels({"i": "a"}), Labels({"i": "b"})]), ())
    writer.write(sets, np.array([1.0, 2.0]), 1000, 0)
    store.windows.horizon_ms = 10_000_000
    assert store.expire() == 2
    others = [store.add(Labels({"__name__": "other", "n": str(n)}), [10_000_000], [0.0]) for n in range(2)]
    assert sorted(others) == sorted(writer.written.slots.tolist())
    writer.write(sets[:1], np.array([3.0]), 10_000_000, 0)
    slots = writer.written.slots.tolist()
    assert [store.labels(slot) for slot in slots] == [Labels({"__name__": "r", "i": "a"})]
    present, values, _ = store.latest(np.array([*others, *slots]), 10_000_000, 1)
    assert present.all() and values.tolist() == [0, 0, 3]
