"""Of samples that were read again, what rules ask for is taken in, and nothing else is made or lost."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Buckets, Histogram, Labels, Matcher
from sentinel.model.histogram import boxed
from sentinel.rules.filling import Filling
from sentinel.rules.past import UNASKED, PastSamples
from sentinel.store.histograms import Histograms
from sentinel.store.index import Demand
from sentinel.store.store import Store
from tests.unit.store.batches import batch

KEYS = [f"{name}|a={a}{more}" for name in "xyz" for a in "123" for more in ("", ",b=1")]
SELECTORS = [
    (Matcher("__name__", "=", "x"),),
    (Matcher("__name__", "=", "y"), Matcher("a", "!=", "2")),
    (Matcher("__name__", "=~", "y|z"), Matcher("b", "=", "1")),
]
AT_MS, MINUTE = 10**9, 60_000


def labels_of(key: str) -> Labels:
    return batch([(key, 0, 0.0)]).labels(0)


def meant(labels: Labels, chosen: list[int]) -> bool:
    return any(all(m.matches(labels.get(m.name)) for m in SELECTORS[n]) for n in chosen)


def past_of(store: Store, chosen: list[int]) -> PastSamples:
    filling = Filling(store, None)
    demands = [Demand(SELECTORS[n], MINUTE) for n in chosen]
    filling.change(demands, AT_MS)
    store.demand(demands)
    return PastSamples(store, filling)


rows = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 50)), min_size=1, max_size=30)


@settings(max_examples=60)
@given(
    here=st.sets(st.sampled_from(KEYS)),
    chosen=st.lists(st.integers(0, 2), min_size=1, unique=True),
    batches=st.lists(rows, max_size=4),
)
def test_what_is_asked_for_is_there_afterwards(
    here: set[str], chosen: list[int], batches: list[list[tuple[str, int]]]
) -> None:
    store = Store()
    for key in sorted(here):
        store.add(labels_of(key), [AT_MS], [1.0])
    past, told = past_of(store, chosen), Counter[str]()
    for each in batches:
        stored, dropped = past.ingest(batch([(key, AT_MS - 1000 * ago, 2.0) for key, ago in each]), 1, 100)
        told += Counter(dropped) + Counter(stored=stored)
    given_ = [(key, AT_MS - 1000 * ago) for each in batches for key, ago in each]
    asked = [(key, at) for key, at in given_ if meant(labels_of(key), chosen)]
    assert told.total() == len(given_) and told[UNASKED] == len(given_) - len(asked)
    for key in KEYS:
        slot = store.find(labels_of(key))
        wanted = {at for other, at in asked if other == key} | ({AT_MS} if key in here else set())
        assert (slot >= 0) == bool(wanted)
        if slot >= 0:
            _, times, _ = store.windows.export(np.array([slot]))
            assert set(times.tolist()) == wanted


def test_histograms_stay_with_their_samples() -> None:
    store, numbers = Store(), (1.0, 2.0, 3.0)
    histograms = [Histogram(count=n, positive=Buckets.of(0, np.array([n]))) for n in numbers]
    value = np.concatenate([[7.0], Histograms().box(histograms)])[[1, 0, 2, 3]]
    keys = ["z|", "x|", "x|", "z|"]
    made = batch([(key, AT_MS - 1000 + n, 0.0) for n, key in enumerate(keys)])
    made = msgspec.structs.replace(made, value=value, histograms=tuple(histograms))
    assert past_of(store, [0]).ingest(made, 1, 100) == (2, {UNASKED: 2})
    _, _, found = store.windows.export(np.array([store.find(labels_of("x|"))]))
    assert found[0] == 7.0 and [each.count for each in store.histograms.unbox(found[boxed(found)])] == [2.0]


def test_the_limit_of_series_holds() -> None:
    store = Store()
    stored, dropped = past_of(store, [0]).ingest(batch([(k, AT_MS - 1, 1.0) for k in KEYS[:4]]), 1, 3)
    assert (stored, dropped) == (3, {"series_limit": 1})
