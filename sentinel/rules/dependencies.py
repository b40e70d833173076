"""Which rules of a group read what which others write.

Rules are evaluated in the order of the file, whatever they read: one that reads a later rule's series sees
what that rule wrote at the evaluation before. So no result depends on this page; it is for those who plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sentinel.model import Matcher
from sentinel.promql import ast
from sentinel.rules.schema import Rule

BANDS: Final = ("", ":expected", ":lower", ":upper")
"""What a detector's series are called besides the rule's name."""


def dependencies(rules: Sequence[Rule]) -> list[frozenset[int]]:
    """For each rule, the numbers of those whose series it may read, its own perhaps among them.

    Judged by names and labels that are sure, so it may name too many and never too few. Queries in templates
    are not looked at.
    """
    written = [_written(rule) for rule in rules]
    found = []
    for rule in rules:
        read = list(_read(rule))
        found.append(frozenset(n for n, series in enumerate(written) if _meet(read, series)))
    return found


def _written(rule: Rule) -> list[dict[str, str]]:
    """For each series a rule writes, the labels that are sure."""
    own = {name: text.constant for name, text in rule.labels.items() if text.constant}
    if rule.alert:
        own["alertname"] = rule.alert
        return [{**own, "__name__": name} for name in ("ALERTS", "ALERTS_FOR_STATE")]
    bands = BANDS if rule.detector else BANDS[:1]
    return [{**own, "__name__": rule.record + band} for band in bands]


def _read(rule: Rule) -> list[tuple[Matcher, ...]]:
    expressions = [expr for expr in (rule.expr, rule.resolve_expr) if expr is not None]
    nodes = (node for expr in expressions for node in ast.walk(expr))
    return [node.matchers for node in nodes if isinstance(node, ast.Selector)]


def _meet(read: list[tuple[Matcher, ...]], written: list[dict[str, str]]) -> bool:
    return any(
        all(matcher.matches(series[matcher.name]) for matcher in matchers if matcher.name in series)
        for matchers in read
        for series in written
    )
