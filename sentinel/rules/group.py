"""A rule group at run time: its rules in order, each seeing what those before it wrote."""

from __future__ import annotations

import functools
import hashlib
import operator
from collections import deque
from typing import Any, Final

import msgspec

from sentinel.errors import QueryError, RuleError
from sentinel.model import AlertEvent, Labels
from sentinel.rules.alerting import AlertingRule
from sentinel.rules.context import Context, Moment, RunningRule, selection_masks, source_mask
from sentinel.rules.detecting import DetectorRule
from sentinel.rules.load import Rule, RuleGroup
from sentinel.rules.recording import RecordingRule
from sentinel.store.index import Demand

SET_ASIDE: Final = "set aside: the daemon crashed three times evaluating it"


class RunningGroup:
    """`last_ms` is the event time of the last evaluation, 0 before the first."""

    def __init__(self, group: RuleGroup, context: Context) -> None:
        self.spec = group
        self.key = group.key
        self.last_ms = 0
        self.health: dict[int, str] = {}
        """By rule number, what was wrong with its last evaluation."""
        self.rules: list[RunningRule] = [_running(rule, group, context) for rule in group.rules]
        self._store, self._guard = context.store, context.guard
        self._source_labels = context.source_labels
        self._fed_by: tuple[tuple[int, ...], int] = ((), 0)
        aside = context.guard.rules()
        self._names = [rule_identity(rule) for rule in group.rules]
        self.guarded = [guarded_name(rule) for rule in group.rules]
        """What each rule is called when it comes to crashes: changed in any way, it is another one."""
        self._set_aside = {n for n, name in enumerate(self.guarded) if (self.key, name) in aside}

    def demands(self) -> list[Demand]:
        """What the rules read, reaching further back by the query offset."""
        offset = self.spec.query_offset_ms
        return [Demand(d.matchers, d.keep_ms + offset) for rule in self.rules for d in rule.demands()]

    def sources(self) -> int:
        """Bits of the sources that feed any rule; looked up again only when series or sources changed."""
        versions = [selection.version for rule in self.rules for selection in rule.query.selections]
        stamp = (self._store.source_version, *versions)
        if self._fed_by[0] != stamp:
            mask = 0
            for rule in self.rules:
                mask |= source_mask(self._store, rule.query)
            self._fed_by = (stamp, mask)
        return self._fed_by[1]

    def evaluate(self, at_ms: int, held: int, incomplete: bool) -> list[AlertEvent]:
        """All rules at one event time, but those of which `held` sources are all that feed a selector.

        A bad rule harms no other.
        """
        moment = Moment(at_ms, at_ms - self.spec.query_offset_ms, incomplete)
        events: list[AlertEvent] = []
        for number, rule in enumerate(self.rules):
            if number in self._set_aside:
                self.health[number] = SET_ASIDE
                continue
            fed_by = selection_masks(self._store, rule.query) if held else []
            if any(mask and not mask & ~held for mask in fed_by):
                continue
            away = self._away(held, fed_by)
            self._guard.evaluating(self.key, self.guarded[number], at_ms)
            try:
                events += rule.evaluate(msgspec.structs.replace(moment, away=away) if away else moment)
                problem = str(rule.problem) if rule.problem else ""
            except (RuleError, QueryError) as error:
                problem = str(error)
            if problem:
                self.health[number] = problem
            else:
                self.health.pop(number, None)
        self._guard.evaluated()
        self.last_ms = at_ms
        return events

    def _away(self, held: int, fed_by: list[int]) -> tuple[Labels, ...]:
        """The labels of the held sources among those that feed a rule."""
        found = held & functools.reduce(operator.or_, fed_by, 0)
        return tuple(labels for bit, labels in self._source_labels.items() if bit & found)

    def alerting(self) -> list[AlertingRule]:
        return [rule for rule in self.rules if isinstance(rule, AlertingRule)]

    def snapshot(self) -> dict[str, Any]:
        named = zip(self._names, self.rules, strict=True)
        return {"last_ms": self.last_ms, "rules": [(name, rule.snapshot()) for name, rule in named]}

    def restore(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Take over the state of rules that are still here; returns the states nobody wants."""
        self.last_ms = state["last_ms"]
        waiting: dict[str, deque[dict[str, Any]]] = {}
        for identity, rule_state in state["rules"]:
            waiting.setdefault(identity, deque()).append(rule_state)
        for name, rule in zip(self._names, self.rules, strict=True):
            mine = waiting.get(name)
            if mine:
                rule.restore(mine.popleft())
        return [rule_state for left in waiting.values() for rule_state in left]


def rule_identity(rule: Rule) -> str:
    """What a rule is recognised by after a reload, as in Prometheus: its kind, name and labels."""
    labels = ",".join(f"{name}={template.text}" for name, template in sorted(rule.labels.items()))
    kind = (
        f"detect:{rule.detector}:{rule.options!r}" if rule.detector else "record" if rule.record else "alert"
    )
    return f"{kind}:{rule.record or rule.alert}{{{labels}}}"


def guarded_name(rule: Rule) -> str:
    """Short enough for a label, and another one once the rule is written otherwise."""
    annotations = [f"{name}={each.text}" for name, each in sorted(rule.annotations.items())]
    written = repr([rule_identity(rule), rule.text, *annotations])
    return f"{rule.name} #{hashlib.sha256(written.encode()).hexdigest()[:8]}"


def _running(rule: Rule, group: RuleGroup, context: Context) -> RunningRule:
    if rule.alert:
        return AlertingRule(rule, group, context)
    if rule.detector:
        return DetectorRule(rule, context)
    return RecordingRule(rule, group.limit, context)
