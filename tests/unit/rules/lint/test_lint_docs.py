"""docs/checking-rules.md lists the checks that there are, and its example is what is printed."""

from __future__ import annotations

import re
from pathlib import Path

from sentinel.rules.lint import CHECKS, World, windows
from sentinel.rules.lint.comments import PINT

from .files import found, in_group, source

PAGE = (Path(__file__).parents[4] / "docs/checking-rules.md").read_text()


def test_the_table_has_every_check_with_its_severity() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (bug|warning|info) \|", PAGE, re.MULTILINE)
    assert dict(rows) == {**{c.name: c.severity for c in CHECKS}, "too-long-scrape-interval": "warning"}
    assert len(rows) == len(CHECKS) + 1


def test_the_finding_is_as_printed() -> None:
    text = in_group("alert: NoBrokers\n    expr: count(kafka_brokers) == 0")
    (finding,) = found(text, "impossible-comparison", path="rules.yml")
    assert str(finding) in PAGE


def test_the_window_is_as_printed() -> None:
    (window,) = windows([source(in_group("{record: 'a:b', expr: 'rate(http_requests_total[1d])'}"))], World())
    told = f"{window.selector} for 1d: {window.samples} samples, one every 15s: {window.bytes >> 10} KiB"
    assert told in PAGE


def test_the_example_is_switched_off() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert not found(example)
    assert len(found(example.replace("sentinel:ignore", ""))) == 2


def test_pints_names_stand_for_checks() -> None:
    assert {name for names in PINT.values() for name in names} <= {check.name for check in CHECKS}
