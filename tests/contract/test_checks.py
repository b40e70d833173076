"""What every check of a cluster must do, run over all that are installed."""

from __future__ import annotations

import copy
import math
import re
import time
from collections import Counter
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
import pytest

from sentinel import plugins
from sentinel.watch.check import Check, installed, speaks_of_silence
from sentinel.watch.names import told
from sentinel.watch.snapshot import ClusterSnapshot, Family
from tests.unit.watch.clusters import HEALTHY, PARTS, SICK, SILENT, SNAPSHOTS, large

every_check = pytest.mark.parametrize("check", installed(), ids=lambda check: check.name)
every_case = pytest.mark.parametrize(
    ("check", "snapshot"),
    [
        pytest.param(check, snapshot, id=f"{check.name}-{name}")
        for check in installed()
        for name, snapshot in SNAPSHOTS.items()
        if snapshot.answered or speaks_of_silence(check)
    ],
)


def test_checks_are_found_by_their_names() -> None:
    assert [check.name for check in installed()] == plugins.names("checks")


@every_check
def test_it_asks_for_parts_that_there_are(check: Check) -> None:
    assert check.needs and check.needs <= PARTS
    assert check.__doc__


def test_no_two_checks_give_the_same_family() -> None:
    for one, other in combinations(installed(), 2):
        assert not set(one.families) & set(other.families)


@every_check
def test_it_gives_every_family_it_declares_and_no_other(check: Check) -> None:
    """Declared means given, with rows, of a cluster where everything is known."""
    families = check.check(HEALTHY)
    assert [family.name for family in families if family.rows] == list(check.families)


@every_case
def test_families_are_well_formed(check: Check, snapshot: ClusterSnapshot) -> None:
    families = check.check(snapshot)
    assert max(Counter(family.name for family in families).values()) == 1
    for family in families:
        _hold_to_form(family)
        assert family.name in check.families


@every_case
@pytest.mark.parametrize("dialects", [[], ["kafka_exporter"], ["kminion"], ["kafka_exporter", "kminion"]])
def test_under_other_names_families_stay_well_formed(
    check: Check, snapshot: ClusterSnapshot, dialects: list[Any]
) -> None:
    families = told(check.check(snapshot), snapshot, dialects)
    assert max(Counter(family.name for family in families).values(), default=1) == 1
    for family in families:
        _hold_to_form(family)


def _hold_to_form(family: Family) -> None:
    assert re.fullmatch(r"k(afka|minion)_[a-z_]+", family.name)
    assert family.help.endswith(".")
    assert "cluster" not in family.labels and len(set(family.labels)) == len(family.labels)
    assert len({labels for labels, _ in family.rows}) == len(family.rows)
    for labels, value in family.rows:
        assert len(labels) == len(family.labels)
        assert all(type(label) is str for label in labels)
        assert type(value) in (int, float) and math.isfinite(value)
        assert value >= 0 or (family.name == "kafka_topic_partition_leader" and value == -1)


@every_case
def test_the_same_snapshot_gives_the_same(check: Check, snapshot: ClusterSnapshot) -> None:
    before = _as_bytes(snapshot)
    first = check.check(snapshot)
    assert check.check(copy.deepcopy(snapshot)) == first
    assert plugins.load("checks", check.name)().check(snapshot) == first
    assert _as_bytes(snapshot) == before, "a check changes nothing"


def _as_bytes(snapshot: ClusterSnapshot) -> bytes:
    def plain(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.ndarray) else dict(value)

    return msgspec.msgpack.encode(snapshot, enc_hook=plain, order="deterministic")


@every_check
def test_it_tells_sick_from_healthy(check: Check) -> None:
    assert check.check(SICK) != check.check(HEALTHY)


@every_check
def test_only_what_it_asks_for_decides(check: Check) -> None:
    """A poll fills only the parts that somebody needs; the others must not matter."""
    emptied: dict[str, Any] = {"cluster_id": "", "incomplete": frozenset(), "at_ms": 0}
    if "brokers" not in check.needs:
        emptied["brokers"] = ()
    if "min_isr" not in check.needs:
        emptied["min_isr"] = {}
    if not check.needs & {"groups", "commits"}:
        emptied["groups"] = ()
    if not check.needs & {"partitions", "offsets"}:
        emptied["partitions"] = type(HEALTHY.partitions)()
    assert check.check(msgspec.structs.replace(HEALTHY, **emptied)) == check.check(HEALTHY)


def test_somebody_speaks_of_a_silent_cluster() -> None:
    speakers = [check for check in installed() if speaks_of_silence(check)]
    assert speakers
    for check in speakers:
        healthy, silent = check.check(HEALTHY), check.check(SILENT)
        assert [family.labels for family in healthy] == [family.labels for family in silent]


@every_check
def test_a_large_cluster_is_judged_quickly(check: Check) -> None:
    """100,000 group-partitions, beside 10,000 partitions; the best of three, for the machine has others."""
    snapshot, taken = large(10, 100, 100), []
    for _ in range(3):
        began = time.process_time()
        check.check(snapshot)
        taken.append(time.process_time() - began)
    assert min(taken) < 0.4
