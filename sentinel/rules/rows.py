"""Which row of a detector's state each series has."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sentinel.detect.detector import Detector
from sentinel.model import Int64s
from sentinel.promql import Evaluator
from sentinel.rules.remembered import Remembered
from sentinel.store.label_pool import LabelPool
from sentinel.store.label_rows import LabelRows, carried, restored
from sentinel.store.pairs import Pairs

FORGET_MS: Final = 86_400_000
"""A series that has been away for a day starts its model anew, and its place is free."""
_SPARE: Final = 1 << 16
"""Label sets that may be left over before the pool is begun anew."""


class Rows:
    """Series by their label sets in a pool of its own: a series that is away for a while keeps its row."""

    def __init__(self, evaluator: Evaluator, detector: Detector) -> None:
        self._evaluator, self._detector = evaluator, detector
        self._recent = Remembered(evaluator, columns=1)
        self._pool = LabelPool(Pairs())
        self._row_of_set = np.empty(0, np.int64)
        """By id, -1: none."""
        self._set_of_row = np.empty(0, np.int64)
        """By row, -1: it is free."""
        self._seen_ms = np.empty(0, np.int64)

    def of(self, ids: Int64s, at_ms: int) -> Int64s:
        """The rows of these series at `at_ms`, given to those that have none."""
        self._forget_silent(at_ms)
        (rows,) = self._recent.find(ids)
        new = np.flatnonzero(rows < 0)
        if len(new):
            rows = rows.copy()
            sets = carried(self._evaluator.sets.pool, ids[new], self._pool)
            rows[new] = self._rows_of(self._pool.intern_rows(*sets))
        self._recent.keep(ids, rows)
        self._seen_ms[rows] = at_ms
        return rows

    def label_sets(self, rows: Int64s) -> Int64s:
        """The ids that the evaluator has for the label sets of rows in use."""
        return LabelRows.of(self._pool, self._set_of_row[rows]).into(self._evaluator.sets.pool)

    def snapshot(self) -> dict[str, Any]:
        taken = np.flatnonzero(self._set_of_row >= 0)
        inputs = LabelRows.of(self._pool, self._set_of_row[taken])
        return {"inputs": inputs.dump(), "rows": taken, "seen_ms": self._seen_ms.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        self._recent.clear()
        self._pool, self._seen_ms = LabelPool(Pairs()), state["seen_ms"].copy()
        self._set_of_row = np.full(len(self._seen_ms), -1, np.int64)
        self._set_of_row[state["rows"]] = restored(state["inputs"], self._pool)
        self._find_again()

    def _rows_of(self, sets: Int64s) -> Int64s:
        """Of label sets of the own pool."""
        if len(self._row_of_set) < len(self._pool):
            grown = np.full(len(self._pool) * 5 // 4 + 64, -1, np.int64)
            grown[: len(self._row_of_set)] = self._row_of_set
            self._row_of_set = grown
        new = sets[self._row_of_set[sets] < 0]
        if len(new):
            rows = self._free_rows(len(new))
            self._detector.reset(rows)
            self._row_of_set[new], self._set_of_row[rows] = rows, new
        found: Int64s = self._row_of_set[sets]
        return found

    def _free_rows(self, count: int) -> Int64s:
        known, free = len(self._set_of_row), np.flatnonzero(self._set_of_row < 0)
        if len(free) < count:
            size = max(known + count - len(free), 2 * known)
            self._set_of_row = np.concatenate([self._set_of_row, np.full(size - known, -1, np.int64)])
            self._seen_ms = np.concatenate([self._seen_ms, np.zeros(size - known, np.int64)])
            self._detector.resize(size)
            free = np.concatenate([free, np.arange(known, size)])
        return free[:count]

    def _forget_silent(self, at_ms: int) -> None:
        gone = np.flatnonzero((self._seen_ms < at_ms - FORGET_MS) & (self._set_of_row >= 0))
        if not len(gone):
            return
        self._recent.clear()
        self._row_of_set[self._set_of_row[gone]] = -1
        self._set_of_row[gone] = -1
        taken = np.flatnonzero(self._set_of_row >= 0)
        if len(self._pool) > 2 * (len(taken) + _SPARE):
            pool = LabelPool(Pairs())
            self._set_of_row[taken] = LabelRows.of(self._pool, self._set_of_row[taken]).into(pool)
            self._pool = pool
            self._find_again()

    def _find_again(self) -> None:
        """Fills `_row_of_set` from `_set_of_row`."""
        taken = np.flatnonzero(self._set_of_row >= 0)
        self._row_of_set = np.full(len(self._pool), -1, np.int64)
        self._row_of_set[self._set_of_row[taken]] = taken
