"""Columns of label values find the same series as asking each of them, whatever came, went and came back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sentinel.model import Labels, Matcher
from sentinel.store.capacities import CAPACITIES, segment_for
from sentinel.store.index import SeriesIndex
from sentinel.store.label_columns import MOST_COLUMNS

_NAMES, _VALUES = ("__name__", "job", "pod"), ("", "a", "b", "ab")
_SERIES = st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_VALUES[1:]), min_size=1).map(Labels)
_MATCHERS = st.lists(
    st.builds(Matcher, st.sampled_from(_NAMES), st.sampled_from(("=", "!=")), st.sampled_from(_VALUES))
    | st.builds(
        Matcher, st.sampled_from(_NAMES), st.sampled_from(("=~", "!~")), st.sampled_from(("a.*", "b?"))
    ),
    min_size=1,
    max_size=3,
).map(tuple)
_STEPS = st.lists(_SERIES | _MATCHERS | st.integers(0, 5), max_size=25)


@given(_STEPS)
def test_selections_are_what_their_matchers_mean(steps: list[Labels | tuple[Matcher, ...] | int]) -> None:
    """A step brings a series, asks for a selection, or removes the series of a number."""
    index, asked = SeriesIndex(), list[tuple[Matcher, ...]]()
    for step in steps:
        if isinstance(step, Labels):
            if index.find(step) < 0:
                index.add(step)
        elif isinstance(step, int):
            index.remove(index.live()[step : step + 1])
        else:
            asked.append(step)
        for matchers in asked:
            found = [index.labels[slot] for slot in index.selection(matchers).slots().tolist()]
            everyone = [index.labels[slot] for slot in index.live()]
            assert sorted(found) == sorted(labels for labels in everyone if _means(matchers, labels))


def _means(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    return all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)


def test_columns_come_and_go_and_new_series_are_found_all_the_same() -> None:
    """Only the columns asked for last follow new series: anybody may ask for any label."""
    index, names = SeriesIndex(), [f"label_{number}" for number in range(3 * MOST_COLUMNS)]
    for turn in ("a", "b", "c"):
        index.add(Labels(dict.fromkeys(("__name__", *names), turn)))
        index.keep_only(set())
        for name in names:
            assert len(index.selection((Matcher(name, "=~", ".+"),)).slots()) == len(index)
            assert len(index.selection((Matcher(name, "=", turn),)).slots()) == 1
    assert len(index._columns._columns) == MOST_COLUMNS


def test_equal_pairs_are_kept_once() -> None:
    index = SeriesIndex()
    for pod in ("1", "2"):
        index.add(Labels({"__name__": "".join(["u", "p"]), "job": "".join(["a", "b"]), "pod": pod}))
    one, other = index.labels
    assert one.pairs[1] is other.pairs[1] and one.pairs[2] is not other.pairs[2]


def test_a_segment_holds_what_it_is_for() -> None:
    """With room for one more after tidying up, and no smaller one would do."""
    assert list(CAPACITIES) == sorted(set(CAPACITIES))
    for samples in range(1, 5000):
        capacity = segment_for(samples)
        assert capacity - max(capacity // 8, 1) >= samples
        smaller = CAPACITIES[CAPACITIES.index(capacity) - 1] if capacity > 1 else 0
        assert smaller - max(smaller // 8, 1) < samples


def test_freed_slots_are_other_series() -> None:
    index = SeriesIndex()
    matchers = (Matcher("__name__", "=", "up"), Matcher("pod", "=~", "1|2"))
    slot, _ = index.add(Labels({"__name__": "up", "pod": "1"}))
    assert index.selection(matchers).slots().tolist() == [slot]
    index.remove([slot])
    assert not len(index.selection(matchers).slots())
    again, _ = index.add(Labels({"__name__": "up", "pod": "3"}))
    assert again == slot and not len(index.selection(matchers).slots())
    assert np.array_equal(index.selection((matchers[0],)).slots(), [slot])
