"""Rule files of the wild: what Prometheus loads also loads here, the rest is refused at the same place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from sentinel.errors import ConfigErrors, RuleError
from sentinel.rules.load import load_rules, parse_rules

Key = tuple[str, str, str]
"""Of a rule: file, name, expression."""

BROKEN_TEMPLATES = {"Broker IO Activity < 0.4", "Broker IO Activity < 40%"}
"""Their expressions are right, but an annotation says `$label`: Go refuses an undefined variable."""
FOREIGN_KEYS = {"concurrency"}
"""VictoriaMetrics's; Prometheus refuses a file for them."""


class Corpus(NamedTuple):
    root: Path
    accepted: Counter[Key]
    refused: dict[str, tuple[int, int]]
    """Expression -> where Prometheus says it is wrong."""

    def files(self) -> list[str]:
        return sorted({file for file, _, _ in self.accepted})


@pytest.fixture(scope="module")
def corpus(conformance: Callable[[str], Path]) -> Corpus:
    root = conformance("rules-corpus")
    rows = json.loads((root / "index.json").read_text())
    refusals = json.loads((root / "rejected_by_prometheus.json").read_text())
    places = {row["expr"]: row["prometheus_error"].split(":")[:2] for row in refusals}
    return Corpus(
        root,
        Counter(_key(f"{row['source']}/{row['file']}", row) for row in rows if row["accepted_by_prometheus"]),
        {expr: (int(line), int(column)) for expr, (line, column) in places.items()},
    )


def _key(file: str, row: dict[str, Any]) -> Key:
    return file, row["name"], _one_line(row["expr"])


def _one_line(expr: Any) -> str:
    """As the index writes expressions."""
    return " ".join(str(expr).split())


def test_files_load_as_they_are(corpus: Corpus) -> None:
    """Nothing is refused but what is known to be wrong, and each such thing is."""
    rules, refused = 0, []
    for file in corpus.files():
        try:
            rules += sum(len(group.rules) for group in load_rules(corpus.root / file))
        except ConfigErrors as error:
            refused += error.errors
    texts = Counter(_kind(error) for error in refused)
    assert texts == {"expression": len(corpus.refused), "template": len(BROKEN_TEMPLATES), "key": 3}
    assert rules > 4000


def _kind(error: Exception) -> str:
    assert isinstance(error, RuleError)
    if error.message.startswith("could not parse expression"):
        return "expression"
    if error.rule in BROKEN_TEMPLATES and "undefined variable" in error.message:
        return "template"
    return "key" if any(error.message == f"unknown key {key!r}" for key in FOREIGN_KEYS) else str(error)


def test_every_accepted_rule_loads(corpus: Corpus) -> None:
    """Document by document, without what Prometheus refuses too."""
    loaded: Counter[Key] = Counter()
    for file in corpus.files():
        for text in _documents((corpus.root / file).read_text(), corpus.refused):
            for group in parse_rules(text, file):
                loaded.update((file, rule.name, _one_line(rule.text)) for rule in group.rules)
    lacking = corpus.accepted - loaded
    assert {name for _, name, _ in lacking} == BROKEN_TEMPLATES
    assert loaded == corpus.accepted - lacking
    assert loaded.total() + len(BROKEN_TEMPLATES) == 4288


def _documents(text: str, refused: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Each document of a file by itself, without the rules and keys that are known to be refused."""
    for document in yaml.load_all(text, yaml.CSafeLoader):
        content = document.get("spec", document)
        for group in content.get("groups") or []:
            for key in FOREIGN_KEYS & group.keys():
                del group[key]
            group["rules"] = [
                rule
                for rule in group["rules"]
                if _one_line(rule["expr"]) not in refused and rule.get("alert") not in BROKEN_TEMPLATES
            ]
        if "groups" in content:
            yield yaml.dump({"groups": content["groups"]}, Dumper=yaml.CSafeDumper)


def test_refused_expressions_are_shown_in_the_file(corpus: Corpus) -> None:
    """The place is where Prometheus says it is inside the expression, written as a block in a file."""
    for expr, (line, column) in corpus.refused.items():
        with pytest.raises(ConfigErrors) as caught:
            parse_rules(f"groups:\n- name: g\n  rules:\n  - record: r\n    expr: |\n      {expr}\n", "r.yml")
        (error,) = caught.value.errors
        assert (error.line, error.column) == (line + 5, column + 6), expr
