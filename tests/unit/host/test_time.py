"""The host's sense of time: what a source's partitions say about how far rules may be evaluated."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sentinel.engine import Engine, Settings
from sentinel.host.feed import Feed
from sentinel.host.schedule import BACKLOG_MS, START_GRACE_MS, Schedule
from sentinel.host.watermarks import (
    AHEAD_MS,
    RESUME_WITHIN_MS,
    RETURN_WITHIN_MS,
    SETTLE_MS,
    SourceTime,
)
from sentinel.ingest.source import PartitionStatus
from sentinel.model import Labels
from sentinel.rules.load import parse_rules
from sentinel.store.journal import Step
from tests.unit.store.batches import batch

NOW = 1_000_000_000


class Far:
    """A source whose outside world is set by hand."""

    def __init__(self, partitions: Mapping[str, tuple[int, int]] | None = None, *, up: bool = True) -> None:
        self.ends = dict(partitions or {})
        self.up, self.assigned, self.heard_ms = up, True, NOW

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return {name: PartitionStatus(at, end, self.heard_ms) for name, (at, end) in self.ends.items()}

    def connected(self, now_ms: int) -> bool:
        return self.up


def source(far: Far, *, kafka: bool = True, name: str = "k", delay_ms: int = 0) -> SourceTime:
    return SourceTime(Feed(name, far, {}, replayable=kafka, delay_ms=delay_ms, max_wait_ms=60_000))


@pytest.mark.parametrize(
    ("ends", "read", "heard_ms", "expected"),
    [
        ({"t/0": (5, 5)}, {"t/0": (5, NOW - 9000)}, NOW, ("current", NOW)),
        ({"t/0": (5, 9)}, {"t/0": (5, NOW - 9000)}, NOW, ("behind", NOW - 9000)),
        ({"t/0": (9, 9)}, {"t/0": (5, NOW - 9000)}, NOW, ("behind", NOW - 9000)),  # on its way to us
        ({"t/0": (9, 9), "t/1": (9, 9)}, {"t/0": (9, NOW - 9000)}, NOW, ("behind", 0)),  # t/1 not seen yet
        (
            {"t/0": (9, 9), "t/1": (4, 9)},
            {"t/0": (9, NOW - 1), "t/1": (4, NOW - 7)},
            NOW,
            ("behind", NOW - 7),
        ),
        ({"t/0": (5, -1)}, {"t/0": (5, NOW - 9000)}, NOW, ("behind", NOW - 9000)),  # the end is not known
        ({"t/0": (5, 5)}, {"t/0": (5, NOW - 9000)}, NOW - 6000, ("behind", NOW - 9000)),  # nor for long
        ({}, {}, NOW, ("current", NOW)),
    ],
)
def test_kafka_time(
    ends: dict[str, tuple[int, int]],
    read: dict[str, tuple[int, int]],
    heard_ms: int,
    expected: tuple[str, int],
) -> None:
    far = Far(ends)
    far.heard_ms = heard_ms
    time = source(far)
    for partition, (position, newest_ms) in read.items():
        time.observe(partition, position, newest_ms, newest_ms)
    time.update(NOW)
    assert (time.condition, time.time_ms) == expected


def test_a_partition_far_ahead_is_held_until_the_slowest_catches_up() -> None:
    far = Far({"t/0": (5, 9), "t/1": (5, 9)})
    held: list[frozenset[str]] = []
    time = SourceTime(Feed("k", far, {}, replayable=True, hold=held.append))
    time.observe("t/0", 5, NOW, NOW)
    time.observe("t/1", 5, NOW - 10 * AHEAD_MS, NOW - 10 * AHEAD_MS)
    time.update(NOW)
    time.update(NOW)
    assert held == [frozenset({"t/0"})], "told once"
    far.heard_ms = NOW - 6000
    time.update(NOW)
    assert held[1:] == [frozenset()], "nobody waits for a partition whose leader is silent"
    far.heard_ms = NOW
    time.update(NOW)
    time.observe("t/1", 9, NOW, NOW)
    time.update(NOW)
    assert held[2:] == [frozenset({"t/0"}), frozenset()]


def test_a_disconnected_source_stands_still_and_never_goes_back() -> None:
    far = Far({"t/0": (5, 5)})
    time = source(far)
    time.observe("t/0", 5, NOW - 10, NOW - 10)
    time.update(NOW)
    far.up = False
    time.update(NOW + 60_000)
    assert (time.condition, time.time_ms) == ("disconnected", NOW)
    far.up, far.heard_ms = True, NOW + 70_000
    time.update(NOW + 70_000)
    assert (time.condition, time.time_ms) == ("disconnected", NOW), "read to an end that nobody could move"
    far.ends = {"t/0": (5, 9)}
    time.observe("t/0", 6, NOW + 10, NOW + 10)
    time.update(NOW + 70_100)
    assert time.condition == "disconnected", "other producers are about to come back"
    time.update(NOW + 70_100 + SETTLE_MS)
    assert (time.condition, time.time_ms) == ("behind", NOW + 10)


@pytest.mark.parametrize(("newest_ms", "settled"), [(NOW + 60_001, "behind"), (NOW + 10, "disconnected")])
def test_records_that_come_with_the_return_count_if_they_are_new(newest_ms: int, settled: str) -> None:
    """The engine may be given them before it is seen that brokers answer again."""
    far = Far({"t/0": (5, 5)})
    time = source(far)
    time.observe("t/0", 5, NOW - 10, NOW - 10)
    time.update(NOW)
    far.up = False
    time.update(NOW + 60_000)
    time.update(NOW + 69_000)
    far.up, far.heard_ms, far.ends = True, NOW + 70_000, {"t/0": (6, 9)}
    time.observe("t/0", 6, newest_ms, newest_ms)
    time.update(NOW + 70_000)
    assert time.condition == "disconnected", "other producers are about to come back"
    time.update(NOW + 70_000 + SETTLE_MS)
    assert time.condition == settled


@pytest.mark.parametrize("silent_ms", [6_000, 20_000])
def test_after_a_silence_nothing_new_is_believed_to_be_the_end(silent_ms: int) -> None:
    far = Far({"t/0": (5, 5), "t/1": (5, 5)})
    time = source(far)
    for partition in far.ends:
        time.observe(partition, 5, NOW - 10, NOW - 10)
    time.update(NOW)
    time.update(NOW + silent_ms)
    assert (time.condition, time.time_ms) == ("behind", NOW)
    far.heard_ms = NOW + silent_ms + 1
    time.update(NOW + silent_ms + 1)
    assert (time.condition, time.time_ms) == ("disconnected", NOW)
    far.heard_ms += RETURN_WITHIN_MS
    time.update(NOW + silent_ms + 1 + RETURN_WITHIN_MS)
    assert time.condition == "current", "but not for ever"


def test_delay_holds_back_and_pushed_sources_resume_with_their_first_sample() -> None:
    time = source(Far(), kafka=False, delay_ms=500)
    time.update(NOW)
    assert time.time_ms == NOW - 500
    time.resume(NOW)
    time.update(NOW + 1000)
    assert time.condition == "disconnected"
    time.observe("", 1, NOW, NOW)
    time.update(NOW + 2000)
    assert (time.condition, time.time_ms) == ("current", NOW + 1500)
    time.resume(NOW)
    time.update(NOW + RESUME_WITHIN_MS)
    assert time.condition == "current"


RULES = """
groups:
  - {name: both, interval: 1s, rules: [{record: a, expr: from_k}, {record: b, expr: from_p}]}
  - {name: kafka, interval: 1s, rules: [{record: c, expr: from_k}]}
  - {name: now, interval: 1h, on_arrival: true, rules: [{record: d, expr: from_p}]}
