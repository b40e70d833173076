"""Prometheus's own PromQL scripts. What still fails is listed in `promql_failing.txt`, which only shrinks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from promqltest import Outcome, run_script, tiers

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
FAILING = frozenset((Path(__file__).parent / "promql_failing.txt").read_text().split())
TIER_A = 883


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script: str, conformance: Callable[[str], Path]) -> None:
    folder = conformance("conformance/promqltest")
    outcomes = list(run_script(folder / f"{script}.test", tiers(folder)))
    failed = {f"{script}:{one.line}": one.error for one in outcomes if one.error}
    new = {where: error for where, error in failed.items() if where not in FAILING}
    assert not new, "\n".join(f"{where}: {error}" for where, error in new.items())
    run = {f"{script}:{one.line}" for one in outcomes if not one.skipped}
    assert not (FAILING & run) - failed.keys(), "these pass now: take them off promql_failing.txt"


def test_all_of_tier_a(
    conformance: Callable[[str], Path], record_property: Callable[[str, str], None]
) -> None:
    """Everything on floats and classic histograms passes; the counts by tier go into the report."""
    folder = conformance("conformance/promqltest")
    tier_of = tiers(folder)
    counts: Counter[str] = Counter()
    for script in SCRIPTS:
        counts.update(map(_count, run_script(folder / f"{script}.test", tier_of)))
    for name, count in sorted(counts.items()):
        record_property(name, str(count))
    assert counts["A passed"] == TIER_A
    assert not counts["A failed"] and not counts["A skipped"]
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = re.findall(r"\| ([ABC]): [^|]+\| (\d+) \| (\d+) \|", readme)
    assert shown == [(t, str(counts[f"{t} passed"]), str(_all(counts, t))) for t in "ABC"]


def _all(counts: Counter[str], tier: str) -> int:
    return sum(count for name, count in counts.items() if name.startswith(tier))


def _count(outcome: Outcome) -> str:
    return f"{outcome.tier} {'failed' if outcome.error else 'skipped' if outcome.skipped else 'passed'}"
