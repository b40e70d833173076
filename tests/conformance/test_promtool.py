"""promtool's own unit-test files: what passes there passes here, and what fails there fails here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sentinel.cli import app
from sentinel.promql import Expr
from sentinel.promql.ast import Selector, Subquery, walk
from sentinel.rule_test.reading import read_tests
from sentinel.rules.load import load_rules
from tests.conftest import ROOT

FOLDER = "conformance/promtool"
RUNS = 21


def runs(folder: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((folder / "EXPECTED.json").read_text())["cases"]
    return cases


def switched_off(case: dict[str, Any]) -> set[str]:
    """Parts of the language that a run does without. Nothing can be switched off here."""
    return {name for name in ("at", "negative_offset") if case["opts"].get(name) is False}


def verdict(folder: Path, case: dict[str, Any]) -> int:
    """The exit status of the command."""
    options = ["--ignore-unknown-fields"] if case["opts"].get("ignore_unknown_fields") else []
    chosen = [part for pattern in case["run"] or () for part in ("--run", pattern)]
    return CliRunner().invoke(app, ["test", "rules", *options, *chosen, str(folder / case["file"])]).exit_code


def counts(root: Path = ROOT) -> tuple[int, int]:
    """(verdicts as promtool's, runs) with the whole language on."""
    folder = root / FOLDER
    default = [case for case in runs(folder) if not switched_off(case)]
    return sum(verdict(folder, case) == case["exit"] for case in default), len(default)


@pytest.mark.parametrize("number", range(RUNS))
def test_the_verdict_is_promtools(number: int, conformance: Callable[[str], Path]) -> None:
    """Two runs have a part of the language switched off: there it must be what their rules use."""
    folder = conformance(FOLDER)
    case = runs(folder)[number]
    missing = switched_off(case)
    if missing:
        assert verdict(folder, case) == 0, "with the whole language on, it passes"
        refused = bool(missing & features(folder / case["file"]))
        assert int(refused) == case["exit"]
    else:
        assert verdict(folder, case) == case["exit"]


def test_all_of_them(conformance: Callable[[str], Path]) -> None:
    folder = conformance(FOLDER)
    assert len(runs(folder)) == RUNS
    assert counts() == (19, 19)


def features(path: Path) -> set[str]:
    """What the expressions of a test file and its rules use of what can be switched off in promtool."""
    return {feature for expr in _expressions(path) for node in walk(expr) for feature in _features(node)}


def _expressions(path: Path) -> Iterator[Expr]:
    for rules in read_tests(path).rule_files:
        yield from (rule.expr for group in load_rules(rules) for rule in group.rules)


def _features(node: Expr) -> Iterator[str]:
    if isinstance(node, Selector | Subquery):
        if node.at is not None:
            yield "at"
        if node.offset_ms < 0:
            yield "negative_offset"
