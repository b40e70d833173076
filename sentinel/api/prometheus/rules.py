"""`/rules` and `/alerts`: what is evaluated, how it fares, and what is pending or fires."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from sentinel.api.prometheus.answers import Answer
from sentinel.api.prometheus.parameters import Parameters, invalid, parse_integer
from sentinel.api.prometheus.rendering import exponent
from sentinel.api.prometheus.turns import PIECE_SECONDS, Patience, Turns
from sentinel.engine import Engine
from sentinel.model import Matcher
from sentinel.notify.payload import rfc3339
from sentinel.promql import to_text
from sentinel.rules.active import ActiveAlert
from sentinel.rules.alerting import AlertingRule
from sentinel.rules.group import RunningGroup
from sentinel.rules.schema import Rule, RuleGroup
from sentinel.telemetry import GROUP_DURATION

NEVER: Final = "0001-01-01T00:00:00Z"
_STATES: Final = ("inactive", "pending", "firing")
_TRUTH: Final = dict.fromkeys(("1", "t", "true"), True) | dict.fromkeys(("", "0", "f", "false"), False)
_LARGEST: Final = (1 << 31) - 1


class RuleView(msgspec.Struct, frozen=True):
    """One rule as it stands. `running` is the engine's own: only to be used on its thread."""

    spec: Rule
    problem: str
    running: AlertingRule | None
    alerts: list[ActiveAlert]
    sample_ms: int


class GroupView(msgspec.Struct, frozen=True):
    spec: RuleGroup
    last_ms: int
    rules: list[RuleView]


class Filter(msgspec.Struct, frozen=True):
    """What a request wants to see. Empty collections want all."""

    kind: str
    names: Collection[str]
    groups: Collection[str]
    files: Collection[str]
    matcher_sets: Sequence[tuple[Matcher, ...]]

    @classmethod
    def of(cls, parameters: Parameters) -> Filter:
        kind = parameters.first("type").lower()
        names, groups = set(parameters.all("rule_name[]")), set(parameters.all("rule_group[]"))
        files = set(parameters.all("file[]"))
        sets = parameters.matcher_sets()
        if kind not in ("", "alert", "record"):
            raise invalid("type", f'not supported value "{kind}"')
        return cls(kind, names, groups, files, sets)

    def wants_group(self, group: RuleGroup) -> bool:
        return (not self.groups or group.name in self.groups) and (not self.files or group.file in self.files)

    def wants(self, rule: Rule) -> bool:
        if self.kind and self.kind != ("alert" if rule.alert else "record"):
            return False
        if self.names and rule.name not in self.names:
            return False
        written = rule.static_labels()
        return not self.matcher_sets or any(
            all(matcher.matches(written.get(matcher.name, "")) for matcher in matchers)
            for matchers in self.matcher_sets
        )


class RuleEndpoints:
    def __init__(self, turns: Turns, timeout_seconds: float) -> None:
        self._turns, self._timeout = turns, timeout_seconds

    async def rules(self, parameters: Parameters) -> Answer:
        wanted = await self._turns.worker(lambda: Filter.of(parameters))
        bare = _truth(parameters, "exclude_alerts")
        most, token = _page(parameters)
        patience = Patience(self._timeout, parameters.gone)
        groups = await self._turns.piece(lambda engine: _groups(engine, wanted), patience)
        page, next_token = _paged(groups, most, token)
        alerts = {} if bare else await self._alerts(page, patience)
        took = _durations()
        found = [_group(group, took.get(group.spec.key, 0.0), alerts, bare) for group in page]
        return Answer({"groups": found} | ({"groupNextToken": next_token} if next_token else {}))

    async def alerts(self, parameters: Parameters) -> Answer:
        patience = Patience(self._timeout, parameters.gone)
        nothing = Filter("alert", (), (), (), ())
        groups = await self._turns.piece(lambda engine: _groups(engine, nothing), patience)
        alerts = await self._alerts(groups, patience)
        return Answer({"alerts": [alert for found in alerts.values() for alert in found]})

    async def _alerts(
        self, groups: Sequence[GroupView], patience: Patience
    ) -> dict[int, list[dict[str, Any]]]:
        """By the id() of a rule's view, its alerts. Annotations may query: a few at a time."""
        rules = [rule for group in groups for rule in group.rules if rule.running is not None]
        found: dict[int, list[dict[str, Any]]] = {id(rule): [] for rule in rules}
        left = ((rule, alert) for rule in rules for alert in rule.alerts)
        while some := await self._turns.piece(lambda engine: list(_annotated(left)), patience):
            for rule, alert, texts in some:
                found[id(rule)].append(_alert(alert, texts))
        return found


def _groups(engine: Engine, wanted: Filter) -> list[GroupView]:
    """In order of file and name, without rules that are not wanted and groups that have none left."""
    ordered = sorted(engine.groups.values(), key=lambda group: (group.spec.file, group.spec.name))
    return [
        GroupView(group.spec, group.last_ms, rules)
        for group in ordered
        if wanted.wants_group(group.spec) and (rules := list(_rules(group, wanted)))
    ]


