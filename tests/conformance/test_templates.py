"""Templates against what Prometheus and Alertmanager really gave for the same text and data.

Every case outside `templates_failing.txt` has to pass, and every case in it has to fail: the list may only
shrink.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.templates import Case, expected, got, read_cases
from tests.conftest import ROOT

FILE = ROOT / "conformance/templates/template_cases.json"
FAILING = frozenset((Path(__file__).parent / "templates_failing.txt").read_text().split())
MOST_FAILING = 7


def _cases() -> list[Case]:
    if not FILE.exists():
        assert os.environ.get("CI") != "true", f"{FILE} is missing"
        return []
    return read_cases(FILE)


CASES = _cases()
needs_cases = pytest.mark.skipif(not CASES, reason=f"no conformance data at {FILE}")


@needs_cases
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case: Case) -> None:
    if case["id"] in FAILING:
        assert got(case) != expected(case), "it passes: take it off templates_failing.txt"
    else:
        assert got(case) == expected(case)


@needs_cases
def test_the_share_that_passes_only_grows() -> None:
    passing = Counter((case["kind"], case["tier"]) for case in CASES if case["id"] not in FAILING)
    assert passing["prometheus", "A"] == 272
    assert passing["prometheus", "B"] == 23
    assert passing["alertmanager", "A"] == 157
    assert passing["alertmanager", "B"] == 3
    assert len(FAILING) <= MOST_FAILING
    assert {case["id"] for case in CASES} >= FAILING
