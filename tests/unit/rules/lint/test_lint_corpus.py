"""Published rules: alerts that can never fire are all found, and nothing that is right is called wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.errors import ConfigErrors
from sentinel.rules.lint import NAMES, Finding, RuleSource, World, lint, recorded
from sentinel.rules.load import parse_rules

from .files import alert, found

REVIEWED = {
    "template-label": 282,
    "duplicate-rules": 69,
    "impossible-comparison": 12,
    "impossible-matching": 10,
    "constant-comparison": 9,
    "delta-of-counter": 8,
    "rate-of-gauge": 6,
    "contradicting-matchers": 4,
    "quantile-without-le": 3,
    "no-comparison": 2,
}
"""Bugs and warnings by check. A figure that changes asks for a look at what is found now, or no longer."""

NEVER = {"impossible-comparison", "impossible-matching", "contradicting-matchers"}


@pytest.fixture(scope="module")
def root(conformance: Callable[[str], Path]) -> Path:
    return conformance("rules-corpus")


@pytest.fixture(scope="module")
def findings(root: Path) -> list[Finding]:
    """Each project's files are checked together."""
    rows = json.loads((root / "index.json").read_text())
    files: dict[str, set[str]] = {}
    for row in rows:
        files.setdefault(row["source"], set()).add(f"{row['source']}/{row['file']}")
    return [finding for names in files.values() for finding in _of_project(root, names)]


def _of_project(root: Path, names: set[str]) -> list[Finding]:
    sources = []
    for name in sorted(names):
        text = (root / name).read_text()
        try:
            sources.append(RuleSource(name, text, parse_rules(text, name)))
        except ConfigErrors:
            continue  # how these are refused is tested with the loader
    rules = [rule for source in sources for group in source.groups for rule in group.rules]
    return lint(sources, World(recorded=recorded(rules)), NAMES)


def test_alerts_that_can_never_fire_are_found(root: Path) -> None:
    for row in json.loads((root / "never_firing.json").read_text()):
        checks = {finding.check for finding in found(alert(row["expr"])) if finding.severity == "bug"}
        assert checks & NEVER, row["expr"]


def test_they_are_found_in_their_files(root: Path, findings: list[Finding]) -> None:
    rows = json.loads((root / "never_firing.json").read_text())
    known = {(project, name) for row in rows for project, _, name in row["where"]}
    named = {(each.file.split("/")[0], each.rule) for each in findings if each.check in NEVER}
    assert known <= named


def test_nothing_is_found_that_was_not_looked_at(findings: list[Finding]) -> None:
    counts = Counter(finding.check for finding in findings if finding.severity != "info")
    assert dict(counts) == REVIEWED


def test_findings_stand_where_the_files_say(root: Path, findings: list[Finding]) -> None:
    """What a comparison quotes begins right there."""
    lines: dict[str, list[str]] = {}
    quoting = [each for each in findings if each.check in NEVER and each.message.startswith("`")]
    for finding in quoting:
        text = lines.setdefault(finding.file, (root / finding.file).read_text().split("\n"))
        quoted = finding.message.split("`")[1].removesuffix("...").split()[0]
        assert text[finding.line - 1][finding.column - 1 :].startswith(quoted)
    assert len(quoting) == REVIEWED["impossible-comparison"]