def _rules(group: RunningGroup, wanted: Filter) -> Iterator[RuleView]:
    sample_ms = group.last_ms - group.spec.query_offset_ms
    for number, (spec, running) in enumerate(zip(group.spec.rules, group.rules, strict=True)):
        if wanted.wants(spec):
            alerting = running if isinstance(running, AlertingRule) else None
            alerts = [copy.copy(alert) for alert in alerting.active.values()] if alerting else []
            yield RuleView(spec, group.health.get(number, ""), alerting, alerts, sample_ms)


def _annotated(
    left: Iterator[tuple[RuleView, ActiveAlert]],
) -> Iterator[tuple[RuleView, ActiveAlert, Mapping[str, str]]]:
    """The next alerts with their annotations as of now, as many as one piece may take."""
    until = time.perf_counter() + PIECE_SECONDS
    for rule, alert in left:
        assert rule.running is not None
        yield rule, alert, rule.running.annotations(alert, rule.sample_ms)
        if time.perf_counter() > until:
            return


def _paged(groups: list[GroupView], most: int, token: str) -> tuple[list[GroupView], str]:
    """The page that begins at `token`, and the token of the next one if there is one."""
    first = 0
    if token:
        tokens = [_token(group.spec) for group in groups]
        if token not in tokens:
            message = f"invalid group_next_token '{token}'. were rule groups changed?"
            raise invalid("group_next_token", message)
        first = tokens.index(token)
    if not most or first + most >= len(groups):
        return groups[first:], ""
    return groups[first : first + most], _token(groups[first + most].spec)


def _token(group: RuleGroup) -> str:
    return hashlib.sha256(group.key.encode()).hexdigest()


def _group(
    group: GroupView, took_seconds: float, alerts: dict[int, list[dict[str, Any]]], bare: bool
) -> dict[str, Any]:
    return {
        "name": group.spec.name,
        "file": group.spec.file,
        "rules": [_rule(rule, group.last_ms, alerts.get(id(rule), []), bare) for rule in group.rules],
        "interval": group.spec.interval_ms / 1000,
        "limit": group.spec.limit,
        "evaluationTime": took_seconds,
        "lastEvaluation": rfc3339(group.last_ms) if group.last_ms else NEVER,
    }


def _rule(view: RuleView, last_ms: int, alerts: list[dict[str, Any]], bare: bool) -> dict[str, Any]:
    """The evaluation time of one rule is not measured: it is the group's that tells."""
    spec = view.spec
    told: dict[str, Any] = {
        "name": spec.name,
        "query": to_text(spec.expr),
        "labels": spec.static_labels(),
        "health": "err" if view.problem else "ok" if last_ms else "unknown",
        "evaluationTime": 0,
        "lastEvaluation": rfc3339(last_ms) if last_ms else NEVER,
        "type": "alerting" if spec.alert else "recording",
    }
    if view.problem:
        told["lastError"] = view.problem
    if spec.alert:
        state = max((_STATES.index(alert.state) for alert in view.alerts), default=0)
        told |= {
            "state": _STATES[state] if last_ms else "unknown",
            "duration": spec.for_ms / 1000,
            "keepFiringFor": spec.keep_firing_for_ms / 1000,
            "annotations": {name: text.text for name, text in spec.annotations.items()},
            "alerts": None if bare else alerts,
        }
    return told


def _alert(alert: ActiveAlert, annotations: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "labels": dict(alert.labels.pairs),
        "annotations": dict(annotations),
        "state": alert.state,
        "activeAt": rfc3339(alert.active_at_ms),
        "value": exponent(alert.value),
    }
    if alert.keep_since_ms:
        told["keepFiringSince"] = rfc3339(alert.keep_since_ms)
    return told


def _durations() -> dict[str, float]:
    """How long each group's last evaluation took, in seconds."""
    return {s.labels["group"]: s.value for family in GROUP_DURATION.collect() for s in family.samples}


def _truth(parameters: Parameters, name: str) -> bool:
    text = parameters.first(name).lower()
    if text not in _TRUTH:
        problem = f'strconv.ParseBool: parsing "{text}": invalid syntax'
        raise invalid(name, f"error converting {name}: {problem}")
    return _TRUTH[text]


def _page(parameters: Parameters) -> tuple[int, str]:
    """(groups on a page, 0 for all of them; the token of the page)."""
    text, token = parameters.first("group_limit"), parameters.first("group_next_token")
    if token and not text:
        raise invalid(
            "group_next_token", "group_limit needs to be present in order to paginate over the groups"
        )
    if not text:
        return 0, ""
    try:
        most = parse_integer(text, "ParseInt")
        if most > _LARGEST:
            raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    except ValueError as error:
        raise invalid("group_limit", f"group_limit needs to be a valid number: {error}") from None
    if most <= 0:
        raise invalid("group_limit", "group_limit needs to be greater than 0")
    return most, token
