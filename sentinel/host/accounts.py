"""What became of everything that came in: part of the state, so that a restart goes on counting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

Counts = dict[tuple[str, ...], int]

_FAMILIES: Mapping[str, tuple[str, list[str]]] = {
    "records": ("Records read from a source.", ["source"]),
    "records_refused": ("Records that could not be decoded.", ["source", "reason"]),
    "samples": ("Samples stored.", ["source"]),
    "samples_dropped": ("Samples decoded, not stored.", ["source", "reason"]),
}


class Accounts(Collector):
    """Counters by source. Written by the engine's thread, read by scrapes of `/metrics`."""

    def __init__(self) -> None:
        self._counts: dict[str, Counts] = {family: {} for family in _FAMILIES}

    def open(self, sources: Iterable[str]) -> None:
        """Sources count from 0, and are seen to."""
        for source in sources:
            self.add("records", 0, source)
            self.add("samples", 0, source)

    def add(self, family: str, count: int, *labels: str) -> None:
        counts = self._counts[family]
        counts[labels] = counts.get(labels, 0) + count

    def total(self, family: str) -> int:
        """Over all sources and reasons."""
        return sum(self._counts[family].values())

    def collect(self) -> Iterable[CounterMetricFamily]:
        for family, (text, names) in _FAMILIES.items():
            metric = CounterMetricFamily(f"sentinel_ingest_{family}", text, labels=names)
            for labels, count in list(self._counts[family].items()):
                metric.add_metric(labels, count)
            yield metric

    def snapshot(self) -> dict[str, Any]:
        return {
            family: [[*labels, count] for labels, count in counts.items()]
            for family, counts in self._counts.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        for family, rows in state.items():
            for *labels, count in rows:
                self._counts[family][tuple(labels)] = count
