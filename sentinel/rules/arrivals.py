"""Which groups that look at once (`on_arrival`) a batch touches: those that read one of its series."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sentinel.model import Bools, Int64s
from sentinel.rules.alert_series import METRICS as ALERT_METRICS
from sentinel.rules.group import RunningGroup
from sentinel.store.index import Selection, selected_name


class Arrivals:
    """Kept by the engine while samples come in, asked by whoever decides what is due."""

    def __init__(self, groups: Iterable[RunningGroup]) -> None:
        groups = tuple(groups)
        made = {rule.record for group in groups for rule in group.spec.rules if rule.record}
        made.update(ALERT_METRICS)
        self._watched = [_Watched(group, made) for group in groups if group.spec.on_arrival]
        self._touched: set[str] = set()

    def note(self, slots: Int64s, source: int) -> None:
        """Rows of these slots were stored (-1: refused), of the source with this bit."""
        for each in self._watched:
            if each.key not in self._touched and each.touched(slots, source):
                self._touched.add(each.key)

    def take(self) -> set[str]:
        """Keys of the groups that were touched since this was asked last."""
        touched, self._touched = self._touched, set()
        return touched


class _Watched:
    """One group. One that reads what rules write is touched by all that its sources bring: what it reads
    may follow from that."""

    def __init__(self, group: RunningGroup, made: set[str]) -> None:
        self.key, self._group = group.key, group
        self._selections: list[Selection] = [
            selection for rule in group.rules for query in rule.queries for selection in query.selections
        ]
        names = {selected_name(selection.matchers) for selection in self._selections}
        self._reads_made = "" in names or not made.isdisjoint(names)
        self._versions: list[int] = []
        self._members: Bools = np.zeros(1, np.bool_)

    def touched(self, slots: Int64s, source: int) -> bool:
        if self._reads_made:
            return bool(self._group.sources() & source)
        members = self._by_slot()
        return bool(members.take(slots, mode="clip").any())

    def _by_slot(self) -> Bools:
        """Whether the group reads a slot; the last element stands for all slots behind."""
        found = [selection.slots() for selection in self._selections]
        versions = [selection.version for selection in self._selections]
        if versions != self._versions:
            highest = max((int(slots.max(initial=-1)) for slots in found), default=-1)
            self._members = np.zeros(highest + 2, np.bool_)
            for slots in found:
                self._members[slots] = True
            self._versions = versions
        return self._members
