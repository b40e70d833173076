"""Label sets of an evaluator as numbers: changes, what is remembered of them, and where they come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.model import Int64s, Labels
from sentinel.promql import Evaluator, Vector
from sentinel.promql.aggregations import group_rows
from sentinel.promql.labelsets import LabelSets, Memo
from sentinel.promql.values import NO_SERIES
from sentinel.store.store import Store

NAMES = ("__name__", "a", "b", "le")
SERIES = st.lists(st.dictionaries(st.sampled_from(NAMES), st.sampled_from("123"), max_size=4), max_size=20)
WANTED = st.lists(st.sampled_from((*NAMES, "none")), max_size=3)


@given(series=SERIES, names=WANTED)
def test_changes_are_those_of_labels(series: list[dict[str, str]], names: list[str]) -> None:
    sets, labels = LabelSets(), list(map(Labels, series))
    ids = sets.intern_all(labels)
    twins = {
        sets.keeping(names): [each.keep(names) for each in labels],
        sets.dropping(names): [each.drop(names) for each in labels],
        sets.transform("x", lambda each: each.with_({"x": each.get("a")})): [
            each.with_({"x": each.get("a")}) for each in labels
        ],
    }
    for transform, expected in twins.items():
        found = transform(ids)
        assert [sets[id] for id in found.tolist()] == expected
        assert transform(ids) is found
        assert transform(ids[::-1]).tolist() == found.tolist()[::-1]
    assert sets.keeping(names) is sets.keeping(sorted(set(names)))


@given(series=SERIES, names=WANTED)
def test_groups_are_in_the_order_of_fingerprints(series: list[dict[str, str]], names: list[str]) -> None:
    sets, labels = LabelSets(), list(map(Labels, series))
    ids = sets.intern_all(labels)
    groups = group_rows(sets, sets.keeping(names), ids)
    members = [sets[id] for id in groups.ids.tolist()]
    assert members == sorted({each.keep(names) for each in labels}, key=lambda each: each.fingerprint)
    assert [members[group] for group in groups.of_row.tolist()] == [each.keep(names) for each in labels]
    assert group_rows(sets, sets.keeping(names), ids) is groups


def test_a_column_reads_each_value_once() -> None:
    sets, read = LabelSets(), list[str]()

    def number(text: str) -> float:
        read.append(text)
        return float(text or -1)

    ids = sets.intern_all([Labels({"le": str(row % 3), "row": str(row)}) for row in range(9)] + [Labels()])
    for _ in range(2):
        assert sets.column("le", number)(ids).tolist() == [0, 1, 2] * 3 + [-1]
    more = sets.intern_all([Labels({"le": "7"}), Labels({"other": "1"})])
    assert sets.column("le", number)(more).tolist() == [7, -1]
    assert read == ["", "0", "1", "2", "7"]


@given(st.lists(st.lists(st.integers(0, 500), max_size=20), max_size=6))
def test_a_memo_asks_for_each_number_once(turns: list[list[int]]) -> None:
    asked = list[int]()

    def make(numbers: Int64s) -> Int64s:
        asked.extend(numbers.tolist())
        return numbers * 2

    memo = Memo(LabelSets(), make)
    for turn in turns:
        distinct = np.array(sorted(set(turn), reverse=True), np.int64)
        assert memo.look_up(distinct).tolist() == (distinct * 2).tolist()
    assert sorted(asked) == sorted({number for turn in turns for number in turn})


def test_ids_outlive_the_pool_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """When most of its label sets are of no use, the store makes a new pool of those that live."""
    store = Store(retention_ms=600_000)
    for number in range(5):
        store.add(Labels({"__name__": "m", "i": str(number)}), [1000], [float(number)])
    evaluator, pool = Evaluator(store), store.index.pool
    query = evaluator.prepare("m")
    before = evaluator.instant(query, 1000)
    store.index.remove(np.array([0, 2], np.int64))
    monkeypatch.setattr("sentinel.store.index._SPARE", -1_000_000)
    assert store.index.tidy() is not None
    assert store.index.pool is not pool
    store.add(Labels({"__name__": "m", "i": "new"}), [1000], [9.0])
    after = evaluator.instant(query, 1000)
    assert isinstance(before, Vector)
    assert isinstance(after, Vector)
    assert {evaluator.labels(id).get("i") for id in after.ids.tolist()} == {"1", "3", "4", "new"}
    assert len(set(after.ids.tolist()) & set(before.ids.tolist())) == 3
    assert evaluator.generation == 1


def test_nothing_has_no_duplicates() -> None:
    assert LabelSets().duplicate(NO_SERIES.ids) == -1
