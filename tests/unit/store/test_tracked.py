"""Series that somebody keeps an eye on."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels
from sentinel.store import tracked
from sentinel.store.label_pool import LabelPool
from sentinel.store.label_rows import LabelRows
from sentinel.store.pairs import Pairs
from sentinel.store.store import Store
from sentinel.store.tracked import Tracked

SERIES = [Labels({"__name__": "x", "i": str(i)}) for i in range(12)]
SOME = st.lists(st.integers(0, 11), unique=True)


def a_store() -> Store:
    """With all series; those with an even number may be forgotten at any time."""
    store = Store()
    for place, labels in enumerate(SERIES):
        store.add(labels, [1000 if place % 2 == 0 else 10_000_000], [0.0])
    store.windows.horizon_ms = 10_000_000
    return store


def followed(store: Store, places: list[int]) -> Tracked:
    return Tracked.of(store.index.find([SERIES[place] for place in places]), store)


@settings(deadline=None)
@given(mine=SOME, others=SOME, expire=st.booleans())
def test_what_is_gone_is_told_of_series_that_are_still_there(
    mine: list[int], others: list[int], expire: bool
) -> None:
    store = a_store()
    before, after = followed(store, mine), followed(store, others)
    if expire:
        assert store.expire() == 6
        store.slots([Labels({"__name__": "new", "i": str(i)}) for i in range(6)])  # take the free slots
    gone = [place for place in mine if place not in others and not (expire and place % 2 == 0)]
    assert [store.labels(slot) for slot in before.without(after, store).tolist()] == [
        SERIES[place] for place in gone
    ]


@settings(deadline=None)
@given(groups=st.lists(SOME, max_size=4), old=st.booleans(), lost=st.booleans())
def test_groups_come_back_from_a_snapshot(groups: list[list[int]], old: bool, lost: bool) -> None:
    store, other = a_store(), a_store()
    if lost:
        other.expire()
    series, counts = tracked.dump([followed(store, each) for each in groups], store)
    assert counts == [len(each) for each in groups]
    if old:
        sets = LabelRows(**series).sets()
        found = tracked.load(sets, [[SERIES[n] for n in each] for each in groups], other)
    else:
        found = tracked.load(series, counts, other)
    for group, places in zip(found, groups, strict=True):
        here = [place for place in places if not (lost and place % 2 == 0)]
        assert np.array_equal(group.slots, followed(other, here).slots)
        assert len(group) == len(here)


def test_a_few_of_many_label_sets() -> None:
    """They are taken out of a pool without a look at all of its pairs, and come out the same."""
    pool = LabelPool(Pairs())
    many = [Labels({"__name__": "x", "i": str(number)}) for number in range(500)]
    pool.intern_all([*many, Labels()])
    wanted = [7, 500, 3, 7, 499]
    rows = LabelRows.of(pool, np.array(wanted, np.int64))
    assert rows.sets() == [[*many, Labels()][id] for id in wanted]
    assert len(rows.text_ends) == 4 and len(LabelRows.of(pool, np.empty(0, np.int64)).ends) == 0
