"""A rule file as the checks see it: its rules, and where everything of them stands in the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import yaml

from sentinel.documents import Place, compose
from sentinel.documents.nodes import key_text, place_in_scalar, place_of
from sentinel.rules.lint.comments import Ignored
from sentinel.rules.schema import Rule, RuleGroup


class Entry(NamedTuple):
    """The YAML nodes of a rule and of its group."""

    rule: yaml.MappingNode
    group: yaml.MappingNode


_Kind = tuple[str, tuple[tuple[str, str], ...]]


class RuleSource:
    """One file that `load_rules` took. `groups` are what it gave."""

    def __init__(self, path: str, text: str, groups: list[RuleGroup]) -> None:
        self.path, self.text, self.groups = path, text, groups
        self.is_manifest = False
        self._ignored = Ignored(text)
        self._entries = {place_of(entry.rule): entry for entry in self._read()}
        self._first: dict[_Kind, Rule] = {}
        for rule in (rule for group in groups for rule in group.rules):
            self._first.setdefault(_kind(rule), rule)

    def _read(self) -> Iterator[Entry]:
        for document in compose(self.path, self.text):
            spec = child(document, "spec")
            self.is_manifest |= spec is not None
            for group in _items(child(spec or document, "groups")):
                for rule in _items(child(group, "rules")):
                    yield Entry(rule, group)
            if child(document, "kind") is None:
                return  # of a rule file only the first document counts, whatever follows

    def entry(self, rule: Rule) -> Entry:
        return self._entries[Place(rule.line, rule.column)]

    def ignored(self, rule: Rule) -> frozenset[str]:
        """The checks that comments switch off for a rule."""
        node = self.entry(rule).rule
        # What is written in braces ends at the last of them; what is not, where the next thing begins.
        closed = node.flow_style or node.end_mark.index >= len(self.text)
        last = node.end_mark.line + bool(closed)
        return self._ignored.names(node.start_mark.line + 1, last, node.start_mark.column)

    def first_of_its_kind(self, rule: Rule) -> Rule:
        """The first rule of the file that has this one's name and labels."""
        return self._first[_kind(rule)]

    def inside(self, rule: Rule, *keys: str, offset: int = 0) -> Place:
        """The place of the character at `offset` of a rule's text; of a group's, where the rule has none."""
        entry = self.entry(rule)
        for owner in entry:
            node: yaml.Node | None = owner
            for key in keys:
                node = child(node, key)
            if isinstance(node, yaml.ScalarNode):
                return place_in_scalar(self.text, node, offset)
        return place_of(entry.rule)


def _kind(rule: Rule) -> _Kind:
    labels = ((name, text.text) for name, text in rule.labels.items() if text.text)
    return rule.name, tuple(sorted(labels))


def child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    """The value under a key of a mapping; None where there is no such thing."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if key_text(key) == name), None)


def keys(node: yaml.MappingNode) -> dict[str, Place]:
    """The keys of a mapping and where they stand."""
    return {key_text(key): place_of(key) for key, _ in node.value}


def _items(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.SequenceNode):
        yield from (item for item in node.value if isinstance(item, yaml.MappingNode))
