"""A rule group at run time: its rules in order, each seeing what those before it wrote."""

from __future__ import annotations

import functools
import hashlib
import operator
from collections import deque
from typing import Any, Final

import msgspec

from sentinel.errors import QueryError, RuleError
from sentinel.model import AlertEvent
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
        self.evaluated_ms: dict[int, int] = {}
        """By rule number, the event time of its last evaluation, good or bad."""
        self.rules: list[RunningRule] = [_running(rule, group, context) for rule in group.rules]
        self._store, self._guard = context.store, context.guard
        self._source_labels = context.source_labels
        self._fed_by: tuple[tuple[int, ...], int] = ((), 0)
        self._fed_as_of = (-1, -1)
        aside = context.guard.rules()
        self._names = [rule_identity(rule) for rule in group.rules]
        self.guarded = [guarded_name(rule) for rule in group.rules]
        """What each rule is called when it comes to crashes: changed in any way, it is another one."""
        self._set_aside = {n for n, name in enumerate(self.guarded) if (self.key, name) in aside}

    def demands(self) -> list[Demand]:
        """What the rules read, reaching further back by the query offset."""
        return [demand for rule in self.rules for demand in self.demands_of(rule)]

    def demands_of(self, rule: RunningRule) -> list[Demand]:
        offset = self.spec.query_offset_ms
        return [Demand(each.matchers, each.keep_ms + offset) for each in rule.demands()]

    def sources(self) -> int:
        """Bits of the sources that feed any rule; looked up again only when series or sources changed."""
        version = (self._store.source_version, self._store.index.version)
        if self._fed_as_of == version:
            return self._fed_by[1]
        queries = [query for rule in self.rules for query in rule.queries]
        versions = [selection.version for query in queries for selection in query.selections]
        stamp = (self._store.source_version, *versions)
        if self._fed_by[0] != stamp:
            self._fed_by = (stamp, source_mask(self._store, *queries))
        self._fed_as_of = version
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
            seen = self._seen_by(rule, moment, held) if held else moment
            if seen is None:
                continue
            self._guard.evaluating(self.key, self.guarded[number], at_ms)
            try:
                events += rule.evaluate(seen)
                problem = str(rule.problem) if rule.problem else ""
            except (RuleError, QueryError) as error:
                problem = str(error)
            self.evaluated_ms[number] = at_ms
            if problem:
                self.health[number] = problem
            elif self.health:
                self.health.pop(number, None)
        self._guard.evaluated()
        self.last_ms = at_ms
        return events

    def _seen_by(self, rule: RunningRule, moment: Moment, held: int) -> Moment | None:
        """The moment with the labels of the held sources among those that feed a rule.

        None if one of its selectors is fed by held sources alone.
        """
        fed_by = selection_masks(self._store, *rule.queries)
        if any(mask and not mask & ~held for mask in fed_by):
            return None
        found = held & functools.reduce(operator.or_, fed_by, 0)
        away = tuple(labels for bit, labels in self._source_labels.items() if bit & found)
        return msgspec.structs.replace(moment, away=away)

    def alerting(self) -> list[AlertingRule]:
        return [rule for rule in self.rules if isinstance(rule, AlertingRule)]

    def snapshot(self) -> dict[str, Any]:
        named = zip(self._names, self.rules, strict=True)
        return {
            "last_ms": self.last_ms,
            "sample_ms": self.last_ms - self.spec.query_offset_ms,
            "rules": [(name, rule.snapshot()) for name, rule in named],
            "judged": [(self.evaluated_ms.get(n, 0), self.health.get(n, "")) for n in range(len(self.rules))],
        }

    def restore(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Take over the state of rules that are still here; returns the states nobody wants."""
        self.last_ms = state["last_ms"]
        judged = state.get("judged", [(0, "")] * len(state["rules"]))
        waiting: dict[str, deque[tuple[dict[str, Any], int, str]]] = {}
        for (identity, rule_state), (evaluated_ms, problem) in zip(state["rules"], judged, strict=True):
            waiting.setdefault(identity, deque()).append((rule_state, evaluated_ms, problem))
        for number, (name, rule) in enumerate(zip(self._names, self.rules, strict=True)):
            if mine := waiting.get(name):
                rule_state, evaluated_ms, problem = mine.popleft()
                rule.restore(rule_state)
                if evaluated_ms:
                    self.evaluated_ms[number] = evaluated_ms
                if problem:
                    self.health[number] = problem
        return [rule_state for left in waiting.values() for rule_state, _, _ in left]


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
    own = [each for each in (rule.resolve_expr, rule.no_data != "ok", rule.flap) if each]
    written = repr([rule_identity(rule), rule.text, *annotations, *own])
    return f"{rule.name} #{hashlib.sha256(written.encode()).hexdigest()[:8]}"


def _running(rule: Rule, group: RuleGroup, context: Context) -> RunningRule:
    if rule.alert:
        return AlertingRule(rule, group, context)
    if rule.detector:
        return DetectorRule(rule, group.limit, context)
    return RecordingRule(rule, group.limit, context)