"""


def scene(far: Far) -> tuple[Engine, Schedule, dict[str, SourceTime]]:
    """Series `from_k` fed by Kafka, `from_p` by pushes; every group was evaluated ten seconds ago."""
    engine = Engine(parse_rules(RULES, "r"), Settings(sources=("k", "p")))
    for number, name in enumerate(("from_k", "from_p")):
        slot = engine.store.slot(Labels({"__name__": name}))
        engine.store.sources[slot] = 1 << number
    for group in engine.groups.values():
        group.last_ms = NOW - 10_000
    times = {"k": source(far), "p": source(Far(), kafka=False, name="p")}
    return engine, Schedule(engine, times, spread=False, started_ms=NOW - START_GRACE_MS), times


def last_of(steps: list[Step]) -> dict[str, Step]:
    return {step.group.rpartition(";")[2]: step for step in steps}


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        (True, {"both": (NOW - 4000, ()), "kafka": (NOW - 4000, ())}),  # both wait for the slower source
        (False, {"both": (NOW, ("k",))}),  # what only Kafka feeds stands still, the rest goes on without it
    ],
)
def test_groups_wait_for_who_is_behind_and_go_on_past_who_is_gone(
    up: bool, expected: dict[str, tuple[int, tuple[str, ...]]]
) -> None:
    _, schedule, times = scene(Far({"t/0": (5, 9)}, up=up))
    times["k"].observe("t/0", 5, NOW - 4000, NOW - 4000)
    for time in times.values():
        time.update(NOW)
    steps = schedule.due(NOW)
    assert [step.at_ms for step in steps] == sorted(step.at_ms for step in steps)
    assert {name: (step.at_ms, step.held) for name, step in last_of(steps).items()} == expected


def test_who_is_stuck_is_waited_for_only_so_long() -> None:
    _, schedule, times = scene(Far({"t/0": (5, 9)}))
    times["k"].observe("t/0", 5, NOW - 4000, NOW - 4000)
    times["k"].update(NOW)
    for time in times.values():
        time.update(NOW + 60_001)
    step = last_of(schedule.due(NOW + 60_001))["kafka"]
    assert (step.at_ms, step.incomplete) == (NOW + 60_000, True)


def test_on_arrival_is_at_once_but_not_before_its_time_and_not_too_often() -> None:
    engine, schedule, times = scene(Far())
    for time in times.values():
        time.update(NOW)

    def arrived(name: str, newest_ms: int) -> None:
        engine.ingest("p", batch([(name, newest_ms, 1.0)]))
        schedule.arrived(newest_ms)

    arrived("from_p", NOW + 30)
    assert "now" not in last_of(schedule.due(NOW))
    assert last_of(schedule.due(NOW + 30))["now"].at_ms == NOW + 30
    arrived("from_p", NOW + 31)
    assert "now" not in last_of(schedule.due(NOW + 35))
    assert last_of(schedule.due(NOW + 40))["now"].at_ms == NOW + 31
    arrived("from_k", NOW + 50)
    assert "now" not in last_of(schedule.due(NOW + 100)), "samples that it does not read"


def test_catching_up_is_told_from_standing_still() -> None:
    far = Far({"t/0": (5, 9)})
    engine, schedule, times = scene(far)
    group = engine.groups["r;kafka"]
    times["k"].observe("t/0", 5, NOW - 10 * BACKLOG_MS, NOW - 10 * BACKLOG_MS)
    times["k"].update(NOW)
    assert schedule.catching_up(group, NOW)
    far.up = False
    times["k"].update(NOW + 1)
    assert not schedule.catching_up(group, NOW + 1)
