"""From the store's slots to label-set ids, remembered between evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from sentinel.model import Int64s
from sentinel.promql.labelsets import AT_ONCE, WORTH, LabelSets
from sentinel.store.index import Selection
from sentinel.store.store import Store

_SPARE_IDS: Final = 1 << 16
_MOST: Final = 1 << 24
"""Numbers that ad-hoc queries may leave behind: some 250,000 label sets."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A selection's series. Reading them as memory lies is several times faster than by fingerprint."""

    version: int
    slots: Int64s
    """Ascending."""
    where: Int64s
    """By row in fingerprint order, its place in `slots`."""
    ids: Int64s
    """By row in fingerprint order, its label set."""
    ordered: Int64s
    """The slots in fingerprint order."""


class Sources:
    """Slots are used again for other series; their serial numbers tell in one vectorised compare."""

    def __init__(self, store: Store, sets: LabelSets) -> None:
        self._store, self._sets = store, sets
        self._id_of_slot = np.empty(0, np.int64)
        self._serial_of_slot = np.empty(0, np.int64)
        self._resolved: WeakKeyDictionary[Selection, Rows] = WeakKeyDictionary()

    def __len__(self) -> int:
        """How many rows the selections in use have together."""
        return sum(len(rows.slots) for rows in self._resolved.values())

    def outgrown(self, *, forgetful: bool) -> bool:
        """Whether far more is remembered than the series alive are worth.

        A series alive has its own id and at most one for each memoised change of labels. Who is forgetful
        has no claim to changes: those of ad-hoc queries need not come again.
        """
        if forgetful:
            return self._sets.size() + 6 * len(self) > _MOST + 4 * WORTH * len(self._store.index)
        wanted = len(self) * (1 + self._sets.transforms())
        return len(self._sets) > 2 * wanted + _SPARE_IDS

    def resolve(self, selection: Selection) -> Rows:
        """The rows of a selection: the same object until the selection changes."""
        known = self._resolved.get(selection)
        if known is None or known.version != selection.version:
            slots = selection.slots()
            order = np.argsort(slots)
            where = np.empty(len(slots), np.int64)
            where[order] = np.arange(len(slots))
            known = Rows(selection.version, slots[order], where, self._ids(slots), slots)
            self._resolved[selection] = known
        return known

    def _ids(self, slots: Int64s) -> Int64s:
        serial = self._store.serial
        if len(self._id_of_slot) < len(serial):
            self._id_of_slot = _grown(self._id_of_slot, len(serial))
            self._serial_of_slot = _grown(self._serial_of_slot, len(serial))
        new = slots[self._serial_of_slot[slots] != serial[slots]]
        for first in range(0, len(new), AT_ONCE):
            self._sets.hurry()
            some = new[first : first + AT_ONCE]
            self._id_of_slot[some] = [self._sets.intern(self._store.labels(slot)) for slot in some.tolist()]
            self._serial_of_slot[some] = serial[some]
        ids: Int64s = self._id_of_slot[slots]
        return ids


def _grown(column: Int64s, size: int) -> Int64s:
    grown = np.full(size, -1, np.int64)
    grown[: len(column)] = column
    return grown
