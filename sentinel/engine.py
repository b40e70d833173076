"""The deterministic core: batches and time in, alert events out.

No clock, no I/O, no randomness. The host tells it `ingest`, `advance` and `reload`; the same calls in the
same order give the same events, and between two advances the order of batches does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from sentinel.model import AlertEvent, Int64s, Labels, SampleBatch
from sentinel.promql import Evaluator
from sentinel.rules.active import ActiveAlert, resolved
from sentinel.rules.context import Context
from sentinel.rules.group import RunningGroup
from sentinel.rules.load import RuleGroup
from sentinel.store.journal import Step
from sentinel.store.store import DROP_REASONS, Store

SWEEP_MS: Final = 60_000
"""How often, in event time, vanished series are forgotten."""


class Settings(msgspec.Struct, frozen=True):
    """What of the configuration the engine needs. `sources` gives each source its bit, by its place."""

    sources: tuple[str, ...] = ()
    external_labels: Labels = Labels()
    external_url: str = ""
    retention_ms: int | None = None


class Engine:
    def __init__(self, groups: Sequence[RuleGroup], settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.store = Store(retention_ms=settings.retention_ms)
        self.settings = settings
        self.groups: dict[str, RunningGroup] = {}
        self._context = Context(
            self.store, Evaluator(self.store), settings.external_labels, settings.external_url
        )
        self._bits = {name: 1 << place for place, name in enumerate(settings.sources)}
        self._swept_ms = 0
        self._tracked: dict[str, dict[str, list[Labels]]] = {}
        self._install(groups)

    def ingest(
        self, source: str, batch: SampleBatch, series_limit: int = 1 << 62
    ) -> tuple[int, dict[str, int]]:
        """Take samples in. Returns (stored, dropped by reason)."""
        _, counts = self.store.ingest(batch, self._bits[source], series_limit)
        dropped = {reason: int(counts[code]) for code, reason in DROP_REASONS.items() if counts[code]}
        return int(counts[0]), dropped

    def ingest_target(
        self, source: str, target: str, batch: SampleBatch, at_ms: int, series_limit: int = 1 << 62
    ) -> tuple[int, dict[str, int]]:
        """As `ingest`, of all that a target has at `at_ms`: what it has no longer ends then."""
        slots, counts = self.store.ingest(batch, self._bits[source], series_limit)
        here = {self.store.labels(slot) for slot in slots[slots >= 0].tolist()}
        before = self._tracked.setdefault(source, {})
        self.store.end(set(before.get(target, ())) - here, at_ms)
        before[target] = sorted(here)
        dropped = {reason: int(counts[code]) for code, reason in DROP_REASONS.items() if counts[code]}
        return int(counts[0]), dropped

    def advance(self, steps: Iterable[Step]) -> list[AlertEvent]:
        """Evaluate groups at event times, in this order."""
        events: list[AlertEvent] = []
        for step in steps:
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

    @property
    def evaluator(self) -> Evaluator:
        """For ad-hoc queries; to be used where the engine is."""
        return self._context.evaluator

    def mask(self, sources: Iterable[str]) -> int:
        mask = 0
        for name in sources:
            mask |= self._bits.get(name, 0)
        return mask

    def names(self, mask: int) -> tuple[str, ...]:
        return tuple(name for name, bit in self._bits.items() if mask & bit)

    def snapshot(self) -> dict[str, Any]:
        return {
            "sources": list(self.settings.sources),
            "store": self.store.snapshot(),
            "groups": {key: group.snapshot() for key, group in self.groups.items()},
            "tracked": {source: dict(parts) for source, parts in self._tracked.items()},
            "swept_ms": self._swept_ms,
        }

    def restore(self, state: dict[str, Any]) -> list[AlertEvent]:
        """Go on from a snapshot, in a fresh engine. What left the rule files meanwhile ends."""
        stored = state["store"]
        for column in ("sources", "creator"):
            stored[column] = self._translate(stored[column], state["sources"])
        self.store.restore(stored)
        self._swept_ms, self._tracked = state["swept_ms"], state["tracked"]
        return self._adopt(state["groups"])

    def _install(self, groups: Sequence[RuleGroup]) -> None:
        self.groups = {group.key: RunningGroup(group, self._context) for group in groups}
        demands = [demand for group in self.groups.values() for demand in group.demands()]
        self.store.demand(demands)
        self._wanted = {demand.matchers for demand in demands}
        self.store.index.keep_only(self._wanted)

    def _adopt(self, states: dict[str, Any]) -> list[AlertEvent]:
        """Give rules the state they had. Series and alerts of rules that are gone end."""
        events: list[AlertEvent] = []
        for key, state in states.items():
            group = self.groups.get(key)
            left = group.restore(state) if group else [rule_state for _, rule_state in state["rules"]]
            for rule_state in left:
                self.store.end(rule_state["series"], state["last_ms"])
                alerts = map(ActiveAlert.load, rule_state.get("active", ()))
                events += [resolved(alert.told, state["last_ms"]) for alert in alerts if alert.told]
        return events

    def _move_horizon(self) -> None:
        """No evaluation will look back from before the slowest group's last one: windows may forget."""
        begun = [group.last_ms for group in self.groups.values() if group.last_ms]
        if not begun:
            return
        self.store.windows.horizon_ms = min(begun)
        if min(begun) >= self._swept_ms + SWEEP_MS:
            self._swept_ms = min(begun)
            self.store.expire(min(begun))
            self.store.index.keep_only(self._wanted)  # ad-hoc queries leave selections behind

    def _translate(self, masks: Int64s, names: list[str]) -> Int64s:
        """Source bits as they were numbered when the snapshot was taken -> as they are numbered now."""
        out = np.zeros_like(masks)
        for place, name in enumerate(names):
            out[(masks >> place) & 1 == 1] |= self._bits.get(name, 0)
        return out
