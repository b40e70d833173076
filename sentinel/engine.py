"""The deterministic core: batches and time in, alert events out.

No clock, no I/O, no randomness. The host tells it `ingest`, `advance` and `reload`; the same calls in the
same order give the same events, and between two advances the order of batches does not matter.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from sentinel.model import AlertEvent, Int64s, Labels, SampleBatch
from sentinel.promql import Evaluator
from sentinel.promql.plan import share
from sentinel.rules.active import ActiveAlert, resolved
from sentinel.rules.alert_series import METRICS as ALERT_METRICS
from sentinel.rules.arrivals import Arrivals
from sentinel.rules.context import Context, Guard
from sentinel.rules.filling import Filling
from sentinel.rules.group import RunningGroup
from sentinel.rules.load import RuleGroup
from sentinel.rules.past import PastSamples
from sentinel.store import tracked
from sentinel.store.journal import Step
from sentinel.store.store import DROP_REASONS, Store
from sentinel.store.tracked import Tracked

LOOK_AHEAD_SERIES: Final = 1 << 13
"""So many series are made between two looks at what evaluating them asks for."""
SWEEP_MS: Final = 60_000
"""How often, in event time, vanished series are forgotten."""


class Short(msgspec.Struct, frozen=True):
    """A rule that reads further back than was kept before it came: until then its window fills."""

    group: str
    rule: str
    until_ms: int


class Settings(msgspec.Struct, frozen=True):
    """What of the configuration the engine needs. `sources` gives each source its bit, by its place."""

    sources: tuple[str, ...] = ()
    source_labels: Mapping[str, Labels] = {}
    """Labels that all series of a source have: `cluster` of one that is watched, `job` of a scrape."""
    external_labels: Labels = Labels()
    external_url: str = ""
    retention_ms: int | None = None
    subquery_step_ms: int = 60_000
    """The step of subqueries that name none: how often rules are evaluated, as in Prometheus."""


class Engine:
    def __init__(
        self, groups: Sequence[RuleGroup], settings: Settings | None = None, guard: Guard | None = None
    ) -> None:
        settings = settings or Settings()
        self.store = Store(retention_ms=settings.retention_ms)
        self.settings = settings
        self.groups: dict[str, RunningGroup] = {}
        self._bits = {name: 1 << place for place, name in enumerate(settings.sources)}
        self._context = Context(
            self.store,
            Evaluator(self.store, subquery_step_ms=settings.subquery_step_ms),
            settings.external_labels,
            settings.external_url,
            guard or Guard(),
            {bit: settings.source_labels.get(name, Labels()) for name, bit in self._bits.items()},
        )
        self._asking = Evaluator(self.store, subquery_step_ms=settings.subquery_step_ms, forgetful=True)
        self._filling = Filling(self.store, settings.retention_ms)
        self.past = PastSamples(self.store, self._filling)
        """Another input beside `ingest`: what was read again for windows that are not full."""
        self._swept_ms = self._looked = 0
        self._held_by: dict[str, int] = {}
        self._targets: dict[tuple[str, str], Tracked] = {}
        self._install(groups)

    def ingest(
        self, source: str, batch: SampleBatch, series_limit: int = 1 << 62
    ) -> tuple[int, dict[str, int]]:
        """Take samples in. Returns (stored, dropped by reason)."""
        slots, counts = self.store.ingest(batch, self._bits[source], series_limit)
        self._look_ahead()
        self.arrivals.note(slots, self._bits[source])
        if not self.groups and len(batch):
            self._sweep(int(batch.timestamp_ms.max()))  # no evaluation says what time it is
        dropped = {reason: int(counts[code]) for code, reason in DROP_REASONS.items() if counts[code]}
        return int(counts[0]), dropped

    def ingest_target(
        self, source: str, target: str, batch: SampleBatch, at_ms: int, series_limit: int = 1 << 62
    ) -> tuple[int, dict[str, int]]:
        """As `ingest`, of all that a target has at `at_ms`: what it has no longer ends then."""
        slots, counts = self.store.ingest(batch, self._bits[source], series_limit)
        self._look_ahead()
        self.arrivals.note(slots, self._bits[source])
        before = self._targets.get((source, target))
        here = self._targets[source, target] = Tracked.of(np.unique(slots), self.store)
        if before is not None:
            gone = before.without(here, self.store)
            tracked.end(self.store, gone, at_ms)
            self.arrivals.note(gone, self._bits[source])
        dropped = {reason: int(counts[code]) for code, reason in DROP_REASONS.items() if counts[code]}
        return int(counts[0]), dropped

    def advance(self, steps: Iterable[Step]) -> list[AlertEvent]:
        """Evaluate groups at event times, in this order."""
        events: list[AlertEvent] = []
        for step in steps:
            self._held_by[step.group] = self.mask(step.held)
            group = self.groups.get(step.group)
            if group is None or step.at_ms <= group.last_ms:
                continue  # a rule file changed since this step was journaled, or it was done before
            events += group.evaluate(step.at_ms, self.mask(step.held), step.incomplete)
        self._move_horizon()
        return events

    def reload(self, groups: Sequence[RuleGroup]) -> list[AlertEvent]:
        """Other rules from now on. Rules that stay keep their state; what is gone resolves and ends."""
        state = {key: group.snapshot() for key, group in self.groups.items()}
        self._install(groups)
        return self._adopt(state)

    def short(self) -> list[Short]:
        """The rules whose windows are not full yet, as after a reload."""
        found = []
        for group in self.groups.values():
            for rule in group.rules:
                until_ms = max(map(self._filling.until_ms, group.demands_of(rule)), default=0)
                if until_ms > group.last_ms:
                    found.append(Short(group.key, rule.name, until_ms))
        return found

    def firing(self) -> list[AlertEvent]:
        """The events that began what fires now."""
        rules = (rule for group in self.groups.values() for rule in group.alerting())
        return [alert.told for rule in rules for alert in rule.active.values() if alert.told is not None]

    def renewed(self, events: Iterable[AlertEvent]) -> list[AlertEvent | None]:
        """Events with values and annotations of now, of what fires; None for a resolve that is overtaken."""
        rules = {
            rule.key: (rule, group.last_ms) for group in self.groups.values() for rule in group.alerting()
        }
        known = ((event, rules.get(event.rule)) for event in events)
        return [event if found is None else found[0].renewed(event, found[1]) for event, found in known]

    @property
    def evaluator(self) -> Evaluator:
        """For ad-hoc queries, apart from that of the rules; to be used where the engine is."""
        return self._asking

    def mask(self, sources: Iterable[str]) -> int:
        mask = 0
        for name in sources:
            mask |= self._bits.get(name, 0)
        return mask

    def series_of(self, source: str) -> int:
        """How many series a source has made."""
        return self.store.created.get(self._bits[source], 0)

    def names(self, mask: int) -> tuple[str, ...]:
        return tuple(name for name, bit in self._bits.items() if mask & bit)

    def snapshot(self) -> dict[str, Any]:
        series, counts = tracked.dump(self._targets.values(), self.store)
        return {
            "sources": list(self.settings.sources),
            "store": self.store.snapshot(),
            "groups": {key: group.snapshot() for key, group in self.groups.items()},
            "targets": [(*key, count) for key, count in zip(self._targets, counts, strict=True)],
            "target_series": series,
            "swept_ms": self._swept_ms,
            "filling": self._filling.snapshot(),
            "held_by": {key: self.names(mask) for key, mask in self._held_by.items() if mask},
        }

    def restore(self, state: dict[str, Any]) -> list[AlertEvent]:
        """Go on from a snapshot, in a fresh engine. What left the rule files meanwhile ends."""
        stored = state["store"]
        for column in ("sources", "creator"):
            stored[column] = self._translate(stored[column], state["sources"])
        horizons = dict(stored.get("horizons_ms", ()))
        moved = self._translate(np.array(list(horizons), np.int64), state["sources"])
        stored["horizons_ms"] = list(zip(moved.tolist(), horizons.values(), strict=True))
        self.store.restore(stored)
        self._swept_ms = state["swept_ms"]
        self._held_by = {key: self.mask(names) for key, names in state.get("held_by", {}).items()}
        self._restore_targets(state)
        if "filling" in state:
            now = self._filling.demands
            self._filling.restore(state["filling"])
            self._filling.change(now, max((each["last_ms"] for each in state["groups"].values()), default=0))
        return self._adopt(state["groups"])

    def _restore_targets(self, state: dict[str, Any]) -> None:
        targets = state.get("targets", ())
        counts = [count for _, _, count in targets]
        series = state.get("target_series")
        if series is None:  # earlier releases had lists instead of numbers
            series = [labels for each in counts for labels in each]
        for (source, target, _), group in zip(targets, tracked.load(series, counts, self.store), strict=True):
            if source in self._bits:
                self._targets[source, target] = group

    def _install(self, groups: Sequence[RuleGroup]) -> None:
        last_ms = max((group.last_ms for group in self.groups.values()), default=0)
        self.store.owed.clear()  # rules that stay have it in their state
        self.groups = {group.key: RunningGroup(group, self._context) for group in groups}
        self.arrivals = Arrivals(self.groups.values())
        self._held_by = {key: mask for key, mask in self._held_by.items() if key in self.groups}
        rules = {(group.key, name) for group in self.groups.values() for name in group.guarded}
        self._context.guard.loaded(rules)
        demands = [demand for group in self.groups.values() for demand in group.demands()]
        recorded = (rule.record for group in groups for rule in group.rules if rule.record)
        self._filling.made = frozenset((*ALERT_METRICS, *recorded))
        self._filling.change(demands, last_ms)
        self.store.demand(demands)
        share(query for group in self.groups.values() for rule in group.rules for query in rule.queries)
        self._wanted = {demand.matchers for demand in demands}
        self.store.index.keep_only(self._wanted)

    def _adopt(self, states: dict[str, Any]) -> list[AlertEvent]:
        """Give rules the state they had. Series and alerts of rules that are gone end."""
        events: list[AlertEvent] = []
        for key, state in states.items():
            group = self.groups.get(key)
            left = group.restore(state) if group else [rule_state for _, rule_state in state["rules"]]
            for rule_state in left:
                # A millisecond later: at the very time of a sample its value might outweigh the marker.
                gone = Tracked.load(rule_state["series"], self.store)
                tracked.end(self.store, gone.slots, state.get("sample_ms", state["last_ms"]) + 1)
                alerts = map(ActiveAlert.load, rule_state.get("active", ()))
                events += [resolved(alert.told, state["last_ms"]) for alert in alerts if alert.told]
        return events

    def _move_horizon(self) -> None:
        """Nothing that a source feeds is evaluated before the last turn of the slowest group it feeds.

        By source, so that a group that waits for one that is away does not make all others keep everything.
        """
        begun = [(group.sources(), group.last_ms) for group in self.groups.values() if group.last_ms]
        if not begun:
            return
        windows, newest = self.store.windows, max(at for _, at in begun)
        windows.horizon_ms = min((at for mask, at in begun if not mask), default=newest)
        windows.horizons_ms = {
            bit: min(found)
            for bit in self._bits.values()
            if (found := [at for mask, at in begun if mask & bit])
        }
        self._sweep(newest)

    def _look_ahead(self) -> None:
        """Many new series are prepared for the next evaluation as they come, not all at once by it."""
        if abs(len(self.store.index) - self._looked) >= LOOK_AHEAD_SERIES:
            self._looked = len(self.store.index)
            self._context.evaluator.sources.look_ahead(map(self.store.selection, self._wanted))

    def _sweep(self, now_ms: int) -> None:
        """Now and then, forget what nobody has use for any more."""
        if now_ms < self._swept_ms + SWEEP_MS:
            return
        self._swept_ms = now_ms
        if not self.groups:
            self.store.windows.horizon_ms = now_ms
        self.store.expire(functools.reduce(operator.or_, self._held_by.values(), 0))
        self.store.index.keep_only(self._wanted)  # ad-hoc queries leave selections behind

    def _translate(self, masks: Int64s, names: list[str]) -> Int64s:
        """Source bits as they were numbered when the snapshot was taken -> as they are numbered now."""
        out = np.zeros_like(masks)
        for place, name in enumerate(names):
            out[(masks >> place) & 1 == 1] |= self._bits.get(name, 0)
        return out
