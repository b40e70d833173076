"""Prometheus's own PromQL scripts. What still fails is listed in `promql_failing.txt`, which only shrinks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.ratchet import listed, outcomes, promql_counts

SCRIPTS = (
    "aggregators",
    "at_modifier",
    "collision",
    "duration_expression",
    "extended_vectors",
    "fill-modifier",
    "functions",
    "histograms",
    "info",
    "limit",
    "literals",
    "name_label_dropping",
    "native_histograms",
    "operators",
    "range_queries",
    "selectors",
    "staleness",
    "start_timestamps",
    "subquery",
    "trig_functions",
    "type_and_unit",
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script: str, conformance: Callable[[str], Path]) -> None:
    found = outcomes(conformance("conformance/promqltest") / f"{script}.test")
    new = [f"{one.where}: {one.error}" for one in found if one.error and one.where not in listed()]
    assert not new, "\n".join(new)
    passing = {one.where for one in found if not one.error}
    assert not listed() & passing, "these pass now: run python -m tests.conformance --write"


def test_every_evaluation_is_counted(conformance: Callable[[str], Path]) -> None:
    folder = conformance("conformance/promqltest")
    assert sorted(path.stem for path in folder.glob("*.test")) == sorted(SCRIPTS)
    found = [one for script in SCRIPTS for one in outcomes(folder / f"{script}.test")]
    assert listed() <= {one.where for one in found}
    counts = promql_counts(folder)
    assert Counter(one.tier for one in found) == {tier: count for tier, (_, count) in counts.items()}
    assert {tier: count for tier, (_, count) in counts.items()} == {"A": 883, "B": 703, "C": 628}


def test_all_of_tier_a_passes(conformance: Callable[[str], Path]) -> None:
    """Everything on floats and classic histograms."""
    assert promql_counts(conformance("conformance/promqltest"))["A"] == (883, 883)
