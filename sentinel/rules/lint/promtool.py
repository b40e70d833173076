"""Whether promtool and Prometheus can still read a file: keys of ours are unknown to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sentinel.documents import Place
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.source import RuleSource, keys
from sentinel.rules.lint.subject import Subject

SUFFIXES: Final = (".detect.yml", ".detect.yaml")
"""Names of files that say themselves that they are ours."""

_OF_RULES: Final = frozenset(
    ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations", "<<")
)
_OF_GROUPS: Final = frozenset(("name", "interval", "query_offset", "limit", "labels", "rules", "<<"))
"""Prometheus's keys, and the one by which YAML merges mappings."""


def own_keys(subject: Subject) -> Iterator[Found]:
    """Keys of ours in a file whose name does not say so."""
    if subject.source.path.endswith(SUFFIXES) or subject.source.is_manifest:
        return
    for name, place in _own(subject.source, subject):
        message = f"Prometheus and promtool refuse this file for the key {name!r}"
        yield Found(message, place, "put the rule in a file named *.detect.yml")


def readable(source: RuleSource) -> tuple[bool, str]:
    """Whether promtool reads a file, and why not."""
    if source.is_manifest:
        return False, "it is a manifest; promtool reads what stands in its spec"
    found: set[str] = set()
    for group in source.groups:
        for rule in group.rules:
            entry = source.entry(rule)
            found |= (keys(entry.rule).keys() - _OF_RULES) | (keys(entry.group).keys() - _OF_GROUPS)
    names = ", ".join(sorted(found))
    return not names, f"it uses {names}" if names else ""


def _own(source: RuleSource, subject: Subject) -> Iterator[tuple[str, Place]]:
    entry = source.entry(subject.rule)
    found = dict(keys(entry.rule).items())
    for name in found.keys() - _OF_RULES:
        yield name, found[name]
    if subject.rule is subject.group.rules[0]:  # once for each group
        found = keys(entry.group)
        for name in found.keys() - _OF_GROUPS:
            yield name, found[name]
