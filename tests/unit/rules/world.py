"""Rules over a few series that are fed by hand, a minute at a time."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from sentinel.engine import Engine, Settings
from sentinel.model import AlertEvent, Labels
from sentinel.rules.alerting import AlertingRule
from sentinel.rules.load import RuleGroup, parse_rules
from sentinel.store import snapshot
from sentinel.store.journal import Step
from sentinel.store.tracked import end

MINUTE = 60_000
START = 1_800_000_000_000


def groups_of(text: str) -> list[RuleGroup]:
    return parse_rules(textwrap.dedent(text), "r.yml")


def one_rule(*lines: str, group: str = "") -> str:
    """A file with one group of one rule; `group` are further keys of the group, as YAML flow."""
    rule = "".join(f"      {line}\n" for line in lines)
    head = "".join(f"    {line}\n" for line in filter(None, group.split(";")))
    return f"groups:\n  - name: g\n{head}    rules:\n    -\n{rule}"


class World:
    """`events` are all that was told so far."""

    def __init__(self, rules: str, **settings: object) -> None:
        self.settings = Settings(sources=("s",), **settings)  # type: ignore[arg-type]
        self.engine = Engine(groups_of(rules), self.settings)
        self.now = START
        self.events: list[AlertEvent] = []
        self._alive: set[Labels] = set()

    def feed(self, name: str, values: Mapping[str, float]) -> None:
        """`name{i=...}` has these values now."""
        for i, value in values.items():
            self.engine.store.add(Labels({"__name__": name, "i": i}), [self.now], [value])
            self._alive.add(Labels({"__name__": name, "i": i}))

    def pass_minute(self, minutes: int = 1, /, **x: float) -> list[str]:
        """`x{i=...}` has these values for a minute each, and no others; what is told of, in short."""
        told: list[str] = []
        for _ in range(minutes):
            self.now += MINUTE
            gone = self._alive - {Labels({"__name__": "x", "i": i}) for i in x}
            end(self.engine.store, self.engine.store.index.find(gone), self.now)
            self._alive -= gone
            self.feed("x", x)
            told += self.evaluate()
        return told

    def evaluate(self) -> list[str]:
        events = self.engine.advance([Step(key, self.now) for key in self.engine.groups])
        self.events += events
        return sorted(said(event) for event in events)

    def reload(self, rules: str) -> list[str]:
        events = self.engine.reload(groups_of(rules))
        self.events += events
        return sorted(said(event) for event in events)

    def restart(self, folder: Path, rules: str | None = None) -> list[str]:
        """Another engine goes on from a snapshot on disk, perhaps with other rules."""
        groups = [g.spec for g in self.engine.groups.values()] if rules is None else groups_of(rules)
        snapshot.save(folder, self.engine.snapshot())
        state = snapshot.load(folder)
        assert state is not None
        self.engine = Engine(groups, self.settings)
        events = self.engine.restore(state)
        self.events += events
        return sorted(said(event) for event in events)

    def query(self, text: str) -> dict[str, float]:
        evaluator = self.engine.evaluator
        value = evaluator.instant(evaluator.prepare(text), self.now)
        return {
            repr(evaluator.labels(id)): number
            for id, number in zip(value.ids.tolist(), value.values.tolist(), strict=True)  # type: ignore[union-attr]
        }

    def states(self) -> dict[str, str]:
        """Of all active alerts, by `i`."""
        return {
            labels.get("i"): alert.state
            for group in self.engine.groups.values()
            for rule in group.alerting()
            for labels, alert in rule.active.items()
        }

    @property
    def rule(self) -> AlertingRule:
        return next(rule for group in self.engine.groups.values() for rule in group.alerting())

    def problems(self) -> list[str]:
        return [problem for group in self.engine.groups.values() for problem in group.health.values()]


def said(event: AlertEvent) -> str:
    who = event.labels.get("i") or event.labels.get("no_data")
    return f"{event.state} {event.labels.get('alertname')}{f' {who}' if who else ''}"
