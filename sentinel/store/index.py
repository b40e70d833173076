"""Which series exist, and which of them a selector means.

A `Selection` is resolved once and then follows new and vanished series by itself, so evaluating a rule never
searches. Its order is that of fingerprints: slot numbers must not leak into results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from sentinel.model import Bools, Int64s, Labels, Matcher, UInt8s, UInt64s
from sentinel.store.label_columns import LabelColumns

UNASKED = -1
"""How far back a series is read that nobody reads: only its newest sample stays."""


class Demand(msgspec.Struct, frozen=True):
    """Somebody reads these series, up to `keep_ms` back; 0: only the newest sample at any time."""

    matchers: tuple[Matcher, ...]
    keep_ms: int


class Selection:
    """The slots that a selector's matchers mean. `version` changes whenever `slots()` does."""

    def __init__(self, matchers: tuple[Matcher, ...], index: SeriesIndex) -> None:
        self.matchers = matchers
        self.version = 0
        self.keep_ms = UNASKED
        """How far back somebody reads its series."""
        self.name = selected_name(matchers)
        self._index = index
        self._sorted: Int64s = np.empty(0, np.int64)
        self._new: list[int] = []
        """Slots that are not sorted in yet."""
        self.checks = tuple(m for m in matchers if not self.name or m != Matcher("__name__", "=", self.name))
        """What is to be asked of a series that has the right name."""

    def slots(self) -> Int64s:
        """Slots ordered by (fingerprint, labels); not to be written to."""
        if self._new:
            members = np.concatenate([self._sorted, np.array(self._new, np.int64)])
            self._new = []
            fingerprints = self._index.fingerprints(members)
            order = np.argsort(fingerprints)
            ordered = fingerprints[order]
            self._sorted = members[order]
            if (ordered[1:] == ordered[:-1]).any():
                labels = self._index.labels
                pairs = zip(ordered.tolist(), self._sorted.tolist(), strict=True)
                by_labels = sorted(pairs, key=lambda pair: (pair[0], labels[pair[1]].pairs))
                self._sorted = np.array([slot for _, slot in by_labels], np.int64)
        return self._sorted

    def offer(self, slot: int, labels: Labels) -> bool:
        """A series of the right name; whether it is meant."""
        for matcher in self.checks:
            if not matcher.matches(labels.get(matcher.name)):
                return False
        self._new.append(slot)
        self.version += 1
        return True

    def begin(self, slots: Int64s) -> None:
        """The series that are meant already."""
        self._new += slots.tolist()
        self.version += 1

    def withdraw(self, gone: Bools) -> None:
        """By slot, which series are gone."""
        slots = self.slots()
        kept = ~gone[slots]
        if not kept.all():
            self._sorted = slots[kept]
            self.version += 1


_NOBODY = Labels()
_Pair = tuple[str, str, str]
"""Metric name, label, value; the label is "" where only the name counts."""


