"""What is blamed for a crash, and for how long."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sentinel.host.suspects import JOURNAL, SHOWN_MS, Activity, Suspects
from tests.unit.engine import telemetry as world

NOW = 1_800_000_000_000
BATCH = Activity("batch", "telemetry", "t/0", 100, 200)
RULE = Activity("rule", "a.yml;g", "alert:A{}", NOW, NOW)


def died_in(folder: Path, *activities: Activity) -> Suspects:
    """One life for each activity, ended by it; then one more."""
    for activity in activities:
        Suspects(folder, NOW).enter(activity)
    return Suspects(folder, NOW)


@pytest.mark.parametrize("activity", [BATCH, RULE])
@pytest.mark.parametrize(("times", "aside"), [(0, False), (1, False), (2, False), (3, True), (4, True)])
def test_the_third_crash_sets_aside(tmp_path: Path, activity: Activity, times: int, aside: bool) -> None:
    suspects = died_in(tmp_path, *[activity] * times)
    assert [each.set_aside for each in suspects.all] == [aside] * bool(times)
    assert bool(suspects.rules()) == (aside and activity is RULE)


def test_who_left_is_not_blamed(tmp_path: Path) -> None:
    suspects = Suspects(tmp_path, NOW)
    suspects.enter(BATCH)
    suspects.leave()
    assert Suspects(tmp_path, NOW).all == ()


def test_a_batch_is_narrowed_to_its_record(tmp_path: Path) -> None:
    one = Activity("batch", "telemetry", "t/0", 150, 151)
    suspects = died_in(tmp_path, BATCH, one, one)
    assert [(each.activity, each.crashes) for each in suspects.all] == [(one, 3)]
    payloads = world.payloads(0, 148, [b"{}"] * 5, NOW)
    found = [(piece.offset.tolist(), aside) for piece, aside in suspects.pieces(payloads, "t/0")]
    assert found == [([148, 149], False), ([150], True), ([151, 152], False)]


@pytest.mark.parametrize(
    ("first", "count", "alone"),
    [
        (90, 5, []),
        (95, 10, range(100, 105)),
        (195, 10, range(195, 200)),
        (200, 5, []),
        (120, 3, [120, 121, 122]),
    ],
)
def test_records_under_suspicion_stand_alone(
    tmp_path: Path, first: int, count: int, alone: range | list[int]
) -> None:
    suspects = died_in(tmp_path, BATCH)
    payloads = world.payloads(0, first, [b"{}"] * count, NOW)
    pieces = [piece.offset.tolist() for piece, aside in suspects.pieces(payloads, "t/0") if not aside]
    assert [offset for piece in pieces for offset in piece] == list(range(first, first + count))
    assert [piece for piece in pieces if piece[0] in alone] == [[offset] for offset in alone]


def test_other_partitions_are_not_under_suspicion(tmp_path: Path) -> None:
    suspects = died_in(tmp_path, BATCH, BATCH, BATCH)
    payloads = world.payloads(1, 100, [b"{}"] * 5, NOW)
    assert len(list(suspects.pieces(payloads, "t/1"))) == 1


def test_a_rule_that_lives_through_it_is_forgotten(tmp_path: Path) -> None:
    suspects = died_in(tmp_path, RULE, RULE)
    suspects.evaluating(RULE.owner, RULE.part, NOW - 1000)  # replayed: before the evaluation it died in
    suspects.evaluated()
    assert suspects.all
    suspects.evaluating(RULE.owner, RULE.part, NOW)
    suspects.evaluated()
    assert suspects.all == () == Suspects(tmp_path, NOW).all


@pytest.mark.parametrize(("rules", "left"), [({(RULE.owner, RULE.part)}, 2), (set(), 1)])
def test_a_rule_that_is_there_no_longer_is_forgotten(
    tmp_path: Path, rules: set[tuple[str, str]], left: int
) -> None:
    suspects = died_in(tmp_path, RULE, RULE, RULE, BATCH)
    suspects.loaded(rules)
    assert len(suspects.all) == left


@pytest.mark.parametrize(
    ("part", "reached", "journal", "left"),
    [("t/0", 199, 9, 1), ("t/0", 200, 0, 0), (f"{JOURNAL}7", 999, 6, 1), (f"{JOURNAL}7", 0, 7, 0)],
)
def test_a_batch_is_forgotten_behind_a_snapshot(
    tmp_path: Path, part: str, reached: int, journal: int, left: int
) -> None:
    suspects = died_in(tmp_path, Activity("batch", "telemetry", part, 100, 200))
    suspects.passed(NOW, {"telemetry": {"t/0": reached}}, journal)
    assert len(suspects.all) == left


def test_what_was_set_aside_is_shown_for_an_hour(tmp_path: Path) -> None:
    suspects = died_in(tmp_path, BATCH, BATCH, BATCH)
    suspects.passed(NOW + SHOWN_MS - 1, {"telemetry": {"t/0": 200}}, 0)
    assert suspects.all
    suspects.passed(NOW + SHOWN_MS, {"telemetry": {"t/0": 200}}, 0)
    assert not suspects.all


@pytest.mark.parametrize("file", ["activity", "suspects.json"])
def test_damaged_files_are_forgotten(tmp_path: Path, file: str) -> None:
    died_in(tmp_path, BATCH, BATCH)
    (tmp_path / file).write_bytes(b"\xff\x00\x00\x00{nonsense")
    Suspects(tmp_path, NOW).enter(BATCH)
    assert Suspects(tmp_path, NOW).all[0].activity == BATCH


def test_a_disk_without_room_makes_it_forget_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    Suspects(tmp_path, NOW).enter(BATCH)
    monkeypatch.undo()
    assert not Suspects(tmp_path, NOW).all
