"""Snapshots that are written while everything goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentinel.host import checkpoint, child
from sentinel.host.checkpoint import Checkpoints, Mark
from sentinel.telemetry import SNAPSHOT_LAST

MARK = Mark(7, 8, {"telemetry": {"telemetry/0": 9}})


@pytest.fixture(params=[True, False], ids=["forked", "copied"], autouse=True)
def forks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways must give the same."""
    monkeypatch.setattr(child, "FORKS", child.FORKS and request.param)
    return child.FORKS


def asleep() -> dict[str, Any]:
    time.sleep(60)
    return {}


def restored(checkpoints: Checkpoints) -> list[dict[str, Any]]:
    """The newest snapshot, or none."""
    found: list[dict[str, Any]] = []
    assert checkpoints.restore(found.append) == bool(found)
    return found


def test_a_snapshot_holds_the_moment_it_was_taken_at(tmp_path: Path) -> None:
    kept: list[Mark] = []
    values = np.arange(100_000)
    checkpoints = Checkpoints(tmp_path, kept.append)
    assert restored(checkpoints) == []
    checkpoints.take(lambda: {"values": values.copy()}, MARK)
    values[:] = -1
    checkpoints.finish()
    (state,) = restored(checkpoints)
    assert np.array_equal(state["values"], np.arange(100_000))
    assert kept == [MARK]
    assert not checkpoints.busy
    assert not checkpoints.trouble
    assert SNAPSHOT_LAST._value.get() > 0


def test_the_next_one_waits_for_the_one_before(tmp_path: Path) -> None:
    kept: list[Mark] = []
    checkpoints = Checkpoints(tmp_path, kept.append)
    for number in range(3):
        checkpoints.take(lambda number=number: {"number": number}, Mark(number, 0, {}))  # type: ignore[misc]
    checkpoints.finish()
    assert [mark.journal for mark in kept] == [0, 1, 2]
    assert restored(checkpoints) == [{"number": 2}]


def test_a_disk_that_takes_nothing_is_told_and_the_next_one_may_work(tmp_path: Path) -> None:
    kept: list[Mark] = []
    folder = tmp_path / "state"
    folder.write_text("in the way")
    checkpoints = Checkpoints(folder, kept.append)
    checkpoints.take(dict, MARK)
    checkpoints.finish()
    assert checkpoints.trouble == "no snapshot can be written: File exists"
    folder.unlink()
    checkpoints.take(dict, MARK)
    checkpoints.finish()
    assert not checkpoints.trouble
    assert kept == [MARK]


def test_what_cannot_be_written_is_told(tmp_path: Path, forks: bool) -> None:
    checkpoints = Checkpoints(tmp_path, lambda mark: None)
    checkpoints.take(lambda: {"a": object()}, MARK)
    checkpoints.finish()
    assert "a snapshot cannot hold object" in checkpoints.trouble

    def fail() -> dict[str, Any]:
        raise AssertionError("of ours")

    if forks:
        checkpoints.take(fail, MARK)
        checkpoints.finish()
        assert "of ours" in checkpoints.trouble


def test_one_that_hangs_is_told(tmp_path: Path, forks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not forks:
        pytest.skip("a copy is made here, where it cannot be given up")
    monkeypatch.setattr(checkpoint, "PATIENCE_SECONDS", 0.05)
    checkpoints = Checkpoints(tmp_path, lambda mark: None)
    checkpoints.take(asleep, MARK)
    checkpoints.finish()
    assert "not done within" in checkpoints.trouble
