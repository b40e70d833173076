"""Label sets as rows of numbers, held against dicts of `Labels`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels
from sentinel.store import _pool_kernels as kernels
from sentinel.store.label_pool import Copies, LabelPool
from sentinel.store.label_rows import carried
from sentinel.store.pairs import Entries, Pairs, spelled

NAMES = st.sampled_from(["__name__", "a", "ab", "b", "é", "zone", "\U0001f600"]) | st.text(
    min_size=1, max_size=4
)
VALUES = (
    st.sampled_from(["", "a", "b", "bc", "\x00", "ÿ"])
    | st.text(max_size=5)
    | st.builds(lambda size, last: size * "x" + last, st.integers(5, 18), st.sampled_from("ab\x00"))
)
SETS = st.dictionaries(NAMES, VALUES, max_size=7).map(Labels)
MANY = st.lists(SETS, max_size=30)


def _ids(*ids: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(ids, np.int64)


@given(series=MANY, probes=MANY)
def test_equal_sets_meet_and_others_do_not(series: list[Labels], probes: list[Labels]) -> None:
    pool, known = LabelPool(Pairs()), dict[Labels, int]()
    for labels in series:
        assert pool.intern(labels) == known.setdefault(labels, len(known))
    assert pool.intern_all(series).tolist() == [known[labels] for labels in series]
    assert len(pool) == len(known)
    assert [pool[id] for id in known.values()] == list(known)
    before = len(pool.pairs), len(pool.pairs.names)
    assert pool.find_all(probes).tolist() == [known.get(labels, -1) for labels in probes]
    assert [pool.find(labels) for labels in probes] == [known.get(labels, -1) for labels in probes]
    assert before == (len(pool.pairs), len(pool.pairs.names))
    assert len(pool) == len(known)


@given(series=MANY, others=MANY)
def test_rows_go_from_pool_to_pool(series: list[Labels], others: list[Labels]) -> None:
    one = LabelPool(Pairs())
    other = LabelPool(one.pairs)
    other.intern_all(others)
    flat, ends = one.rows(one.intern_all(series))
    unknown = [labels in others for labels in series]
    assert (other.find_rows(flat, ends) >= 0).tolist() == unknown
    ids = other.intern_rows(flat, ends)
    assert [other[id] for id in ids.tolist()] == series
    assert ids.tolist() == other.intern_all(series).tolist() == other.find_rows(flat, ends).tolist()


@given(before=MANY, series=MANY, later=MANY)
def test_copies_have_pairs_of_their_own(
    before: list[Labels], series: list[Labels], later: list[Labels]
) -> None:
    source, target = LabelPool(Pairs()), LabelPool(Pairs())
    target.intern_all(before)
    copies = Copies(source, target)
    for some in (series, later, series):
        ids = copies(source.intern_all(some))
        assert ids.tolist() == target.intern_all(some).tolist()
        assert [target[id] for id in ids.tolist()] == some
        flat, ends = carried(source, source.intern_all(some), target)
        assert target.intern_rows(flat, ends).tolist() == ids.tolist()


@given(series=MANY, names=st.lists(NAMES, max_size=3))
def test_what_is_asked_of_many_is_what_labels_say(series: list[Labels], names: list[str]) -> None:
    pool = LabelPool(Pairs())
    ids = pool.intern_all(series)
    kept, cut = pool.keeping(ids, names), pool.dropping(ids, names)
    assert [pool[id] for id in kept.tolist()] == [labels.keep(names) for labels in series]
    assert [pool[id] for id in cut.tolist()] == [labels.drop(names) for labels in series]
    for all_ids in (ids, kept, cut, ids):
        expected = [pool[id].fingerprint for id in all_ids.tolist()]
        assert pool.fingerprints(all_ids).tolist() == expected
    for name in [*names, "a"]:
        found = [pool.pairs.pair(pair) if pair >= 0 else (name, "") for pair in pool.values_of(ids, name)]
        assert found == [(name, labels.get(name)) for labels in series]


@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=40), probe=st.tuples(NAMES, VALUES))
def test_pairs_are_numbered_as_they_come(pairs: list[tuple[str, str]], probe: tuple[str, str]) -> None:
    numbers, known = Pairs(), dict[tuple[str, str], int]()
    for pair in pairs:
        assert numbers.number(*pair) == known.setdefault(pair, len(known))
        assert numbers.find(*pair) == known[pair]
    assert [numbers.pair(number) for number in range(len(numbers))] == list(known)
    names = list(dict.fromkeys(name for name, _ in pairs))
    assert numbers.names == names
    assert [numbers.name_number(name) for name in names] == list(range(len(names)))
    assert [names[number] for number in numbers.name_of[: len(numbers)]] == [name for name, _ in known]
    assert numbers.find(*probe) == known.get(probe, -1)
    assert (numbers.name_number(probe[0]) >= 0) is (probe[0] in names)


@given(series=MANY)
def test_pairs_are_spelled_as_sets_of_one(series: list[Labels]) -> None:
    pairs = Pairs()
    flat, _ = pairs.number_all(series, make=True)
    numbers = np.unique(flat).astype(np.int64)
    text, ends = pairs.spelled(numbers)
    expected, expected_ends, _ = spelled([Labels([pairs.pair(number)]) for number in numbers.tolist()])
    assert (text.tobytes(), ends.tolist()) == (expected.tobytes(), expected_ends.tolist())
    again, _ = Pairs().number_spelled(text, ends, len(ends), make=True)
    assert again.tolist() == list(range(len(numbers)))


@settings(max_examples=10)
@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=4))
def test_growth_loses_nothing(sizes: list[int]) -> None:
    pool, series = LabelPool(Pairs()), list[Labels]()
    for turn, size in enumerate(sizes):
        new = [
            Labels({"turn": str(turn), "place": f"{place:06}", "third": str(place % 3)})
            for place in range(size)
        ]
        assert pool.intern_all(new).tolist() == list(range(len(series), len(series) + size))
        series += new
    ids = np.arange(len(series))
    assert pool.find_all(series).tolist() == ids.tolist()
    assert pool.fingerprints(ids[:50]).tolist() == [labels.fingerprint for labels in series[:50]]


def test_values_may_be_long_and_names_many() -> None:
    pool = LabelPool(Pairs())
    long = Labels({"a": "x" * 65_536, "b": "x" * 65_535 + "y"})
    wide = Labels({f"n{number}": str(number) for number in range(1000)})
    ids = pool.intern_all([long, wide, Labels(), long])
    assert ids.tolist() == [0, 1, 2, 0]
    assert [pool[id] for id in (0, 1, 2)] == [long, wide, Labels()]
    assert pool[int(pool.keeping(ids[1:2], ["n7", "n999", "none"])[0])] == wide.keep(["n7", "n999"])


def test_a_series_of_five_labels_takes_less_than_sixty_bytes() -> None:
    pool = LabelPool(Pairs())
    names = ("job", "instance", "service", "path")
    series = [
        Labels({"__name__": "m", **{n: f"{n}{id // 7**k % 7}" for k, n in enumerate(names)}})
        for id in range(2401)
    ]
    ids = pool.intern_all(series)
    whole = LabelPool(pool.pairs)
    shards = [whole.pairs.number("shard", str(number)) for number in range(40)]
    flat, ends = pool.rows(ids)
    rows = np.concatenate([np.insert(flat, ends - 1, shard) for shard in shards]).astype(np.int32)
    whole.fingerprints(whole.intern_rows(rows, np.arange(6, len(rows) + 1, 6)))
    assert len(whole) == 40 * 2401
    assert whole.nbytes / len(whole) < 60


def test_wrong_rows_are_refused() -> None:
    pool = LabelPool(Pairs())
    for ends in (_ids(3), _ids(-1), _ids(2, 1)):
        with pytest.raises(ValueError, match="follow"):
            pool.intern_rows(np.zeros(2, np.int32), ends)
    with pytest.raises(IndexError):
        pool[0]


def test_no_room_is_told_and_writes_nothing() -> None:
    entries = Entries(np.uint8, figures=True)
    text = np.frombuffer(b"abc", np.uint8)
    assert kernels.number_text(entries.state, -1, text, 0, 3, True) == kernels.NONE
    assert len(entries) == 0
    entries.reserve(1, 3)
    assert kernels.number_text(entries.state, -1, text, 0, 3, True) == 0
    assert entries.span(0).tobytes() == b"abc"
