"""Which rules no test has seen at work: alerting rules that never fired, others that never gave a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sentinel.rule_test.rehearsal import Rehearsal
from sentinel.rules.alerting import AlertingRule
from sentinel.rules.context import RunningRule
from sentinel.rules.load import Rule, RuleGroup

Place = tuple[str, int]
"""A group's key, and the number of a rule in it."""


class FileCoverage(NamedTuple):
    """Of one rule file."""

    path: str
    seen: int
    missed: list[Rule]

    @property
    def total(self) -> int:
        return self.seen + len(self.missed)


class Coverage:
    """Collects over any number of tests."""

    def __init__(self) -> None:
        self._rules: dict[Place, Rule] = {}
        self._unseen: set[Place] = set()

    def expect(self, groups: Iterable[RuleGroup]) -> None:
        """These rules are tested; those that were expected before are not forgotten."""
        rules = {(group.key, number): rule for group in groups for number, rule in enumerate(group.rules)}
        self._unseen |= rules.keys() - self._rules.keys()
        self._rules |= rules

    def watch(self, rules: Rehearsal) -> None:
        """To be called after each step."""
        if not self._unseen:
            return
        for group in rules.groups:
            for number, rule in enumerate(group.rules):
                if (group.key, number) in self._unseen and _at_work(rule):
                    self._unseen.discard((group.key, number))

    def by_file(self) -> Iterator[FileCoverage]:
        for path in dict.fromkeys(rule.file for rule in self._rules.values()):
            places = [place for place, rule in self._rules.items() if rule.file == path]
            missed = [self._rules[place] for place in places if place in self._unseen]
            yield FileCoverage(path, len(places) - len(missed), missed)

    @property
    def total(self) -> int:
        return len(self._rules)

    @property
    def seen(self) -> int:
        return len(self._rules) - len(self._unseen)

    @property
    def percent(self) -> float:
        """100 where there are no rules."""
        return 100 * self.seen / self.total if self.total else 100.0

    def lines(self) -> Iterator[str]:
        """For people: a percentage by file, with the rules that lack a test, and one for all."""
        for file in self.by_file():
            yield f"  {file.path}: {_share(file.seen, file.total)}"
            yield from (f"    {_missed(rule)}" for rule in file.missed)
        yield f"  all: {_share(self.seen, self.total)}"


def _at_work(rule: RunningRule) -> bool:
    if isinstance(rule, AlertingRule):
        return any(alert.state == "firing" for alert in rule.active.values())
    return len(rule.snapshot()["series"]["ends"]) > 0


def _share(seen: int, total: int) -> str:
    """Rounded down: 100 % is all of them."""
    percent = 100 * seen // total if total else 100
    return f"{seen} of {total} rules ({percent}%)"


def _missed(rule: Rule) -> str:
    what = f"alert {rule.alert} never fired" if rule.alert else f"record {rule.record} never gave a sample"
    return f"{rule.file}:{rule.line}:{rule.column}: {what}"
