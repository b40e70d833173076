"""Which series exist, and which of them a selector means.

A `Selection` is resolved once and then follows new and vanished series by itself, so evaluating a rule never
searches. Its order is that of fingerprints: slot numbers must not leak into results.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from sentinel.model import Int64s, Labels, Matcher


class Demand(msgspec.Struct, frozen=True):
    """Somebody reads these series, up to `keep_ms` back; 0: only the newest sample at any time."""

    matchers: tuple[Matcher, ...]
    keep_ms: int


class Selection:
    """The slots that a selector's matchers mean. `version` changes whenever `slots()` does."""

    def __init__(self, matchers: tuple[Matcher, ...], index: SeriesIndex) -> None:
        self.matchers = matchers
        self.version = 0
        self._index = index
        self._members: set[int] = set()
        self._sorted: Int64s | None = None

    def slots(self) -> Int64s:
        """Slots ordered by (fingerprint, labels); not to be written to."""
        if self._sorted is None:
            labels = self._index.labels
            order = sorted(self._members, key=lambda slot: (labels[slot].fingerprint, labels[slot].pairs))
            self._sorted = np.array(order, np.int64)
        return self._sorted

    def offer(self, slot: int, labels: Labels) -> None:
        if matches(self.matchers, labels):
            self._members.add(slot)
            self._changed()

    def withdraw(self, slots: set[int]) -> None:
        if not self._members.isdisjoint(slots):
            self._members -= slots
            self._changed()

    def _changed(self) -> None:
        self.version += 1
        self._sorted = None


_NOBODY = Labels()


class SeriesIndex:
    """Label sets and their slots. Slots are used again; `serial` numbers are not."""

    def __init__(self) -> None:
        self.labels: list[Labels] = []
        """By slot; a freed slot holds an empty label set."""
        self._slot_of: dict[Labels, int] = {}
        self._free: list[int] = []
        self._by_name: dict[str, set[int]] = {}
        self._selections: dict[tuple[Matcher, ...], Selection] = {}
        self._by_selected_name: dict[str, list[Selection]] = {}

    def __len__(self) -> int:
        return len(self._slot_of)

    def find(self, labels: Labels) -> int:
        """The slot of a series, or -1."""
        return self._slot_of.get(labels, -1)

    def live(self) -> list[int]:
        return list(self._slot_of.values())

    def add(self, labels: Labels) -> int:
        """A slot for a series not known yet."""
        if self._free:
            slot = self._free.pop()
            self.labels[slot] = labels
        else:
            slot = len(self.labels)
            self.labels.append(labels)
        self._slot_of[labels] = slot
        self._by_name.setdefault(labels.name, set()).add(slot)
        for selection in self._interested(labels.name):
            selection.offer(slot, labels)
        return slot

    def remove(self, slots: Iterable[int]) -> None:
        gone = set(slots)
        for slot in sorted(gone, reverse=True):
            labels = self.labels[slot]
            del self._slot_of[labels]
            same_name = self._by_name[labels.name]
            same_name.discard(slot)
            if not same_name:
                del self._by_name[labels.name]
            self.labels[slot] = _NOBODY
            self._free.append(slot)
        for selection in self._selections.values():
            selection.withdraw(gone)

    def selection(self, matchers: tuple[Matcher, ...]) -> Selection:
        """The (shared) selection of these matchers."""
        known = self._selections.get(matchers)
        if known is None:
            known = self._selections[matchers] = Selection(matchers, self)
            self._by_selected_name.setdefault(selected_name(matchers), []).append(known)
            for slot in self._candidates(matchers):
                known.offer(slot, self.labels[slot])
        return known

    def keep_only(self, wanted: set[tuple[Matcher, ...]]) -> None:
        """Forget selections that nobody asks for any more (after a reload)."""
        self._selections = {m: s for m, s in self._selections.items() if m in wanted}
        self._by_selected_name = {}
        for matchers, selection in self._selections.items():
            self._by_selected_name.setdefault(selected_name(matchers), []).append(selection)

    def _candidates(self, matchers: tuple[Matcher, ...]) -> Iterable[int]:
        name = selected_name(matchers)
        return self._by_name.get(name, ()) if name else self._slot_of.values()

    def _interested(self, name: str) -> Iterable[Selection]:
        yield from self._by_selected_name.get(name, ())
        yield from self._by_selected_name.get("", ())


def selected_name(matchers: tuple[Matcher, ...]) -> str:
    """The one metric name that these matchers can mean, or "" for any."""
    for matcher in matchers:
        if matcher.name == "__name__" and matcher.op == "=":
            return matcher.value
    return ""


def matches(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    return all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)
