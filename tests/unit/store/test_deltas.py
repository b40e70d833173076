"""Deltas become sums: in order of arrival, from the newest sample on, the same after a restore."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.decode._hash import SEED, hash_plain
from sentinel.model import STALE, Buckets, Histogram, Labels, SampleBatch
from sentinel.model.histogram import BOX_BITS
from sentinel.store import _kernels as kernels
from sentinel.store.deltas import added
from sentinel.store.store import Store

Row = tuple[str, int, int, float]
"""Name, time, start (-1: no delta), value."""


def batch_of(rows: list[Row], histograms: tuple[Histogram, ...] = ()) -> SampleBatch:
    names = [name.encode() for name, *_ in rows]
    ends = np.cumsum([len(name) for name in names], dtype=np.int64)
    key = np.zeros((len(rows), 4), np.int64)
    key[:, 0], key[:, 1] = ends - [len(name) for name in names], ends
    return SampleBatch(
        series_hash=np.array([hash_plain(name, b"", SEED) for name in names], np.uint64).reshape(-1, 2),
        key=key,
        buffer=np.frombuffer(b"".join(names), np.uint8),
        timestamp_ms=np.array([at for _, at, _, _ in rows], np.int64),
        value=np.array([value for *_, value in rows], np.float64),
        record=np.zeros(len(rows), np.int64),
        read_labels=lambda name, _: Labels({"__name__": name.decode()}),
        histograms=histograms,
        delta_from_ms=np.array([since for _, _, since, _ in rows], np.int64),
    )


def ingest(store: Store, *rows: Row, histograms: tuple[Histogram, ...] = ()) -> list[int]:
    """(stored, duplicate, out of order)."""
    _, counts = store.ingest(batch_of(list(rows), histograms), 1)
    return [int(counts[code]) for code in (0, kernels.DUPLICATE, kernels.OUT_OF_ORDER)]


def kept(store: Store, name: str) -> list[tuple[int, float]]:
    slot = store.find(Labels({"__name__": name}))
    if slot < 0:
        return []
    first, last = store.spans(np.array([slot]), -1, 1 << 60)
    span = slice(int(first[0]), int(last[0]))
    return list(zip(store.timestamp_ms[span].tolist(), store.value[span].tolist(), strict=True))


def test_deltas_add_up_from_batch_to_batch() -> None:
    store = Store(retention_ms=3_600_000)
    assert ingest(store, ("a", 1000, 0, 2.0), ("b", 1000, -1, 9.0), ("a", 2000, 1000, 3.0)) == [3, 0, 0]
    assert ingest(store, ("a", 3000, 2000, 4.0), ("b", 2000, -1, 9.5)) == [2, 0, 0]
    assert kept(store, "a") == [(1000, 2.0), (2000, 5.0), (3000, 9.0)]
    assert kept(store, "b") == [(1000, 9.0), (2000, 9.5)]


def test_what_was_counted_already_is_dropped() -> None:
    """The same again, one from before, one that overlaps; a gap is no harm."""
    store = Store(retention_ms=3_600_000)
    ingest(store, ("a", 2000, 1000, 2.0))
    assert ingest(store, ("a", 2000, 1000, 2.0), ("a", 1500, 1000, 1.0), ("a", 2500, 1999, 1.0)) == [0, 1, 2]
    assert ingest(store, ("a", 4000, 3000, 1.0), ("a", 5000, 0, 1.0)) == [2, 0, 0]
    assert kept(store, "a") == [(2000, 2.0), (4000, 3.0), (5000, 4.0)]


def test_a_sum_begins_anew_behind_a_staleness_marker() -> None:
    store = Store(retention_ms=3_600_000)
    ingest(store, ("a", 1000, 0, 2.0), ("a", 2000, 0, STALE), ("a", 3000, 2000, 5.0))
    assert kept(store, "a")[2] == (3000, 5.0)


def test_a_series_over_the_limit_is_counted() -> None:
    store = Store(retention_ms=3_600_000)
    _, counts = store.ingest(batch_of([("a", 1000, 0, 1.0), ("b", 1000, 0, 1.0)]), 1, series_limit=1)
    assert (counts[0], counts[kernels.SERIES_LIMIT], counts.sum()) == (1, 1, 2)


rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.integers(0, 9), st.integers(0, 5).map(float)),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(rows, st.data())
def test_sums_do_not_depend_on_batches_or_restores(found: list[Row], data: st.DataObject) -> None:
    """And are those of the plain way to add."""
    whole, parts = Store(retention_ms=3_600_000), Store(retention_ms=3_600_000)
    whole.ingest(batch_of(found), 1)
    cut = data.draw(st.integers(0, len(found)))
    parts.ingest(batch_of(found[:cut]), 1)
    state: Any = parts.snapshot()
    parts = Store(retention_ms=3_600_000)
    parts.restore(state)
    parts.ingest(batch_of(found[cut:]), 1)
    expected: dict[str, list[tuple[int, float]]] = {name: [] for name in "abc"}
    for name, at, since, value in found:
        before = expected[name][-1] if expected[name] else (-1, 0.0)
        if at > before[0] and (since == 0 or since >= before[0]):
            expected[name].append((at, before[1] + value))
    for name in "abc":
        assert kept(whole, name) == kept(parts, name) == expected[name]


def native(schema: int, offset: int, *counts: float) -> Histogram:
    total = sum(counts)
    return Histogram(schema=schema, count=total, sum=total, positive=Buckets(offset, np.array(counts)))


def test_histograms_are_added_bucket_by_bucket() -> None:
    found = added(native(0, 2, 1.0, 2.0), native(0, -1, 4.0))
    assert (found.count, found.positive) == (7.0, Buckets(-1, np.array([4.0, 0.0, 0.0, 1.0, 2.0])))
    found = added(native(1, 1, 1.0, 2.0, 4.0), native(0, 1, 8.0))
    assert (found.schema, found.positive) == (0, Buckets(1, np.array([11.0, 4.0])))
    assert added(native(0, 1, 1.0), Histogram(zero_threshold=0.5, count=1.0)).count == 1.0


def test_histograms_add_up_too() -> None:
    store = Store(retention_ms=3_600_000)
    two = native(0, 1, 1.0), native(0, 2, 2.0)
    batch = batch_of([("h", 1000, 0, 0.0), ("h", 2000, 1000, 0.0), ("h", 2000, 1000, 0.0)], (*two, two[0]))
    boxes = (np.arange(3, dtype=np.uint64) | np.uint64(BOX_BITS)).view(np.float64)
    batch.value[:] = boxes
    store.ingest(batch, 1)
    batch = batch_of([("h", 3000, 2000, 0.0)], (native(0, 1, 5.0),))
    batch.value[:] = boxes[:1]
    store.ingest(batch, 1)
    slot = store.find(Labels({"__name__": "h"}))
    first, last = store.spans(np.array([slot]), -1, 1 << 60)
    found = store.histograms.unbox(store.value[first[0] : last[0]])
    assert [each.count for each in found] == [1.0, 3.0, 8.0]
    assert found[2].positive == Buckets(1, np.array([6.0, 2.0]))
