"""Groups of alerts and their timers: who is flushed, and when."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sentinel.alert.flush import Fingerprint, fingerprint
from sentinel.alert.route import Route, Timers, group_key
from sentinel.model import AlertEvent, Labels

GroupId = tuple[str, str]
"""(group key, receiver)."""
_NEVER = 1 << 62


class GroupRow(msgspec.Struct, frozen=True):
    """What is kept on disk of a group; its alerts are found again by routing."""

    id: GroupId
    labels: Labels
    next_ms: int
    flushed: bool


class Group(msgspec.Struct, eq=False):
    """Alerts with equal group labels for one receiver. `offered` are the event ids of its last flush."""

    id: GroupId
    labels: Labels
    timers: Timers
    next_ms: int = _NEVER
    flushed: bool = False
    held: bool = False
    alerts: dict[Fingerprint, AlertEvent] = {}
    offered: frozenset[str] = frozenset()

    def row(self) -> GroupRow:
        return GroupRow(self.id, self.labels, self.next_ms, self.flushed)


class Groups:
    """All groups of one routing tree, by id, with a heap of their timers."""

    def __init__(self, tree: Route) -> None:
        self._tree = tree
        self._groups: dict[GroupId, Group] = {}
        self._holders: dict[Fingerprint, set[GroupId]] = {}
        self._timers: list[tuple[int, GroupId]] = []

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    def __len__(self) -> int:
        return len(self._groups)

    def get(self, id: GroupId) -> Group | None:
        return self._groups.get(id)

    def holds(self, print: Fingerprint) -> bool:
        """Whether any group has this alert."""
        return print in self._holders

    def alerts(self) -> dict[Fingerprint, AlertEvent]:
        """Every alert once."""
        return {print: event for group in self._groups.values() for print, event in group.alerts.items()}

    def put(self, event: AlertEvent, now_ms: int) -> list[Group]:
        """Puts a new or changed alert into every group that its labels lead to, or that has it already."""
        print = fingerprint(event)
        ids = set(self._holders.get(print, ()))
        for route in self._tree.match(event.labels):
            labels = route.group_labels(event.labels)
            id = (group_key(route, labels), route.receiver)
            if id not in self._groups:
                self._groups[id] = Group(id, labels, route.timers)
                self.arm(self._groups[id], now_ms + route.timers.wait)
            ids.add(id)
        touched = [self._groups[id] for id in sorted(ids)]
        for group in touched:
            self._join(group, print, event)
            if not group.flushed and event.starts_at_ms + group.timers.wait < now_ms:
                self.arm(group, min(group.next_ms, now_ms))
        return touched

    def keep(self, row: GroupRow, event: AlertEvent, now_ms: int) -> None:
        """Keeps an alert that routes now take elsewhere where its firing was told, until its resolve is."""
        group = self._groups.get(row.id)
        if group is None:
            timers = msgspec.structs.replace(self._tree.timers, repeat=_NEVER)
            group = self._groups[row.id] = Group(row.id, row.labels, timers, flushed=True)
            self.arm(group, now_ms)
        self._join(group, fingerprint(event), event)

    def _join(self, group: Group, print: Fingerprint, event: AlertEvent) -> None:
        group.alerts[print] = event
        self._holders.setdefault(print, set()).add(group.id)

    def leave(self, group: Group, print: Fingerprint) -> None:
        del group.alerts[print]
        self._holders[print].discard(group.id)
        if not self._holders[print]:
            del self._holders[print]

    def discard(self, group: Group) -> None:
        """Forgets an empty group."""
        del self._groups[group.id]

    def arm(self, group: Group, at_ms: int) -> None:
        """Sets a group's one timer."""
        group.next_ms = at_ms
        heapq.heappush(self._timers, (at_ms, group.id))

    def due(self, now_ms: int) -> list[Group]:
        """Groups whose timer has run out, in the order of their times; their timers are then unset."""
        found = []
        while (at := self.next_ms()) is not None and at <= now_ms:
            group = self._groups[heapq.heappop(self._timers)[1]]
            group.next_ms = _NEVER
            found.append(group)
        return found

    def next_ms(self) -> int | None:
        """When the next timer runs out."""
        while self._timers:
            at, id = self._timers[0]
            group = self._groups.get(id)
            if group is not None and group.next_ms == at:
                return at
            heapq.heappop(self._timers)  # re-armed or gone since
        return None


def regroup(
    tree: Route,
    alerts: Iterable[AlertEvent],
    rows: Iterable[GroupRow],
    told: Mapping[GroupId, frozenset[Fingerprint]],
    now_ms: int,
) -> Groups:
    """The groups of known alerts under a routing tree, after a reload or a restart; timers start anew."""
    groups = Groups(tree)
    known = {fingerprint(event): event for event in alerts}
    for print in sorted(known):
        groups.put(known[print], now_ms)
    for row in rows:
        group = groups.get(row.id)
        inside = group.alerts if group else {}
        for print in sorted(told.get(row.id, frozenset()) - inside.keys()):
            if print in known:
                groups.keep(row, known[print], now_ms)
    return groups
