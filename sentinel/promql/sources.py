"""From the store's slots to label-set ids, remembered between evaluations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from sentinel.model import Int64s
from sentinel.promql.labelsets import LabelSets, Memo
from sentinel.store.index import Selection
from sentinel.store.label_pool import Copies
from sentinel.store.store import Store

_SPARE_IDS: Final = 1 << 16
_MOST: Final = 1 << 27
"""Bytes that ad-hoc queries may leave behind: some million label sets."""
_SERIES_BYTES: Final = 1024
"""And so many more for each series alive."""
_MANY: Final = 1 << 12
"""So many series are read as memory lies, and sorted then; fewer in the order that is wanted."""


class Rows:
    """A selection's series in the order of fingerprints.

    Many are read in the order of slots, as memory lies: that is several times faster. What is kept of them
    are 32-bit numbers, for there may be a million.
    """

    def __init__(self, version: int, slots: Int64s, ids: Int64s) -> None:
        self.version, self.ids = version, ids
        self._few: Int64s | None = slots if len(slots) <= _MANY else None
        if self._few is None:
            order = np.argsort(slots)
            self._slots = slots[order].astype(np.int32)
            self._where = np.empty(len(slots), np.int32)
            self._where[order] = np.arange(len(slots), dtype=np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def slots(self) -> Int64s:
        """In the order in which to read them."""
        return self._slots.astype(np.int64) if self._few is None else self._few

    @property
    def where(self) -> Int64s | None:
        """By row, its place in `slots`; None: they are in order."""
        return self._where.astype(np.int64) if self._few is None else None


class Sources:
    """The label sets of a store's series in an evaluator's own pool."""

    def __init__(self, store: Store, sets: LabelSets) -> None:
        self._store, self._sets = store, sets
        self._resolved: WeakKeyDictionary[Selection, Rows] = WeakKeyDictionary()
        self._fine = _SPARE_IDS
        """So many label sets were not too many when they were last compared with the series alive."""
        self._follow()

    def _follow(self) -> None:
        """The store may have made a new pool of what lives; ids of ours stay what they are."""
        self._copies = Copies(self._store.index.pool, self._sets.pool)
        self._id_of_set = Memo(self._sets, self._copies)

    def __len__(self) -> int:
        """How many rows the selections in use have together."""
        return sum(map(len, self._resolved.values()))

    def outgrown(self, *, forgetful: bool) -> bool:
        """Whether far more is remembered than the series alive are worth.

        A series alive has its own id and at most one for each memoised change of labels. Who is forgetful
        has no claim to changes: those of ad-hoc queries need not come again.
        """
        if forgetful:
            allowed = _MOST + _SERIES_BYTES * len(self._store.index)
            return self._sets.nbytes + 16 * len(self) > allowed
        if len(self._sets) <= self._fine:
            return False
        wanted = len(self) * (1 + self._sets.transforms())
        self._fine = 2 * wanted + _SPARE_IDS
        return len(self._sets) > self._fine

    def look_ahead(self, selections: Iterable[Selection]) -> None:
        """Series that are new to selections in use get their ids now: the next query need not wait."""
        for selection in selections:
            if selection in self._resolved and self._copies.source is self._store.index.pool:
                for slots in selection.unsorted():
                    self._id_of_set.look_up(self._store.index.set_of_slot[slots].astype(np.int64))

    def resolve(self, selection: Selection) -> Rows:
        """The rows of a selection: the same object until the selection changes."""
        known = self._resolved.get(selection)
        if known is None or known.version != selection.version:
            slots = selection.slots()
            if self._copies.source is not self._store.index.pool:
                self._follow()
            ids = self._id_of_set.look_up(self._store.index.set_of_slot[slots].astype(np.int64))
            known = self._resolved[selection] = Rows(selection.version, slots, ids)
        return known
