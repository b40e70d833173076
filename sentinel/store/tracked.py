"""Series that somebody keeps an eye on from one time to another, although their slots are used again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from sentinel.model import STALE, Bools, Int64s, Labels
from sentinel.store.label_rows import restored
from sentinel.store.store import Store

Dumped = dict[str, Any] | list[Labels]


class Tracked(msgspec.Struct, frozen=True, eq=False):
    """Slots, each once, and the serial numbers that tell reused ones apart."""

    slots: Int64s = np.empty(0, np.int64)
    serials: Int64s = np.empty(0, np.int64)

    @classmethod
    def of(cls, slots: Int64s, store: Store) -> Tracked:
        """Of slots in use; -1 is none."""
        known = slots if (slots >= 0).all() else slots[slots >= 0]
        return cls(known, store.serial[known])

    @classmethod
    def load(cls, series: Dumped, store: Store) -> Tracked:
        """Of a `dump`, what the store knows; earlier releases kept lists."""
        return cls.of(store.index.slots(restored(series, store.index.pool)), store)

    def __len__(self) -> int:
        return len(self.slots)

    def alive(self, store: Store) -> Bools:
        """Which of them the store still knows."""
        alive: Bools = store.serial[self.slots] == self.serials
        return alive

    def known(self, store: Store) -> Int64s:
        """The slots of those that the store still knows."""
        return self.slots[self.alive(store)]

    def dump(self, store: Store) -> dict[str, Any]:
        """The label sets of those that the store still knows, for a snapshot."""
        return store.index.rows(self.known(store)).dump()

    def without(self, others: Tracked, store: Store) -> Int64s:
        """The slots of those that are here, not among `others`, and still known to the store."""
        if np.array_equal(self.slots, others.slots):
            return np.empty(0, np.int64)
        mine = ~np.isin(self.serials, others.serials)
        return Tracked(self.slots[mine], self.serials[mine]).known(store)


def end(store: Store, slots: Int64s, at_ms: int, names: Iterable[str] | None = None) -> None:
    """These series, perhaps known to be of metrics of these names, yield nothing from `at_ms` on.

    A new sample ends that.
    """
    store.write(slots, np.full(len(slots), at_ms, np.int64), np.full(len(slots), STALE), 0, names)


def dump(groups: Iterable[Tracked], store: Store) -> tuple[dict[str, Any], list[int]]:
    """(the label sets of all that the store still knows, group after group; how many each group has)."""
    known = [np.empty(0, np.int64), *[group.known(store) for group in groups]]
    return store.index.rows(np.concatenate(known)).dump(), [len(slots) for slots in known[1:]]


def load(series: Dumped, counts: Iterable[int | list[Labels]], store: Store) -> list[Tracked]:
    """The groups of a `dump`, of what the store knows. Those of earlier releases are lists of label sets."""
    sizes = [each if isinstance(each, int) else len(each) for each in counts]
    slots = store.index.slots(restored(series, store.index.pool))
    ends = np.cumsum([0, *sizes]).tolist()
    return [Tracked.of(slots[first:last], store) for first, last in pairwise(ends)]
