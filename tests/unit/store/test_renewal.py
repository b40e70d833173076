"""A pool begun anew in parts: nobody notices, and no part is large."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels, Matcher
from sentinel.store import index as index_module
from sentinel.store import renewal
from sentinel.store.index import SeriesIndex
from sentinel.store.label_pool import Copies
from sentinel.store.store import Store

from .batches import batch
from .test_index import add

_STEPS = st.lists(
    st.tuples(st.just("add"), st.integers(0, 30), st.integers(1, 8))
    | st.tuples(st.just("remove"), st.integers(0, 30), st.integers(1, 8))
    | st.tuples(st.just("go on"), st.just(0), st.just(0)),
    max_size=40,
)


def series(number: int) -> Labels:
    return Labels({"n": str(number), "odd": str(number % 2)})


def slots_of(index: SeriesIndex, numbers: set[int]) -> dict[int, int]:
    """By number the slot of those that are series."""
    found = zip(sorted(numbers), index.find([series(n) for n in sorted(numbers)]).tolist(), strict=True)
    return {number: slot for number, slot in found if slot >= 0}


@settings(deadline=None)
@given(_STEPS)
def test_series_come_and_go_meanwhile(steps: list[tuple[str, int, int]]) -> None:
    index, here, odd = SeriesIndex(), dict[int, int](), (Matcher("odd", "=", "1"),)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_SPARE", -(10**6))
        patch.setattr(renewal, "AT_ONCE", 3)
        for step, first, count in steps:
            numbers = range(first, first + count)
            if step == "add":
                here |= zip(numbers, add(index, *map(series, numbers)), strict=True)
            elif step == "remove":
                gone = [here.pop(number) for number in numbers if number in here]
                index.remove(np.array(gone, np.int64))
            else:
                index.tidy()
            assert slots_of(index, set(range(40))) == here
            assert {slot: index.labels(slot) for slot in here.values()} == {
                slot: series(number) for number, slot in here.items()
            }
            meant = {slot for number, slot in here.items() if number % 2}
            assert set(index.selection(odd).slots().tolist()) == meant


def test_each_part_is_small_and_together_they_are_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_SPARE", 100)
    monkeypatch.setattr(renewal, "AT_ONCE", 500)
    parts = []
    copies = Copies.__call__

    def counted(self: Copies, ids: np.ndarray[tuple[int], np.dtype[np.int64]]) -> object:
        parts.append(len(ids))
        return copies(self, ids)

    monkeypatch.setattr(Copies, "__call__", counted)
    index = SeriesIndex()
    slots = np.array(add(index, *map(series, range(12_000))))
    index.remove(slots[4_000:])
    old, renamed = index.pool, index.tidy()
    assert index.pool is old and renamed is None
    add(index, *map(series, range(20_000, 20_300)))  # while it is under way
    while renamed is None:
        before = sum(parts)
        renamed = index.tidy()
        assert sum(parts) - before <= 500
    assert sum(parts) == 4_300 == len(index.pool) and index.renewal is None
    assert np.array_equal(np.flatnonzero(renamed >= 0), np.flatnonzero(np.isin(renamed, np.arange(4_300))))
    assert [index.labels(slot) for slot in slots[:4_000:700].tolist()] == [
        series(number) for number in range(0, 4_000, 700)
    ]


def test_a_selection_that_nobody_looked_at_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made before the new pool is there, and asked for afterwards."""
    monkeypatch.setattr(index_module, "_SPARE", -(10**6))
    index = SeriesIndex()
    add(index, *map(series, range(10)))
    selection = index.selection((Matcher("odd", "=", "1"),))
    assert index.tidy() is not None
    add(index, *map(series, range(10, 16)))
    assert sorted(selection.slots().tolist()) == [slot for slot in range(16) if slot % 2]


def test_a_store_goes_on_with_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_SPARE", 10)
    monkeypatch.setattr(renewal, "AT_ONCE", 20)
    store, texts = Store(), [f"m|n=v{number}" for number in range(300)]
    store.ingest(batch([(text, 1_000, 1.0) for text in texts]), 1)
    kept, last_ms = texts[:100], 10_000_000
    store.ingest(batch([(text, last_ms, 2.0) for text in kept]), 1)
    store.windows.horizon_ms = last_ms
    pool = store.index.pool
    assert store.expire() == 200 and store.index.renewal is not None
    for later in range(1, 8):
        slots, counts = store.ingest(batch([(text, last_ms + later, 3.0) for text in kept]), 1)
        assert counts[0] == 100
        assert [store.labels(slot).get("n") for slot in slots.tolist()] == [f"v{n}" for n in range(100)]
    assert store.index.renewal is None and store.index.pool is not pool and len(store.index) == 100
