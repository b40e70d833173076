"""`make conformance`: what it says, and when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import __main__ as command
from tests.conformance.counts import Count


def enough() -> list[Count]:
    return [Count(name, floor, floor) for name, floor in command.FLOORS.items()]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["conformance"])


def test_a_line_for_each_kind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "counts", enough)
    assert command.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "promqltest tier A: 883/883" in lines
    assert len(lines) == len(command.FLOORS)


def test_less_than_once_passed_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    low = [Count("promtool", 18, 19), *enough()[1:]]
    monkeypatch.setattr(command, "counts", lambda: low)
    assert command.main() == 1
    assert "promtool: 18/19, expected 19 at least" in capsys.readouterr().out


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_absent_data_fails_only_where_it_must_be(
    ci: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path / "nowhere")
    monkeypatch.setenv("CI", ci)
    assert command.main() == status
    assert "no conformance data at" in capsys.readouterr().out
