"""The shipped rule packs: they load, their own tests pass, and every alert is one that can be acted upon."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sentinel.rule_test import Coverage, FileResult, Runner
from sentinel.rule_test.reading import read_tests
from sentinel.rule_test.text import failure_text
from sentinel.rules.load import Rule, load_rules

ROOT = Path(__file__).parents[2]
PACKS = sorted((ROOT / "rules").glob("*.yml"))
TESTS = sorted((ROOT / "rules/tests").glob("*_test.yml"))
RUNBOOKS = ROOT / "docs/runbooks"
RUNBOOK_URL = "https://github.com/sentinel-monitor/sentinel/blob/main/docs/runbooks/{}.md"
SECTIONS = ("What it means", "What users feel", "How to check", "What to do", "What makes it false")
WITHOUT_RULE = {"SentinelEngineStuck", "SentinelSetAside", "SentinelStateUnwritable"}
"""Sentinel tells these by itself: no rule could, while they hold."""
NEVER_QUIET = {"Watchdog"}
PROMETHEUS_KEYS = {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}

RULES = [(pack.name, rule) for pack in PACKS for group in load_rules(pack) for rule in group.rules]
ALERTS = {rule.alert: rule for _, rule in RULES if rule.alert}
CHECKS = [
    check for path in TESTS for test in read_tests(path).tests for check in test.written.alert_rule_test
]


@pytest.fixture(scope="module")
def coverage() -> Coverage:
    return Coverage()


@pytest.fixture(scope="module")
def results(coverage: Coverage) -> dict[Path, FileResult]:
    runner = Runner(coverage=coverage)
    return {path: runner.run(path) for path in TESTS}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_packs_own_tests_pass(path: Path, results: dict[Path, FileResult]) -> None:
    result = results[path]
    assert result.outcomes
    assert not result.errors and not result.warnings
    failed = [failure_text(outcome, each) for outcome in result.outcomes for each in outcome.failures]
    assert not failed, "\n".join(failed)


def test_no_rule_is_left_out(results: dict[Path, FileResult], coverage: Coverage) -> None:
    assert coverage.total == len(RULES)
    assert coverage.percent == 100, "\n".join(coverage.lines())


def test_every_alert_is_tested_firing_and_quiet() -> None:
    outcomes: dict[str, set[bool]] = defaultdict(set)
    for check in CHECKS:
        outcomes[check.alertname].add(bool(check.exp_alerts))
    assert outcomes.keys() == ALERTS.keys()
    lacking = {name for name, seen in outcomes.items() if len(seen) < 2}
    assert lacking == NEVER_QUIET


def test_every_expected_text_is_whole() -> None:
    """The tests above compare texts in full, so these are the texts as they are rendered."""
    texts = [
        text for check in CHECKS for alert in check.exp_alerts for text in alert.exp_annotations.values()
    ]
    assert len(texts) > 3 * len(ALERTS)
    assert not [text for text in texts if re.search(r"<no value>|error expanding|NaN|  |\(\)|\{\{", text)]


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_every_alert_says_how_bad_it_is_and_what_to_do(rule: Rule) -> None:
    allowed = {"none"} if rule.alert == "Watchdog" else {"critical", "warning", "info"}
    assert rule.labels["severity"].constant in allowed
    assert set(rule.annotations) == {"summary", "description", "runbook_url"}
    assert rule.annotations["runbook_url"].constant == RUNBOOK_URL.format(rule.alert)


def test_every_alert_has_a_name_of_its_own() -> None:
    names = [rule.alert for _, rule in RULES if rule.alert]
    assert len(names) == len(set(names))


def test_runbooks_and_alerts_are_the_same() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == ALERTS.keys() | WITHOUT_RULE


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_is_no_stub(page: Path) -> None:
    title, *parts = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
    sections = {head.strip(): body.strip() for head, _, body in (part.partition("\n") for part in parts)}
    assert title.startswith(f"# {page.stem}\n")
    assert tuple(sections) == SECTIONS
    assert not [head for head, body in sections.items() if len(body) < 40]
    assert "```bash\n" in sections["How to check"], "commands to paste"
    assert len(page.read_text().split()) < 450, "too long for three in the morning"


def test_only_detector_files_hold_what_promtool_would_refuse() -> None:
    for pack in PACKS:
        foreign = {key for rule in _entries(pack) for key in rule} - PROMETHEUS_KEYS
        assert foreign == ({"detector", "with"} if pack.name.endswith(".detect.yml") else set())


def _entries(pack: Path) -> Iterator[dict[str, object]]:
    for group in yaml.safe_load(pack.read_text())["groups"]:
        assert group.keys() == {"name", "interval", "rules"}
        yield from group["rules"]


def test_the_command_accepts_them() -> None:
    command = [str(ROOT / ".venv/bin/sentinel"), "check", "rules", *map(str, PACKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SUCCESS") == len(PACKS) == 4


def test_recorded_names_do_not_meet() -> None:
    """Packs are loaded together: two rules that write one series would overwrite each other."""
    names = [rule.record for _, rule in RULES if rule.record]
    assert len(names) == len(set(names))
