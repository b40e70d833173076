"""The checks, and the run of them over rule files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

from sentinel.rules.lint import (
    alerts,
    comparisons,
    counters,
    duplicates,
    histograms,
    matchers,
    matching,
    promtool,
    series,
    templates,
)
from sentinel.rules.lint import naming as names
from sentinel.rules.lint.finding import Finding, Found, Severity
from sentinel.rules.lint.source import RuleSource
from sentinel.rules.lint.subject import Analyses, Subject
from sentinel.rules.lint.world import World


class Check(NamedTuple):
    name: str
    severity: Severity
    find: Callable[[Subject], Iterable[Found]]


CHECKS: Final = (
    Check("impossible-comparison", "bug", comparisons.impossible_comparison),
    Check("constant-comparison", "warning", comparisons.constant_comparison),
    Check("contradicting-matchers", "bug", matchers.contradicting_matchers),
    Check("impossible-matching", "bug", matching.impossible_matching),
    Check("quantile-without-le", "bug", histograms.quantile_without_le),
    Check("template-label", "bug", templates.template_label),
    Check("template-value-label", "bug", templates.template_value_label),
    Check("template-format", "bug", templates.template_format),
    Check("template-percentage", "warning", templates.template_percentage),
    Check("unknown-metric", "warning", series.unknown_metric),
    Check("rate-of-gauge", "warning", counters.rate_of_gauge),
    Check("delta-of-counter", "warning", counters.delta_of_counter),
    Check("rate-of-aggregate", "warning", counters.rate_of_aggregate),
    Check("short-window", "warning", counters.short_window),
    Check("no-comparison", "warning", alerts.no_comparison),
    Check("short-for", "warning", alerts.short_for),
    Check("duplicate-rules", "warning", duplicates.duplicate_rule),
    Check("own-keys", "warning", promtool.own_keys),
    Check("constant-expression", "info", alerts.constant_expression),
    Check("missing-for", "info", alerts.missing_for),
    Check("plain-regex", "info", matchers.plain_regex),
    Check("empty-regex", "info", matchers.empty_regex),
    Check("naming", "info", names.naming),
)
NAMES: Final = tuple(check.name for check in CHECKS)


def lint(sources: Iterable[RuleSource], world: World, names: Collection[str] = NAMES) -> list[Finding]:
    """What the named checks find, by file and place. Comments in the files are heeded."""
    analyses = Analyses.of(world)
    found = [finding for source in sources for finding in _of_file(source, analyses, names)]
    files = {finding.file: number for number, finding in reversed([*enumerate(found)])}
    return sorted(found, key=lambda each: (files[each.file], each.line, each.column))


def _of_file(source: RuleSource, analyses: Analyses, names: Collection[str]) -> Iterator[Finding]:
    for group in source.groups:
        for rule in group.rules:
            subject = Subject(rule, group, source, analyses)
            wanted = set(names) - source.ignored(rule)
            for check in CHECKS:
                if check.name in wanted:
                    yield from (_finding(check, subject, found) for found in check.find(subject))


def _finding(check: Check, subject: Subject, found: Found) -> Finding:
    return Finding(
        file=subject.source.path,
        line=found.place.line,
        column=found.place.column,
        severity=check.severity,
        check=check.name,
        rule=subject.rule.name,
        message=found.message,
        hint=found.hint,
    )
