"""Writing a rule's result as series: labels to slots once, then columns; staleness for what vanished."""

from __future__ import annotations

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
        self._written: set[Labels] = set()
        self._labels_of: dict[int, Labels] = {}
        self._generation = evaluator.generation

    def write(self, ids: Int64s, values: Floats, at_ms: int, source_mask: int) -> None:
        """One sample per id at `at_ms`; series of the last write that are not in this one end.

        Raises:
            RuleError: two results have the same labels once the rule's labels are laid over.
        """
        labels = [self._final(id) for id in ids.tolist()]
        if len(set(labels)) != len(labels):
            raise RuleError("vector contains metrics with the same labelset after applying rule labels")
        self._store.end(self._written - set(labels), at_ms)
        self._written = set(labels)
        rows = np.array([self._store.slot(each) for each in labels], np.int64)
        self._store.write(
            rows, np.full(len(rows), at_ms, np.int64), np.ascontiguousarray(values), source_mask
        )

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
