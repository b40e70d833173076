"""Rule files of the wild, rule by rule: what Prometheus loads also loads here, the rest is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from sentinel.errors import ConfigErrors
from sentinel.rules.lint import RuleSource, World, lint
from sentinel.rules.load import parse_rules

Key = tuple[str, str, str]
"""Of a rule: file, name, expression."""
Groups = list[dict[str, Any]]

BROKEN_TEMPLATES: Final = {"Broker IO Activity < 0.4", "Broker IO Activity < 40%"}
"""The index looks at expressions alone. These alerts' annotations say `$label`, which no Go template knows:
Prometheus refuses their file, as promtool does."""
FOREIGN_KEYS: Final = {"concurrency"}
"""VictoriaMetrics's; Prometheus refuses a file for them, but it is the rules that are counted here."""

NEVER: Final = {"impossible-comparison", "contradicting-matchers", "impossible-matching"}
"""The checks that find what cannot be true."""


class Corpus(NamedTuple):
    root: Path
    accepted: Counter[Key]
    rejected: Counter[Key]
    places: dict[str, tuple[int, int]]
    """Line and column inside of each expression that Prometheus refuses."""

    @classmethod
    def read(cls, root: Path) -> Corpus:
        rules: dict[bool, Counter[Key]] = {True: Counter(), False: Counter()}
        for row in json.loads((root / "index.json").read_text()):
            good = row["accepted_by_prometheus"] and row["name"] not in BROKEN_TEMPLATES
            rules[good][_key(f"{row['source']}/{row['file']}", row["name"], row["expr"])] += 1
        refusals = json.loads((root / "rejected_by_prometheus.json").read_text())
        places = {row["expr"]: row["prometheus_error"].split(":")[:2] for row in refusals}
        numbers = {expr: (int(line), int(column)) for expr, (line, column) in places.items()}
        return cls(root, rules[True], rules[False], numbers)

    def files(self) -> list[str]:
        return sorted({file for file, _, _ in self.accepted | self.rejected})

    def right(self, write: Callable[[Groups], str]) -> int:
        """How many rules get the verdict that Prometheus gives, in files as `write` makes them."""
        found: dict[bool, Counter[Key]] = {True: Counter(), False: Counter()}
        for file in self.files():
            for group in _groups((self.root / file).read_text()):
                for rule, accepted in _verdicts(group, write):
                    found[accepted][_key(file, rule.get("alert") or rule["record"], rule["expr"])] += 1
        return (found[True] & self.accepted).total() + (found[False] & self.rejected).total()

    @property
    def size(self) -> int:
        return self.accepted.total() + self.rejected.total()


def as_file(groups: Groups) -> str:
    return str(yaml.dump({"groups": groups}, Dumper=yaml.CSafeDumper))


def as_manifest(groups: Groups) -> str:
    """As the operator for Kubernetes takes rules."""
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "rules"},
        "spec": {"groups": groups},
    }
    return str(yaml.dump(manifest, Dumper=yaml.CSafeDumper))


def cannot_fire(expr: str) -> bool:
    """Whether the checks see that an alert on this expression never fires."""
    text = as_file([{"name": "g", "rules": [{"alert": "A", "expr": expr}]}])
    source = RuleSource("rules.yml", text, parse_rules(text, "rules.yml"))
    return any(finding.check in NEVER for finding in lint([source], World()))


def _key(file: str, name: str, expr: object) -> Key:
    """The index writes expressions on one line."""
    return file, name, " ".join(str(expr).split())


def _groups(text: str) -> Iterator[dict[str, Any]]:
    """The groups of all documents of a file, without the keys that only other programs know."""
    for document in yaml.load_all(text, yaml.CSafeLoader):
        for group in document.get("spec", document).get("groups") or []:
            yield {key: value for key, value in group.items() if key not in FOREIGN_KEYS}


def _verdicts(group: dict[str, Any], write: Callable[[Groups], str]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Whether each rule of a group loads: all together, or one by one if that fails."""
    rules = group["rules"]
    if _loads(write([group])):
        yield from ((rule, True) for rule in rules)
    elif len(rules) == 1:
        yield rules[0], False
    else:
        for rule in rules:
            yield from _verdicts({**group, "rules": [rule]}, write)


def _loads(text: str) -> bool:
    try:
        return bool(parse_rules(text, "rules.yml"))
    except ConfigErrors as refusal:
        assert all(error.line for error in refusal.errors), refusal
        return False
