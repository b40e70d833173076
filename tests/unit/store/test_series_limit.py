"""The limit of series: which are refused depends on nothing but the samples and their order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels, SampleBatch
from sentinel.store import _kernels as kernels
from sentinel.store.store import EXPIRY_MS, Store

from .batches import batch, read_labels

LIMIT = 4
SPELLINGS = ("m|a={0},b=x", "m|b=x,a={0}", "m| b=x ,, a={0}")
SAMPLE = st.tuples(st.sampled_from([1, 2]), st.integers(0, 8), st.sampled_from(SPELLINGS))
STEP = st.one_of(
    st.lists(SAMPLE, min_size=1, max_size=6),
    st.just("restart"),
    st.integers(1, EXPIRY_MS),  # time goes by
)


@dataclasses.dataclass
class Model:
    """What should happen, sample by sample."""

    creator: dict[int, int] = dataclasses.field(default_factory=dict)
    last_ms: dict[int, int] = dataclasses.field(default_factory=dict)

    def take(self, source: int, series: int, now_ms: int) -> bool:
        if series not in self.creator:
            if sum(creator == source for creator in self.creator.values()) >= LIMIT:
                return False
            self.creator[series] = source
        self.last_ms[series] = now_ms
        return True

    def expire(self, now_ms: int) -> None:
        for series in [each for each, last_ms in self.last_ms.items() if last_ms < now_ms - EXPIRY_MS]:
            del self.creator[series], self.last_ms[series]


def runs(samples: list[Any], now_ms: int) -> list[tuple[int, SampleBatch, list[int]]]:
    """Consecutive samples of one source as batches: (source, batch, series of each row)."""
    found: list[tuple[int, list[Any]]] = []
    for source, series, spelling in samples:
        if not found or found[-1][0] != source:
            found.append((source, []))
        found[-1][1].append((series, (spelling.format(series), now_ms, 1.0)))
    return [(source, batch([row for _, row in rows]), [each for each, _ in rows]) for source, rows in found]


@given(st.lists(STEP, max_size=25))
@settings(max_examples=200, deadline=None)
def test_the_store_takes_what_the_model_takes(steps: list[Any]) -> None:
    """In any spelling, whatever the batches, over restarts, and again when places are free."""
    store, model, now_ms = Store(), Model(), EXPIRY_MS
    for step in steps:
        if step == "restart":
            state, store = store.snapshot(), Store()
            store.restore(state)
        elif isinstance(step, int):
            now_ms += step
            model.expire(now_ms)
            store.windows.horizon_ms = now_ms
            store.expire()
        else:
            now_ms += 1
            for source, samples, series in runs(step, now_ms):
                slots, _ = store.ingest(samples, source, LIMIT)
                assert (slots >= 0).tolist() == [model.take(source, each, now_ms) for each in series]
        wanted = Counter(model.creator.values())
        assert {source: count for source, count in store.created.items() if count} == wanted
        assert len(store.index) == len(model.creator)


def test_refused_series_leave_no_trace() -> None:
    store = Store()
    store.ingest(batch([(f"m|i={i}", 1, 1.0) for i in range(100)]), 1, series_limit=100)
    sizes = set()
    for part in range(20):
        flood = [(f"m|i={i},j={part}", 2, 1.0) for i in range(1000)]
        slots, counts = store.ingest(batch([*flood, ("m|i=7", 2 + part, 2.0)]), 1, series_limit=100)
        assert counts[kernels.SERIES_LIMIT] == 1000 and slots[-1] >= 0
        index = store.index
        pool = index.pool
        sizes.add((len(index), len(pool), len(pool.pairs), store.windows.nbytes, len(store._table)))
    assert sizes == {(100, 100, 101, store.windows.nbytes, 100)}


def test_of_plain_samples_no_labels_are_made() -> None:
    """What a flood costs: making labels takes ten times as long as all the rest."""
    read: list[bytes] = []
    store = Store()
    store.ingest(batch([(f"m|i={i}", 1, 1.0) for i in range(100)]), 1, series_limit=100)
    flood = batch([*[(f"m|i={i},j=1", 2, 1.0) for i in range(5000)], ("m|,i=7", 2, 2.0)])

    def counting(name: bytes, labels: bytes) -> Labels:
        read.append(labels)
        return read_labels(name, labels)

    flood = msgspec.structs.replace(flood, read_labels=counting)
    slots, _ = store.ingest(flood, 1, series_limit=100)
    assert not read
    assert np.flatnonzero(slots >= 0).tolist() == [5000]


def test_every_source_has_a_limit_of_its_own() -> None:
    store = Store()
    store.ingest(batch([("m|i=1", 1, 1.0), ("m|i=2", 1, 1.0)]), 1, series_limit=2)
    mixed = batch([("m|i=1", 2, 1.0), ("m|i=3", 2, 1.0), ("m|i=2", 2, 1.0)])
    _, counts = store.ingest(mixed, 1, series_limit=2)
    assert counts[kernels.STORED] == 2 and counts[kernels.SERIES_LIMIT] == 1
    assert store.ingest(batch([("m|i=3", 2, 1.0)]), 2, series_limit=2)[1][kernels.STORED] == 1
    assert dict(store.created) == {1: 2, 2: 1}


def test_what_rules_write_takes_no_place_of_the_source_that_feeds_them() -> None:
    store = Store()
    store.ingest(batch([("m|i=1", 1, 1.0)]), 1, series_limit=2)
    recorded = store.slot(Labels({"__name__": "recorded"}))
    store.write(np.array([recorded]), np.array([1]), np.array([1.0]), 1)
    assert store.ingest(batch([("m|i=2", 1, 1.0)]), 1, series_limit=2)[1][kernels.STORED] == 1
    assert dict(store.created) == {1: 2, 0: 1}
