"""`promql_failing.txt`: the evaluations of Prometheus's scripts that still fail. The list may only shrink.

`python -m tests.conformance --write` writes it anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.conformance.promqltest import Outcome, run_script, tiers

LIST = Path(__file__).parent / "promql_failing.txt"


def listed() -> frozenset[str]:
    """`script:line` of the evaluations that may fail."""
    return frozenset(LIST.read_text().split())


@cache
def outcomes(script: Path) -> tuple[Outcome, ...]:
    return tuple(run_script(script, tiers(script.parent)))


def promql_counts(folder: Path) -> dict[str, tuple[int, int]]:
    """(passing, all) evaluations by tier, as the list has it; nothing is run."""
    tier_of = tiers(folder)
    failing = Counter(tier_of[where] for where in listed())
    return {tier: (count - failing[tier], count) for tier, count in sorted(Counter(tier_of.values()).items())}


def write(found: Iterable[Outcome]) -> None:
    failing = [outcome.where for outcome in found if outcome.error]
    LIST.write_text("".join(f"{where}\n" for where in failing))
