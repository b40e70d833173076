"""Which series exist, and which of them a selector means.

A series is a label set of a pool that has a slot. A `Selection` is resolved once and then follows new and
vanished series by itself, so evaluating a rule never searches. Its order is that of fingerprints: slot
numbers must not leak into results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import numpy as np

from sentinel.model import Bools, Int32s, Int64s, Labels, Matcher, UInt64s
from sentinel.store.label_pool import LabelPool
from sentinel.store.label_rows import LabelRows
from sentinel.store.pairs import Pairs
from sentinel.store.renewal import Renewal
from sentinel.store.waiting import Waiting, Wanted

UNASKED: Final = -1
"""How far back a series is read that nobody reads: only its newest sample stays."""
_SPARE: Final = 1 << 16
"""Label sets and pairs that may be left over before the pool is begun anew."""
_MOST_RECENT: Final = 1 << 16
_MOST_WAITING: Final = 4
"""Groups of selections that wait for new series; with more they become one."""


class Demand(msgspec.Struct, frozen=True):
    """Somebody reads these series, up to `keep_ms` back; 0: only the newest sample at any time."""

    matchers: tuple[Matcher, ...]
    keep_ms: int


class Selection:
    """The slots that a selector's matchers mean. `version` changes whenever `slots()` does."""

    def __init__(self, matchers: tuple[Matcher, ...], index: SeriesIndex) -> None:
        self.matchers = matchers
        self.wanted = Wanted(matchers, index.pool.pairs)
        self.version = 0
        self.keep_ms = UNASKED
        """How far back somebody reads its series."""
        self._index = index
        self._sorted: Int64s = np.empty(0, np.int64)
        self._prints: UInt64s | None = None
        """The fingerprints of these, while new series come."""
        self._rested = -1
        self._new: list[Int64s] = []
        """Slots that are not sorted in yet."""
        self._unseen: list[Int64s] = []
        self._fed_by = (-1, 0)

    def fed_by(self, sources: Int64s, version: int) -> int:
        """The sources that feed its series, as bits; `sources` are those by slot, as of `version`.

        While the version is the same, only series that are new are looked at.
        """
        self._index.resolve()
        if self._fed_by[0] != version:
            self._fed_by, self._unseen = (version, 0), [self.slots()]
        if self._unseen:
            mask = self._fed_by[1]
            for slots in self._unseen:
                mask |= int(np.bitwise_or.reduce(sources[slots]))
            self._fed_by, self._unseen = (version, mask), []
        return self._fed_by[1]

    def slots(self) -> Int64s:
        """Slots ordered by (fingerprint, labels); not to be written to."""
        self._index.resolve()
        if self._new:
            self._sort_in(np.concatenate(self._new))
            self._new = []
        return self._sorted

    def _sort_in(self, new: Int64s) -> None:
        """Two runs in order are merged several times faster than all is sorted."""
        if self._prints is None:
            self._prints = self._index.fingerprints(self._sorted)
        prints = self._index.fingerprints(new)
        order = np.argsort(prints)
        prints = np.concatenate([self._prints, prints[order]])
        members = np.concatenate([self._sorted, new[order]])
        order = np.argsort(prints, kind="stable")
        self._prints, self._sorted = prints[order], members[order]
        tied = np.flatnonzero(self._prints[1:] == self._prints[:-1])
        for run in np.split(tied, np.flatnonzero(np.diff(tied) > 1) + 1) if len(tied) else ():
            place = slice(int(run[0]), int(run[-1]) + 2)
            self._sorted[place] = sorted(self._sorted[place].tolist(), key=self._index.labels)

    def unsorted(self) -> list[Int64s]:
        """Slots that came since `slots()` was asked for."""
        return self._new

    def rest(self) -> None:
        """Keeps nothing for the next new series if none came since this was called last."""
        if self._rested == self.version:
            self._prints = None
        self._rested = self.version

    def take(self, slots: Int64s) -> None:
        """More series are meant."""
        if len(slots):
            self._unseen.append(slots)
            self._index.fingerprints(slots)  # computed now, or whoever asks next waits for all of them
            self._new.append(slots)
            self.version = self._index.version = self._index.version + 1

    def withdraw(self, gone: Bools) -> None:
        """By slot, which series are gone."""
        slots = self.slots()
        kept = ~gone[slots]
        if not kept.all():
            self._sorted, self._prints = slots[kept], None
            self._fed_by = (-1, 0)
            self.version = self._index.version = self._index.version + 1


