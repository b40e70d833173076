"""`ALERTS` and `ALERTS_FOR_STATE`: an alerting rule's state as series that queries can read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sentinel.model import Labels
from sentinel.rules.active import ActiveAlert
from sentinel.store.store import Store


class AlertSeries:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._written: set[Labels] = set()

    def write(self, alerts: Iterable[ActiveAlert], at_ms: int, source_mask: int) -> None:
        """One sample each; series of alerts that changed their state or ended go stale."""
        samples: dict[Labels, float] = {}
        for alert in alerts:
            state = {"__name__": "ALERTS", "alertstate": alert.state}
            samples[alert.labels.with_(state)] = 1.0
            samples[alert.labels.with_({"__name__": "ALERTS_FOR_STATE"})] = float(alert.active_at_ms // 1000)
        if not samples and not self._written:
            return
        slots = np.array([self._store.slot(labels) for labels in samples], np.int64)
        values = np.fromiter(samples.values(), np.float64, len(samples))
        self._store.end(self._written - samples.keys(), at_ms)
        self._store.write(slots, np.full(len(slots), at_ms, np.int64), values, source_mask)
        self._written = set(samples)

    def snapshot(self) -> list[Labels]:
        return sorted(self._written)

    def restore(self, written: list[Labels]) -> None:
        self._written = set(written)
