"""Writing a rule's result as series: labels to slots once, then columns; staleness for what vanished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sentinel.errors import RuleError
from sentinel.model import Floats, Int64s, Labels
from sentinel.promql import Evaluator
from sentinel.store.store import Store


class SeriesWriter:
    """Writes `name{result labels + rule labels}` for label set ids of an evaluator."""

    def __init__(self, store: Store, evaluator: Evaluator, name: str, labels: dict[str, str]) -> None:
        self._store, self._evaluator = store, evaluator
        self._overlay = {**labels, "__name__": name}
        self._names = (name,)
        self._written: set[Labels] = set()
        self._labels_of: dict[int, Labels] = {}
        self._generation = evaluator.generation

    def series(self, ids: Int64s) -> list[Labels]:
        """The series that results become, row by row. Nothing is written yet.

        Raises:
            RuleError: two results have the same labels once the rule's labels are laid over.
        """
        labels = [self._final(id) for id in ids.tolist()]
        if len(set(labels)) != len(labels):
            raise RuleError("vector contains metrics with the same labelset after applying rule labels")
        return labels

    def write(self, series: Sequence[Labels], values: Floats, at_ms: int, source_mask: int) -> None:
        """One sample each at `at_ms`; series of the last write that are not in this one end."""
        end_series(self._store, self._written.difference(series), at_ms, self._names)
        self._written = set(series)
        rows = np.array(self._store.slots(series), np.int64)
        times = np.full(len(rows), at_ms, np.int64)
        self._store.write(rows, times, np.ascontiguousarray(values), source_mask, self._names)

    def snapshot(self) -> list[Labels]:
        return sorted(self._written)

    def restore(self, written: list[Labels]) -> None:
        self._written = set(written)

    def _final(self, id: int) -> Labels:
        if self._generation != self._evaluator.generation:
            self._generation = self._evaluator.generation
            self._labels_of = {}
        labels = self._labels_of.get(id)
        if labels is None:
            labels = self._labels_of[id] = self._evaluator.labels(id).with_(self._overlay)
        return labels


def end_series(store: Store, series: Iterable[Labels], at_ms: int, names: Sequence[str]) -> None:
    """These series, of metrics of these names, are over, but those that another rule has just written to."""
    found = {labels: store.find(labels) for labels in series}
    if found:
        slots = np.array(list(found.values()), np.int64)
        known = slots >= 0
        fresh = np.zeros(len(slots), np.bool_)
        fresh[known] = store.latest(slots[known], at_ms, 1)[0]
        store.end([labels for labels, still in zip(found, fresh, strict=True) if not still], at_ms, names)