class SeriesIndex:
    """Label sets and their slots. Slots are used again; `serial` numbers are not."""

    def __init__(self) -> None:
        self.pool = LabelPool(Pairs())
        """Replaced, with its pairs, by `tidy`."""
        self.renewal: Renewal | None = None
        """What is to replace it."""
        self.set_of_slot: Int32s = np.full(256, -1, np.int32)
        """By slot the id of its label set, -1: free."""
        self.slot_of_set: Int32s = np.full(256, -1, np.int32)
        """By id, -1: no such series."""
        self._used = 0
        """No slot from here on has been used yet."""
        self._free: Int64s = np.empty(0, np.int64)
        self._recent: dict[Labels, int] = {}
        self._kept_pairs = 0
        self._selections: dict[tuple[Matcher, ...], Selection] = {}
        self.version = 0
        """Changes whenever any selection's does."""
        self._unresolved: list[Selection] = []
        self._waiting: list[Waiting[Selection]] = []

    def __len__(self) -> int:
        return self._used - len(self._free)

    def labels(self, slot: int) -> Labels:
        """Of a slot that is in use; made anew each time."""
        return self.pool[int(self.set_of_slot[slot])]

    def live(self) -> Int64s:
        """The slots in use."""
        return np.flatnonzero(self.set_of_slot >= 0)

    def find(self, series: Iterable[Labels]) -> Int64s:
        """The slots of series, -1 where there is none."""
        return self.slots(self.pool.find_all(series))

    def ids(self, series: Iterable[Labels]) -> Int64s:
        """The ids of label sets, new or not; quick for those that come again and again."""
        series = list(series)
        known = self._recent
        new = [labels for labels in series if labels not in known]
        if new:
            if len(known) + len(new) > _MOST_RECENT:
                known.clear()
                new = series
            known.update(zip(new, self.pool.intern_all(new).tolist(), strict=True))
        return np.fromiter(map(known.__getitem__, series), np.int64, len(series))

    def fingerprints(self, slots: Int64s) -> UInt64s:
        return self.pool.fingerprints(self._ids_at(slots))

    def rows(self, slots: Int64s) -> LabelRows:
        """The label sets of these slots, apart from the pool."""
        return LabelRows.of(self.pool, self._ids_at(slots))

    def slots(self, ids: Int64s) -> Int64s:
        """The slot of each label set, -1: no such series (or no such set, id -1)."""
        from sentinel.store import _lookup_kernels as kernels  # who only plans queries needs no numba

        self.slot_of_set = _grown(self.slot_of_set, len(self.pool))
        found = np.empty(len(ids), np.int64)
        kernels.follow(self.slot_of_set, ids, found)
        return found

    def add(self, ids: Int64s) -> tuple[Int64s, Int64s]:
        """Makes series of those of these sets that are none: (slots, how far back somebody reads each)."""
        from sentinel.store import _lookup_kernels as kernels  # who only plans queries needs no numba

        self.slot_of_set = _grown(self.slot_of_set, len(self.pool))
        self.set_of_slot = _grown(self.set_of_slot, self._used + len(ids))
        slots = np.empty(len(ids), np.int64)
        count = kernels.settle(self.slot_of_set, self.set_of_slot, ids, self._free, self._used, slots)
        slots = slots[:count]
        again = min(count, len(self._free))
        self._free = self._free[: len(self._free) - again]
        self._used += count - again
        keep_ms = np.full(count, UNASKED, np.int64)
        if count:
            for selection, rows in self._meant(self._ids_at(slots)):
                selection.take(slots[rows])
                keep_ms[rows] = np.maximum(keep_ms[rows], selection.keep_ms)
        return slots, keep_ms

    def remove(self, slots: Int64s) -> None:
        """Each slot once."""
        ids = self._ids_at(slots)
        gone: Bools = np.zeros(self._used, np.bool_)
        gone[slots] = True
        for selection in {selection for selection, _ in self._meant(ids)}:
            selection.withdraw(gone)
        self.set_of_slot[slots], self.slot_of_set[ids] = -1, -1
        self._free = np.concatenate([self._free, slots])

    def tidy(self) -> Int64s | None:
        """Begins the pool anew if most of it is of no use; once done, new ids by the old ones (-1: gone).

        While `renewal` is there it is to be asked again, now and then: each time does a part of it.
        """
        if self.renewal is None and self._is_wasteful():
            self.renewal = Renewal(self.pool)
        if self.renewal is None or not self.renewal.go_on(lambda: self._ids_at(self.live())):
            return None
        self.resolve()  # in terms of the old one
        renamed = self.renewal.renamed()
        self.pool, self.renewal = self.renewal.pool, None
        self._kept_pairs = len(self.pool.pairs)
        slots = self.live()
        new_ids = renamed[self.set_of_slot[slots]]
        self.set_of_slot[slots] = new_ids
        self.slot_of_set = np.full(len(self.pool), -1, np.int32)
        self.slot_of_set[new_ids] = slots
        self._recent = {}
        for selection in self._selections.values():
            selection.wanted = Wanted(selection.matchers, self.pool.pairs)
        self._wait()
        return renamed

    def _is_wasteful(self) -> bool:
        sets, pairs = len(self.pool), len(self.pool.pairs)
        return sets > 2 * (len(self) + _SPARE) or pairs > 2 * (self._kept_pairs + len(self) + _SPARE)

    def selection(self, matchers: tuple[Matcher, ...]) -> Selection:
        """The (shared) selection of these matchers."""
        known = self._selections.get(matchers)
        if known is None:
            known = self._selections[matchers] = Selection(matchers, self)
            self._unresolved.append(known)
        return known

    def resolve(self) -> None:
        """Finds the series of all selections made since: many in one pass."""
        new, self._unresolved = self._unresolved, []
        if new:
            self._waiting.append(Waiting(new))
            slots = self.live()
            for selection, rows in self._waiting[-1].meant(self.pool, self._ids_at(slots)):
                selection.take(slots[rows])
            if len(self._waiting) > _MOST_WAITING:
                self._wait()

    def keep_only(self, wanted: set[tuple[Matcher, ...]]) -> None:
        """Forget selections that nobody asks for any more (after a reload)."""
        self.resolve()
        self._selections = {m: s for m, s in self._selections.items() if m in wanted}
        for selection in self._selections.values():
            selection.rest()
        self._wait()

    def _ids_at(self, slots: Int64s) -> Int64s:
        return self.set_of_slot[slots].astype(np.int64)

    def _wait(self) -> None:
        self._waiting = [Waiting(list(self._selections.values()))]

    def _meant(self, ids: Int64s) -> Iterator[tuple[Selection, Int64s]]:
        """(a selection, the places in `ids` of label sets that it means)."""
        for waiting in self._waiting:
            yield from waiting.meant(self.pool, ids)


def selected_name(matchers: tuple[Matcher, ...]) -> str:
    """The one metric name that these matchers can mean, or "" for any."""
    for matcher in matchers:
        if matcher.name == "__name__" and matcher.op == "=":
            return matcher.value
    return ""


def _grown(column: Int32s, size: int) -> Int32s:
    if size <= len(column):
        return column
    grown = np.full(size + size // 4, -1, np.int32)
    grown[: len(column)] = column
    return grown
