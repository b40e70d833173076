"""Lag: a table, and properties over clusters that hypothesis makes up, against a plain oracle."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.watch.lag import Lag
from sentinel.watch.snapshot import UNKNOWN, ClusterSnapshot, Family, Group, PartitionTable
from tests.unit.watch.clusters import AT_MS, HEALTHY, INCOMPLETE, SICK, Place, commits, rows, table

GROUP = "kafka_consumergroup_"
LARGEST = 2**63 - 1


def judged(
    ends: dict[Place, tuple[int, int]], groups: dict[str, dict[Place, int] | None], members: int = UNKNOWN
) -> list[Family]:
    """By partition (start, end), by group the offsets that it committed."""
    partitions = {place: (1, (1,), (1,), start, end) for place, (start, end) in ends.items()}
    made = tuple(
        Group(name, "", members, None if offsets is None else commits(offsets))
        for name, offsets in groups.items()
    )
    known = table(partitions) if partitions else PartitionTable()
    return Lag().check(ClusterSnapshot(AT_MS, answered=True, partitions=known, groups=made))


@pytest.mark.parametrize(
    ("start", "end", "committed", "lag", "lost"),
    [
        (0, 100, 100, 0, 0),
        (0, 100, 40, 60, 0),
        (0, 100, 0, 100, 0),
        (50, 100, 50, 50, 0),
        (50, 100, 20, 50, 30),  # what is removed is lost, not lag
        (100, 100, 20, 0, 80),
        (0, 100, 130, 0, 0),  # ahead of the end: a topic made anew, or unclean election
        (UNKNOWN, 100, 40, 60, None),
        (0, UNKNOWN, 40, None, 0),
        (UNKNOWN, UNKNOWN, 40, None, None),
        (0, LARGEST, 0, LARGEST, 0),
    ],
)
def test_lag_of_a_partition(start: int, end: int, committed: int, lag: int | None, lost: int | None) -> None:
    families = judged({("t", 4): (start, end)}, {"g": {("t", 4): committed}})
    at = ("g", "t", "4")
    assert rows(families, GROUP + "current_offset") == {at: committed}
    assert rows(families, GROUP + "lag") == ({} if lag is None else {at: lag})
    assert rows(families, GROUP + "lost_records") == ({} if lost is None else {at: lost})
    assert rows(families, GROUP + "lag_sum") == ({} if lag is None else {at[:2]: float(lag)})


def test_of_groups_without_commits_only_members_are_told() -> None:
    families = judged({("t", 0): (0, 9)}, {"none": {("t", 0): UNKNOWN}, "silent": None, "new": {}}, 2)
    assert rows(families, GROUP + "members") == {("none",): 2, ("silent",): 2, ("new",): 2}
    assert not [family for family in families if family.rows and family.name != GROUP + "members"]


def test_sums_are_of_what_is_committed_and_known_throughout() -> None:
    ends = {("a", 0): (0, 10), ("a", 1): (0, 20), ("b", 0): (0, 30), ("b", 1): (0, UNKNOWN)}
    groups: dict[str, dict[Place, int] | None] = {
        "all": {("a", 0): 1, ("a", 1): 2, ("b", 0): 3, ("b", 1): 4},
        "part": {("a", 1): 5, ("b", 0): 6, ("b", 1): UNKNOWN, ("gone", 0): 1},
    }
    families = judged(ends, groups)
    offsets = {("all", "a"): 3, ("all", "b"): 7, ("part", "a"): 5, ("part", "b"): 6}
    assert rows(families, GROUP + "current_offset_sum") == offsets
    lags = {("all", "a"): 27, ("part", "a"): 15, ("part", "b"): 24}  # nothing of all's b: b/1 is unknown
    assert rows(families, GROUP + "lag_sum") == lags


def test_topics_that_are_not_watched_are_left_out() -> None:
    families = Lag().check(SICK)
    assert not [labels for family in families for labels, _ in family.rows if "secret" in labels]
    assert rows(families, GROUP + "lag") == {
        ("billing", "orders", "0"): 80,
        ("billing", "orders", "1"): 5,
        ("ahead", "orders", "0"): 0,
    }
    assert rows(families, GROUP + "lost_records") == {
        ("billing", "orders", "0"): 0,
        ("billing", "orders", "1"): 10,
        ("ahead", "orders", "0"): 0,
    }
    assert rows(families, GROUP + "members") == {("billing",): 2, ("ahead",): 1, ("blind",): 1}


def test_a_coordinator_that_is_silent_takes_its_groups_only() -> None:
    families = Lag().check(INCOMPLETE)
    assert rows(families, GROUP + "members") == {("idle",): 0}
    assert rows(families, GROUP + "lag") == {}
    healthy = rows(Lag().check(HEALTHY), GROUP + "lag")
    assert healthy == {("billing", "orders", "0"): 10, ("billing", "orders", "1"): 0}


PLACES = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3))
OFFSETS = st.one_of(st.just(UNKNOWN), st.integers(0, 60), st.just(LARGEST))


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(PLACES, st.tuples(OFFSETS, OFFSETS), max_size=8),
    st.dictionaries(
        st.sampled_from(["g", "h", "i"]), st.one_of(st.none(), st.dictionaries(PLACES, OFFSETS, max_size=8))
    ),
)
def test_lag_is_what_the_definition_says(
    ends: dict[Place, tuple[int, int]], groups: dict[str, dict[Place, int] | None]
) -> None:
    lag: dict[tuple[str, ...], int] = {}
    sums: dict[tuple[str, ...], int | None] = {}
    for group, offsets in groups.items():
        for (topic, partition), committed in (offsets or {}).items():
            start, end = ends.get((topic, partition), (UNKNOWN, UNKNOWN))
            if (topic, partition) not in ends or committed < 0:
                continue
            so_far = sums.setdefault((group, topic), 0)
            if end < 0 or so_far is None:
                sums[group, topic] = None
            if end >= 0:
                one = max(0, end - max(committed, start))
                lag[group, topic, str(partition)] = one
                sums[group, topic] = None if so_far is None else so_far + one
    families = judged(ends, groups)
    assert rows(families, GROUP + "lag") == lag
    wanted = {labels: float(total) for labels, total in sums.items() if total is not None}
    assert rows(families, GROUP + "lag_sum") == pytest.approx(wanted)
    assert min((value for family in families for _, value in family.rows), default=0) >= 0


def test_the_order_of_groups_is_the_snapshots() -> None:
    turned = msgspec.structs.replace(SICK, groups=SICK.groups[::-1])
    for one, other in zip(Lag().check(SICK), Lag().check(turned), strict=True):
        assert sorted(one.rows) == sorted(other.rows)
