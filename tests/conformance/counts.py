"""How much passes of everything that others wrote: one function for each kind of data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.conformance import corpus, ratchet, templates, test_promtool


class Count(NamedTuple):
    name: str
    passed: int
    all: int

    def __str__(self) -> str:
        return f"{self.name}: {self.passed}/{self.all}"


def promqltest(root: Path) -> Iterator[Count]:
    scripts = sorted((root / "conformance/promqltest").glob("*.test"))
    found = Counter((one.tier, not one.error) for script in scripts for one in ratchet.outcomes(script))
    for tier in "ABC":
        yield Count(f"promqltest tier {tier}", found[tier, True], found[tier, True] + found[tier, False])


def promtool(root: Path) -> Iterator[Count]:
    yield Count("promtool", *test_promtool.counts(root))


def template_cases(root: Path) -> Iterator[Count]:
    """Tier C, how html/template escapes scripts and attributes, is not Sentinel's."""
    cases = templates.read_cases(root / "conformance/templates/template_cases.json")
    found = Counter(
        (case["kind"], case["tier"], templates.got(case) == templates.expected(case)) for case in cases
    )
    for kind, tier in (
        ("prometheus", "A"),
        ("prometheus", "B"),
        ("alertmanager", "A"),
        ("alertmanager", "B"),
    ):
        passed, failed = found[kind, tier, True], found[kind, tier, False]
        yield Count(f"templates {kind} {tier}", passed, passed + failed)


def rules_in_files(root: Path) -> Iterator[Count]:
    rules = corpus.Corpus.read(root / "rules-corpus")
    yield Count("rules corpus", rules.right(corpus.as_file), rules.size)


def rules_in_manifests(root: Path) -> Iterator[Count]:
    rules = corpus.Corpus.read(root / "rules-corpus")
    yield Count("rules corpus as manifests", rules.right(corpus.as_manifest), rules.size)


def never_firing(root: Path) -> Iterator[Count]:
    """Published alerts that cannot fire, and how many of them a check of rules calls a bug."""
    expressions = [row["expr"] for row in json.loads((root / "rules-corpus/never_firing.json").read_text())]
    yield Count("never firing", sum(map(corpus.cannot_fire, expressions)), len(expressions))


ALL = (promqltest, promtool, template_cases, rules_in_files, rules_in_manifests, never_firing)
