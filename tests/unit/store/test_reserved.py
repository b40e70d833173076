"""Columns that grow: what they hold stays, and what a pool's kernels write to has room for it."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels
from sentinel.store import reserved
from sentinel.store.label_pool import LabelPool
from sentinel.store.pairs import Entries, Pairs
from sentinel.store.reserved import Growing


@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_growing_keeps_what_it_holds(sizes: list[int]) -> None:
    column, written = Growing(np.int64), 0
    for size in sizes:
        column.hold(size)
        assert len(column.array) >= size
        column.array[written:size] = np.arange(written, size)
        written = max(written, size)
        assert np.array_equal(column.array[:written], np.arange(written))
        assert not column.array[written : written + 100].any()


def test_small_columns_are_copied_and_large_ones_stay_where_they_are() -> None:
    column = Growing(np.int64)
    column.hold(1000)
    assert column.array.nbytes < 20_000
    column.hold(200_000)
    before = column.array
    column.hold(5_000_000)
    assert column.array is before


def no_space(*args: object, **kwargs: object) -> mmap.mmap:
    raise OSError("no address space")


class Scarce:
    """Address space for the first columns only."""

    def __init__(self, columns: int) -> None:
        self.left = columns

    def __call__(self) -> mmap.mmap | None:
        self.left -= 1
        return mmap.mmap(-1, 64 << 20) if self.left >= 0 else None


@pytest.mark.parametrize("columns", [0, 1, 2, 3])
def test_every_column_has_room_for_each_entry(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel looks at one of them alone, and writes to all."""
    monkeypatch.setattr(reserved, "_space", Scarce(columns))
    entries = Entries(np.uint8, figures=True)
    for size in (10, 1_000, 100_000, 150_000, 200_000, 300_000):
        entries.reserve(size - len(entries), 8 * size)
        assert size <= len(entries.ends) <= len(entries.figures)
        assert len(entries.cells) >= 8 * size


@pytest.mark.parametrize("space", [True, False])
def test_a_pool_grows_past_what_is_copied(space: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not space:
        monkeypatch.setattr(mmap, "mmap", no_space)
    pool, count = LabelPool(Pairs()), 150_000
    for first in range(0, count, 50_000):
        series = [Labels([("a", str(number)), ("b", "x")]) for number in range(first, first + 50_000)]
        ids = pool.intern_all(series)
        assert np.array_equal(ids, np.arange(first, first + 50_000))
        assert pool.fingerprints(ids[:5]).tolist() == [each.fingerprint for each in series[:5]]
    assert [dict(pool[id])["a"] for id in range(0, count, 9_999)] == [
        str(number) for number in range(0, count, 9_999)
    ]
