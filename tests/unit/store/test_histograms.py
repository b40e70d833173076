"""Native histograms in the store: whichever comes first, and however many have gone again."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sentinel.model import Buckets, Histogram, Labels, SampleBatch
from sentinel.model.histogram import boxed
from sentinel.store import snapshot
from sentinel.store.histograms import Histograms
from sentinel.store.store import Store

from .batches import batch

SERIES = Labels({"__name__": "latency"})
SAMPLES = [
    Histogram(count=1.0, sum=2.0),
    Histogram(count=1.0, sum=2.0, positive=Buckets.of(3, np.array([1.0]))),
    Histogram(count=1.0, sum=2.0, positive=Buckets.of(4, np.array([1.0]))),
    Histogram(count=1.0, sum=2.0, reset_hint="gauge"),
]


def add(store: Store, at_ms: int, *histograms: Histogram) -> None:
    for each in histograms:
        store.add(SERIES, [at_ms], store.histograms.box([each]).tolist())


def batch_of(second: int, histograms: list[Histogram]) -> SampleBatch:
    """A batch of histograms of one series, all within that second."""
    rows = [("latency|", 1000 * second + number, 0.0) for number in range(len(histograms))]
    value = Histograms().box(histograms)
    return msgspec.structs.replace(batch(rows), value=value, histograms=tuple(histograms))


def kept(store: Store) -> list[str]:
    """What the window holds, written out."""
    *_, value = store.windows.export(np.array([store.find(SERIES)]))
    return [repr(each) for each in store.histograms.unbox(value[boxed(value)])]


@pytest.mark.parametrize("retention_ms", [None, 10_000])
def test_of_several_at_one_time_the_same_one_stays(retention_ms: int | None) -> None:
    """In a window and where only the newest sample is kept; numbers of boxes go up, or down after a sweep."""
    results = set()
    for order in permutations(SAMPLES):
        for gone in (0, 9):
            store = Store(retention_ms=retention_ms)
            store.histograms.box(SAMPLES[:1] * gone)
            store.histograms.sweep(store.windows.mark_boxes)
            add(store, 1000, *order)
            results.add(tuple(kept(store)))
    assert len(results) == 1 and len(results.pop()) == 1


def test_a_late_one_is_settled_among_later_samples() -> None:
    results = set()
    for order in permutations(SAMPLES[:2]):
        store = Store(retention_ms=10_000)
        add(store, 1000, order[0])
        add(store, 2000, SAMPLES[2])
        add(store, 1000, order[1])
        results.add(tuple(kept(store)))
    assert len(results) == 1


def test_what_no_window_holds_is_forgotten_without_any_query() -> None:
    """Boxes in windows go on to mean what they meant."""
    store = Store(retention_ms=10_000)
    for second in range(200):
        store.windows.horizon_ms = second * 1000
        ingested = [Histogram(count=float(second), sum=float(row)) for row in range(100)]
        store.ingest(batch_of(second, ingested), 1)
    held = store.histograms.unbox(store.windows.at(store.find(SERIES), 199_000))
    assert [each.count for each in held] == [199.0]
    assert len(store.histograms) < 10_000 < 200 * 100


def test_they_survive_a_restart(tmp_path: Path) -> None:
    store, other = Store(retention_ms=10_000), Store(retention_ms=10_000)
    for second, histogram in enumerate(SAMPLES):
        add(store, second, histogram)
    snapshot.save(tmp_path, store.snapshot())
    state = snapshot.load(tmp_path)
    assert state is not None
    other.restore(state)
    assert kept(other) == kept(store) == [repr(each) for each in SAMPLES]


def test_those_packed_are_found_settled_and_survive_a_restart() -> None:
    """A window of 400 keeps its newest only in a segment."""
    store, other = Store(retention_ms=10**6), Store(retention_ms=10**6)
    for second in range(400):
        add(store, 1000 * second, Histogram(count=float(second), sum=1.0))
    store.histograms.box(SAMPLES)
    store.histograms.sweep(store.windows.mark_boxes)
    assert len(store.histograms) == 400
    for late in (Histogram(count=50.0, sum=0.5), Histogram(count=50.0, sum=1.5)):
        add(store, 50_000, late)
    assert [each.sum for each in store.histograms.unbox(store.windows.at(0, 50_000))] == [1.5]
    other.restore(store.snapshot())
    assert kept(other) == kept(store) and len(kept(other)) == 400