class SeriesIndex:
    """Label sets and their slots. Slots are used again; `serial` numbers are not."""

    def __init__(self) -> None:
        self.labels: list[Labels] = []
        """By slot; a freed slot holds an empty label set."""
        self._slot_of: dict[Labels, int] = {}
        self._free: list[int] = []
        self._slots_of_name: dict[str, Int64s] = {}
        """Of names whose series have not changed since somebody asked."""
        self._columns = LabelColumns(self.labels)
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        """Each pair once: series have most of theirs in common."""
        self._removed = 0
        self._selections: dict[tuple[Matcher, ...], Selection] = {}
        self._waiting: dict[_Pair, list[Selection]] = {}
        """Selections by the one thing that a new series must have to be meant."""
        self._fingerprints: UInt64s = np.zeros(256, np.uint64)
        self._fingerprinted: Bools = np.zeros(256, np.bool_)

    def __len__(self) -> int:
        return len(self._slot_of)

    def find(self, labels: Labels) -> int:
        """The slot of a series, or -1."""
        return self._slot_of.get(labels, -1)

    def live(self) -> list[int]:
        return list(self._slot_of.values())

    def add(self, labels: Labels) -> tuple[int, int]:
        """(slot, how far back somebody reads it) of a series not known yet."""
        labels.share(self._pairs)
        if self._free:
            slot = self._free.pop()
            self.labels[slot] = labels
            self._fingerprinted[slot] = False
        else:
            slot = len(self.labels)
            self.labels.append(labels)
        self._slot_of[labels] = slot
        name = labels.name
        self._slots_of_name.pop(name, None)
        self._columns.put(slot, labels)
        keep_ms = UNASKED
        for selection in self._waiting_for(name, labels):
            if selection.offer(slot, labels) and selection.keep_ms > keep_ms:
                keep_ms = selection.keep_ms
        return slot, keep_ms

    def _waiting_for(self, name: str, labels: Labels) -> Iterator[Selection]:
        waiting = self._waiting
        for wanted in {name: None, "": None}:  # a series without a name is asked about once
            yield from waiting.get((wanted, "", ""), ())
            for label, value in labels.pairs:
                yield from waiting.get((wanted, label, value), ())

    def fingerprints(self, slots: Int64s) -> UInt64s:
        """Of series that are here; each computed once, many at a time."""
        room = len(self._fingerprints)
        if room < len(self.labels):
            grown = np.zeros(2 * len(self.labels), np.uint64)
            grown[:room] = self._fingerprints
            self._fingerprinted = np.concatenate([self._fingerprinted, np.zeros(len(grown) - room, np.bool_)])
            self._fingerprints = grown
        new = slots[~self._fingerprinted[slots]]
        if len(new):
            self._fingerprints[new] = fingerprints([self.labels[slot] for slot in new.tolist()])
            self._fingerprinted[new] = True
        found: UInt64s = self._fingerprints[slots]
        return found

    def remove(self, slots: Iterable[int]) -> None:
        gone = np.zeros(len(self.labels), np.bool_)
        removed = sorted(set(slots), reverse=True)
        gone[removed] = True
        for selection in self._selections.values():
            selection.withdraw(gone)
        for slot in removed:
            labels = self.labels[slot]
            del self._slot_of[labels]
            self._slots_of_name.pop(labels.name, None)
            self.labels[slot] = _NOBODY
            self._columns.put(slot, _NOBODY)
            self._free.append(slot)
        self._removed += len(removed)
        if self._removed > len(self) + 1024:
            self._removed = 0
            self._pairs = {pair: pair for labels in self._slot_of for pair in labels.pairs}

    def selection(self, matchers: tuple[Matcher, ...]) -> Selection:
        """The (shared) selection of these matchers."""
        known = self._selections.get(matchers)
        if known is None:
            known = self._selections[matchers] = Selection(matchers, self)
            self._wait(known)
            known.begin(self._columns.matching(known.checks, self._named(known.name)))
        return known

    def keep_only(self, wanted: set[tuple[Matcher, ...]]) -> None:
        """Forget selections that nobody asks for any more (after a reload)."""
        self._selections = {m: s for m, s in self._selections.items() if m in wanted}
        self._waiting, self._slots_of_name = {}, {}
        for selection in self._selections.values():
            self._wait(selection)

    def _wait(self, selection: Selection) -> None:
        """Where few others wait: of a thousand rules over one metric a new series asks only some."""
        pairs = [(m.name, m.value) for m in selection.checks if m.op == "=" and m.value]
        places: list[_Pair] = [(selection.name, *pair) for pair in pairs] or [(selection.name, "", "")]
        place = min(places, key=lambda place: len(self._waiting.get(place, ())))
        self._waiting.setdefault(place, []).append(selection)

    def _named(self, name: str) -> Int64s:
        """The slots of a metric name; of "" all."""
        if not name:
            return np.array(self.live(), np.int64)
        found = self._slots_of_name.get(name)
        if found is None:
            found = self._columns.matching([Matcher("__name__", "=", name)], np.arange(len(self.labels)))
            self._slots_of_name[name] = found
        return found


def selected_name(matchers: tuple[Matcher, ...]) -> str:
    """The one metric name that these matchers can mean, or "" for any."""
    for matcher in matchers:
        if matcher.name == "__name__" and matcher.op == "=":
            return matcher.value
    return ""


def fingerprints(series: Sequence[Labels]) -> UInt64s:
    """`Labels.fingerprint` of many label sets."""
    from sentinel.store import (
        _lookup_kernels as kernels,  # planning a query imports this module, and no numba
    )

    text, ends = spelled(series)
    out = np.empty(len(ends), np.uint64)
    kernels.fingerprints(text, ends, out)
    return out


def spelled(series: Iterable[Labels]) -> tuple[UInt8s, Int64s]:
    """Label sets as kernels read them: `name 0xFF value 0xFF` of each pair, and where each set ends."""
    texts = [
        b"".join([b"%b\xff%b\xff" % (name.encode(), value.encode()) for name, value in labels.pairs])
        for labels in series
    ]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return np.frombuffer(bytearray().join(texts), np.uint8), ends
