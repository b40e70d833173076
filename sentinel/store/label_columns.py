"""Label values as columns of numbers, so that a new selector finds its series without looking at each.

A column is made when the first matcher asks for its label, and follows new series from then on. Queries may
ask for any label, so only those asked for last are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sentinel.model import Bools, Int32s, Int64s, Labels, Matcher

MOST_COLUMNS: Final = 16
"""A million series take 4 MB in each."""


class _Column:
    """By slot, the number of the value that the series there has for one label; absent is the value ""."""

    def __init__(self) -> None:
        self.number_of: dict[str, int] = {}
        self.values: list[str] = []
        self.numbers: Int32s = np.zeros(0, np.int32)

    def fill(self, texts: list[str]) -> None:
        self.numbers = np.array([self._number(text) for text in texts], np.int32)

    def put(self, slot: int, text: str) -> None:
        if slot >= len(self.numbers):
            grown = np.zeros(2 * slot + 64, np.int32)
            grown[: len(self.numbers)] = self.numbers
            self.numbers = grown
        self.numbers[slot] = self._number(text)

    def holds(self, matcher: Matcher, slots: Int64s) -> Bools:
        """By row, whether the value there is meant."""
        found = self.numbers[slots]
        if matcher.op in ("=", "!="):
            wanted = self.number_of.get(matcher.value, -1)
            same: Bools = found == wanted
            return same if matcher.op == "=" else ~same
        meant: Bools = np.array([matcher.matches(value) for value in self.values], np.bool_)
        return meant[found]

    def _number(self, text: str) -> int:
        number = self.number_of.setdefault(text, len(self.values))
        if number == len(self.values):
            self.values.append(text)
        return number


class LabelColumns:
    """The columns asked for last, of label sets by slot."""

    def __init__(self, labels: Sequence[Labels]) -> None:
        self._labels = labels
        self._columns: dict[str, _Column] = {}

    def put(self, slot: int, labels: Labels) -> None:
        """A series came to this slot."""
        for name, column in self._columns.items():
            column.put(slot, labels.get(name))

    def matching(self, matchers: Sequence[Matcher], slots: Int64s) -> Int64s:
        """Those of the slots whose series all matchers mean."""
        for matcher in matchers:
            if not len(slots):
                break
            slots = slots[self._column(matcher.name).holds(matcher, slots)]
        return slots

    def _column(self, name: str) -> _Column:
        column = self._columns.pop(name, None)
        if column is None or len(column.values) > 2 * len(self._labels) + 64:  # most values are gone by now
            column = _Column()
            column.fill([labels.get(name) for labels in self._labels])
        self._columns[name] = column  # behind those that were asked for before
        if len(self._columns) > MOST_COLUMNS:
            del self._columns[next(iter(self._columns))]
        return column
