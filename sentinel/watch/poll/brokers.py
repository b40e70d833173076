"""Which brokers there are: those that the cluster names, and those that it named not long ago."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from sentinel.watch.poll.connections import Address
from sentinel.watch.poll.protocol.metadata import Node, Row, View
from sentinel.watch.snapshot import Broker

MEMORY_MS: Final = 3_600_000
"""A broker that nobody names any more is reported so long: it was probably not meant to go."""


class _Seen(msgspec.Struct):
    node: Node
    last_ms: int


class Roster:
    """The brokers of a cluster over time."""

    def __init__(self) -> None:
        self.cluster_id = ""
        self._seen: dict[int, _Seen] = {}
        self._registered: Mapping[int, Node] = {}
        self._assigned: frozenset[int] = frozenset()

    def addresses(self) -> dict[int, Address]:
        """Where to look for each broker, also for one that is not registered now."""
        return {broker: address_of(seen.node) for broker, seen in self._seen.items()}

    def take(self, view: View, now_ms: int) -> None:
        """The cluster as it is now: its registered brokers."""
        self.cluster_id, self._registered = view.cluster_id, view.nodes
        for broker, node in view.nodes.items():
            self._seen[broker] = _Seen(node, now_ms)

    def take_assignments(self, topics: Mapping[str, Iterable[Row]]) -> None:
        """Who is assigned replicas, of whatever topic."""
        lists = {row.replicas for rows in topics.values() for row in rows}
        self._assigned = frozenset(broker for replicas in lists for broker in replicas)

    def brokers(self, answering: Collection[int], now_ms: int) -> tuple[Broker, ...]:
        """By id. Without assignments, brokers that were not seen for MEMORY_MS are forgotten."""
        for broker, seen in list(self._seen.items()):
            if broker in answering:
                seen.last_ms = now_ms
            elif now_ms - seen.last_ms > MEMORY_MS and broker not in self._assigned:
                del self._seen[broker]
        return tuple(self._broker(each, each in answering) for each in sorted({*self._seen, *self._assigned}))

    def _broker(self, broker: int, answers: bool) -> Broker:
        registered = broker in self._registered
        if broker not in self._seen:
            return Broker(broker, registered=registered, answers=False)
        node = self._seen[broker].node
        return Broker(broker, node.host, node.port, node.rack, registered, answers)


def address_of(node: Node) -> Address:
    return node.host, node.port


def agreed(views: Collection[View]) -> View:
    """The view that most brokers share. Of equally many that of fewer brokers.

    One that was cut off from the cluster goes on answering with what it knew last, so it lists more brokers
    than there are.
    """
    votes = Counter(map(same, views))
    return max(views, key=lambda view: (votes[same(view)], -len(view.nodes), same(view)[0]))


def same(view: View) -> tuple[str, frozenset[int]]:
    """What two views have in common when they agree."""
    return view.cluster_id, frozenset(view.nodes)
