"""The index against plain lists: whatever came, went and came back, selections are what matchers mean."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels, Matcher
from sentinel.store import index as index_module
from sentinel.store.index import UNASKED, SeriesIndex
from sentinel.store.label_pool import LabelPool
from sentinel.store.label_rows import LabelRows, restored
from sentinel.store.pairs import Pairs

_NAMES, _VALUES = ("__name__", "job", "pod"), ("", "a", "b", "ab")
_SERIES = st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_VALUES[1:])).map(Labels)
_MATCHERS = st.lists(
    st.builds(Matcher, st.sampled_from(_NAMES), st.sampled_from(("=", "!=")), st.sampled_from(_VALUES))
    | st.builds(
        Matcher, st.sampled_from(_NAMES), st.sampled_from(("=~", "!~")), st.sampled_from(("a.*", "b?"))
    ),
    min_size=1,
    max_size=3,
).map(tuple)
_STEPS = st.lists(
    st.lists(_SERIES, max_size=6) | _MATCHERS | st.integers(0, 5) | st.just("tidy"), max_size=25
)
Steps = list[list[Labels] | tuple[Matcher, ...] | int | str]


def add(index: SeriesIndex, *series: Labels) -> list[int]:
    """The slots of series, made where new."""
    ids = index.ids(series)
    index.add(ids)
    slots: list[int] = index.slots(ids).tolist()
    return slots


def means(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    return all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)


def tidied(index: SeriesIndex) -> None:
    """Begins anew whether it is worth it or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_SPARE", -(10**6))
        assert index.tidy() is not None


@settings(deadline=None)
@given(_STEPS)
def test_selections_are_what_their_matchers_mean(steps: Steps) -> None:
    """A step brings series, asks for a selection, removes some series, or begins the pool anew."""
    index, asked, here = SeriesIndex(), list[tuple[Matcher, ...]](), list[Labels]()
    for step in steps:
        if isinstance(step, list):
            add(index, *step)
            here += [labels for labels in dict.fromkeys(step) if labels not in here]
        elif isinstance(step, int):
            index.remove(index.find(here[step : step + 2]))
            del here[step : step + 2]
        elif isinstance(step, str):
            tidied(index)
        else:
            asked.append(step)
            index.selection(step)
        assert len(index) == len(here) and (index.find(here) >= 0).all()
        for matchers in asked:
            found = list(map(index.labels, index.selection(matchers).slots().tolist()))
            wanted = [labels for labels in here if means(matchers, labels)]
            assert found == sorted(wanted, key=lambda labels: (labels.fingerprint, labels.pairs))


@settings(deadline=None)
@given(st.lists(_MATCHERS, max_size=5), st.lists(_SERIES, max_size=8))
def test_what_is_new_is_kept_as_long_as_the_most_demanding_asks(
    asked: list[tuple[Matcher, ...]], series: list[Labels]
) -> None:
    index, keep_ms = SeriesIndex(), dict[tuple[Matcher, ...], int]()
    for place, matchers in enumerate(asked):
        keep_ms[matchers] = index.selection(matchers).keep_ms = place
    index.resolve()
    slots, found = index.add(index.ids(series))
    assert sorted(map(index.labels, slots.tolist())) == sorted(set(series))
    for slot, kept in zip(slots.tolist(), found.tolist(), strict=True):
        wanted = [each for matchers, each in keep_ms.items() if means(matchers, index.labels(slot))]
        assert kept == max(wanted, default=UNASKED)


def test_fingerprints_that_meet_leave_the_order_to_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    index = SeriesIndex()
    series = [Labels({"__name__": "m", "i": str(i)}) for i in random.Random(1).sample(range(100), 50)]
    selection = index.selection((Matcher("__name__", "=", "m"),))
    monkeypatch.setattr(index, "fingerprints", lambda slots: slots.astype(np.uint64) // 10)
    for part in (series[:23], series[23:]):
        add(index, *part)
        found = list(map(index.labels, selection.slots().tolist()))
        slot = dict(zip(found, selection.slots().tolist(), strict=True))
        assert found == sorted(found, key=lambda labels: (slot[labels] // 10, labels))


def test_freed_slots_are_other_series() -> None:
    index = SeriesIndex()
    matchers = (Matcher("__name__", "=", "up"), Matcher("pod", "=~", "1|2"))
    (slot,) = add(index, Labels({"__name__": "up", "pod": "1"}))
    assert index.selection(matchers).slots().tolist() == [slot]
    index.remove(np.array([slot]))
    assert not len(index.selection(matchers).slots())
    (again,) = add(index, Labels({"__name__": "up", "pod": "3"}))
    assert again == slot and not len(index.selection(matchers).slots())
    assert np.array_equal(index.selection((matchers[0],)).slots(), [slot])


def test_what_is_gone_does_not_stay_in_the_pool() -> None:
    index, most = SeriesIndex(), 0
    for turn in range(40):
        slots = add(index, *[Labels({"i": str(i), "turn": str(turn)}) for i in range(10_000)])
        index.remove(np.array(slots))
        index.tidy()
        most = max(most, len(index.pool), len(index.pool.pairs))
    assert 100_000 < most < 2 * index_module._SPARE + 20_000


def test_forgotten_selections_follow_no_more() -> None:
    index, kept, left = SeriesIndex(), (Matcher("a", "=", "1"),), (Matcher("a", "!=", "2"),)
    old = [index.selection(matchers) for matchers in (kept, left)]
    index.keep_only({kept})
    add(index, Labels({"a": "1"}))
    assert [len(selection.slots()) for selection in old] == [1, 0]
    assert index.selection(kept) is old[0] and len(index.selection(left).slots()) == 1


@settings(deadline=None)
@given(st.lists(_SERIES, max_size=6), _MATCHERS)
def test_rows_are_label_sets_apart_from_their_pool(
    series: list[Labels], matchers: tuple[Matcher, ...]
) -> None:
    pool, other = LabelPool(Pairs()), LabelPool(Pairs())
    pool.intern(Labels({"not": "asked for"}))
    rows = LabelRows.of(pool, pool.intern_all(series))
    assert rows.sets() == series
    for state in (rows.dump(), series):
        assert [other[id] for id in restored(state, other).tolist()] == series
    assert set(rows.texts()) == {pair for labels in series for pair in labels}
    meant = rows.meant(matchers)
    assert meant.tolist() == [means(matchers, labels) for labels in series]
    some = rows.where(meant)
    assert some.sets() == [labels for labels in series if means(matchers, labels)]
    assert some.names() == sorted({name for labels in some.sets() for name, _ in labels})
    assert some.values("job") == sorted({labels.get("job") for labels in some.sets()} - {""})
