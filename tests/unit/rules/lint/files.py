"""Rule files of a few lines, and what the checks find in them."""

from __future__ import annotations

import textwrap

from sentinel.rules.lint import NAMES, Finding, RuleSource, World, lint, recorded
from sentinel.rules.load import parse_rules


def source(text: str, path: str = "r.yml") -> RuleSource:
    text = textwrap.dedent(text)
    return RuleSource(path, text, parse_rules(text, path))


def in_group(*rules: str, group: str = "") -> str:
    """A file of one group; each rule is a flow mapping."""
    lines = [f"  - {rule}" for rule in rules]
    return "\n".join(["groups:", "- name: g", *([f"  {group}"] if group else []), "  rules:", *lines, ""])


def found(text: str, *names: str, world: World | None = None, path: str = "r.yml") -> list[Finding]:
    """What the named checks (all, if none is) find in a file that is alone, or in a world of its own."""
    file = source(text, path)
    rules = [rule for group in file.groups for rule in group.rules]
    return lint([file], world or World(recorded=recorded(rules)), names or NAMES)


def alert(expr: str, rest: str = "for: 5m") -> str:
    """A file with one alert."""
    quoted = expr.replace("'", "''")
    return in_group(f"{{alert: A, expr: '{quoted}', {rest}}}")
