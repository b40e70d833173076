"""`ALERTS` and `ALERTS_FOR_STATE`: an alerting rule's state as series that queries can read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from sentinel.model import Labels
from sentinel.rules.active import ActiveAlert
from sentinel.rules.schema import Rule
from sentinel.rules.writer import end_vanished
from sentinel.store.store import Store
from sentinel.store.tracked import Tracked

METRICS: Final = ("ALERTS", "ALERTS_FOR_STATE")


class _Names(NamedTuple):
    """The series of one alert."""

    pending: Labels
    firing: Labels
    for_state: Labels


class AlertSeries:
    def __init__(self, rule: Rule, store: Store) -> None:
        self._store = store
        self.written = Tracked()
        """By the last evaluation."""
        self._names: dict[Labels, _Names] = {}
        self._own = {name: text.text for name, text in rule.labels.items()}

    def write(self, alerts: Iterable[ActiveAlert], at_ms: int, source_mask: int) -> None:
        """One sample each; series of alerts that changed their state or ended go stale."""
        samples: dict[Labels, float] = {}
        known, self._names = self._names, {}
        for alert in alerts:
            names = known.get(alert.labels) or self._name(alert.labels)
            self._names[alert.labels] = names
            samples[names.firing if alert.told else names.pending] = 1.0
            samples[names.for_state] = float(alert.active_at_ms // 1000)
        slots = self._store.slots(samples)
        before, self.written = self.written, Tracked.of(slots, self._store)
        end_vanished(self._store, before.without(self.written, self._store), at_ms, METRICS)
        values = np.fromiter(samples.values(), np.float64, len(samples))
        self._store.write(slots, np.full(len(slots), at_ms, np.int64), values, source_mask, METRICS)

    def snapshot(self) -> list[Labels]:
        return sorted(map(self._store.labels, self.written.known(self._store).tolist()))

    def restore(self, written: list[Labels]) -> None:
        self.written = Tracked.of(self._store.index.find(written), self._store)

    def _name(self, labels: Labels) -> _Names:
        """A rule's label whose template gives nothing stands here as it is written, as in Prometheus."""
        base = {**self._own, **labels.map}
        return _Names(
            pending=Labels({**base, "__name__": "ALERTS", "alertstate": "pending"}),
            firing=Labels({**base, "__name__": "ALERTS", "alertstate": "firing"}),
            for_state=Labels({**base, "__name__": "ALERTS_FOR_STATE"}),
        )
