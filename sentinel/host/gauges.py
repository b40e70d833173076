"""Keeps Sentinel's own metrics about sources, groups and alerts up to date from the engine's thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from sentinel import telemetry
from sentinel.engine import Engine
from sentinel.host.schedule import Schedule
from sentinel.host.watermarks import SourceTime
from sentinel.store.journal import Step

log = telemetry.logger("rules")
EVERY_MS: Final = 250
SHORT_EVERY_MS: Final = 15_000


class AlertView(msgspec.Struct, frozen=True):
    """An active alert, for people to look at."""

    labels: dict[str, str]
    state: str
    active_at_ms: int
    value: float


class Gauges:
    def __init__(self, engine: Engine, times: Mapping[str, SourceTime], schedule: Schedule) -> None:
        self.alerts: tuple[AlertView, ...] = ()
        """Active alerts at the last update; replaced, never changed, so any thread may read it."""
        self.catching_up: frozenset[str] = frozenset()
        """Keys of groups that work through a backlog; replaced likewise."""
        self._engine, self._times, self._schedule = engine, times, schedule
        self._updated_ms = 0
        self._problems: dict[str, dict[int, str]] = {}

    def evaluated(self, step: Step, seconds: float) -> None:
        group = self._engine.groups[step.group]
        telemetry.GROUP_LAST.labels(step.group).set(step.at_ms / 1000)
        telemetry.GROUP_DURATION.labels(step.group).set(seconds)
        telemetry.RULE_EVALUATIONS.labels(step.group).inc(len(group.rules))
        if group.health:
            telemetry.RULE_FAILURES.labels(step.group).inc(len(group.health))
        if group.health != self._problems.get(step.group, {}):
            for number, problem in group.health.items():
                log.warning("rule failed", group=step.group, rule=group.rules[number].name, error=problem)
            self._problems[step.group] = dict(group.health)

    def reloaded(self) -> None:
        """Groups may be gone, and others look further back than was kept for them."""
        telemetry.GROUP_LAST.clear()
        telemetry.GROUP_DURATION.clear()
        self._count_short()
        for short in self._engine.short():
            until = datetime.fromtimestamp(short.until_ms / 1000, UTC).isoformat(timespec="seconds")
            log.info("window not full yet", group=short.group, rule=short.rule, until=until)

    def _count_short(self) -> None:
        telemetry.RULES_SHORT.set(len(self._engine.short()))

    def update(self, now_ms: int) -> None:
        if now_ms - self._updated_ms < EVERY_MS:
            return
        if now_ms // SHORT_EVERY_MS != self._updated_ms // SHORT_EVERY_MS:
            self._count_short()
        self._updated_ms = now_ms
        for name, source in self._times.items():
            telemetry.SOURCE_UP.labels(name).set(source.condition != "disconnected")
            behind = max(0, now_ms - source.time_ms) if source.time_ms else 0
            telemetry.INGEST_LAG.labels(name).set(behind / 1000)
            telemetry.SOURCE_SERIES.labels(name).set(self._engine.series_of(name))
            telemetry.SOURCE_SERIES_LIMIT.labels(name).set(source.feed.series_limit)
        telemetry.SERIES.set(len(self._engine.store.index))
        telemetry.STORE_BYTES.set(self._engine.store.windows.nbytes)
        groups = self._engine.groups.values()
        self.catching_up = frozenset(g.key for g in groups if self._schedule.catching_up(g, now_ms))
        self.alerts = tuple(
            AlertView(dict(alert.labels), alert.state, alert.active_at_ms, alert.value)
            for group in groups
            for rule in group.alerting()
            for alert in rule.active.values()
        )
        states = Counter(alert.state for alert in self.alerts)
        for state in ("pending", "firing"):
            telemetry.ALERTS.labels(state).set(states[state])
