"""What is known of the label sets of a rule's last result: the next one has the same, but for a few."""

from __future__ import annotations

import numpy as np

from sentinel.model import Int64s
from sentinel.promql import Evaluator


class Remembered:
    """Columns of numbers (slots, rows of a state) by the label sets of one result.

    No more is kept than that: a rule that yields ten series must not hold an array over all ids there are.
    """

    def __init__(self, evaluator: Evaluator, columns: int) -> None:
        self._evaluator = evaluator
        self._columns = [np.empty(0, np.int64)] * columns
        self.clear()

    def clear(self) -> None:
        self.keep(np.empty(0, np.int64), *[np.empty(0, np.int64)] * len(self._columns))

    def keep(self, ids: Int64s, *columns: Int64s) -> None:
        """Remembers this instead. Ids are distinct, and like the columns not written to any more."""
        self._ids, self._columns = ids, list(columns)
        self._generation = self._evaluator.generation

    def find(self, ids: Int64s) -> list[Int64s]:
        """What the columns hold for each label set, -1 for one that is not remembered."""
        if self._generation != self._evaluator.generation or not len(self._ids):
            return [np.full(len(ids), -1, np.int64) for _ in self._columns]
        if ids is self._ids or np.array_equal(ids, self._ids):
            return self._columns
        place = self._evaluator.sets.scratch()
        place[self._ids] = np.arange(len(self._ids))
        rows = np.clip(place[ids], 0, len(self._ids) - 1)  # of others it holds anything
        new = self._ids[rows] != ids
        return [np.where(new, -1, column[rows]) for column in self._columns]
