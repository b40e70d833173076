"""A Kafka cluster that answers requests in memory, to be broken as a test needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from sentinel.errors import SourceError
from sentinel.watch.poll.connections import Address
from sentinel.watch.poll.protocol import codes
from sentinel.watch.poll.protocol.describe_configs import DescribeConfigs
from sentinel.watch.poll.protocol.describe_groups import ConsumerGroupDescribe, Described, DescribeGroups
from sentinel.watch.poll.protocol.find_coordinator import FindCoordinator
from sentinel.watch.poll.protocol.list_groups import GroupList, Listed, ListGroups
from sentinel.watch.poll.protocol.list_offsets import ListOffsets, Offsets
from sentinel.watch.poll.protocol.metadata import Metadata, Node, Row, View
from sentinel.watch.poll.protocol.offset_fetch import Fetched, OffsetFetch
from sentinel.watch.poll.protocol.request import Request
from sentinel.watch.snapshot import Commits


class StubGroup(msgspec.Struct):
    coordinator: int
    type: str = "classic"
    state: str = "Stable"
    members: int = 2
    commits: dict[tuple[str, int], int] = {}
    listed: bool = True


class StubCluster:
    """Stands in for `Connections`. Broker N is at ("bN", 9092); every log holds offsets 10 to 100."""

    def __init__(self, *brokers: int) -> None:
        self.nodes = {n: Node(n, f"b{n}", 9092, "") for n in brokers}
        self.views: dict[int, list[int]] = {}
        self.down: set[int] = set()
        self.loading: set[int] = set()
        self.topics: dict[str, list[Row]] = {}
        self.groups: dict[str, StubGroup] = {}
        self.min_isr: dict[str, str] = {}
        self.calls: list[tuple[int, Request[Any]]] = []
        self.rounds = 0

    def new_round(self) -> None:
        self.rounds += 1

    async def close(self) -> None:
        pass

    async def call(self, address: Address, request: Request[Any]) -> Any:
        broker = int(address[0].removeprefix("b"))
        self.calls.append((broker, request))
        if broker in self.down or broker not in self.nodes:
            raise SourceError("no answer", reason="timeout")
        answer: Callable[[int, Any], Any] = getattr(self, f"_{type(request).__name__}")
        return answer(broker, request)

    def asked(self, kind: type[Request[Any]]) -> list[int]:
        """Which brokers were asked this, in order."""
        return [broker for broker, request in self.calls if type(request) is kind]

    def _Metadata(self, broker: int, request: Metadata) -> View:  # noqa: N802
        named = self.views.get(broker, list(self.nodes))
        return View("c", {n: self.nodes[n] for n in named}, self.topics if request.topics else {})

    def _ListOffsets(self, broker: int, request: ListOffsets) -> dict[str, Offsets]:  # noqa: N802
        offset = 100 if request.which == "latest" else 10
        leaders = {(t, row.partition): row.leader for t, rows in self.topics.items() for row in rows}
        return {
            topic: Offsets(
                partitions,
                np.full(len(partitions), offset),
                np.array([0 if leaders[topic, int(p)] == broker else 6 for p in partitions]),
            )
            for topic, partitions in request.partitions.items()
        }

    def _ListGroups(self, broker: int, request: ListGroups) -> GroupList:  # noqa: N802
        mine = [
            Listed(name, "consumer", group.state, group.type)
            for name, group in self.groups.items()
            if group.coordinator == broker and group.listed
        ]
        if broker in self.loading:
            return GroupList(codes.COORDINATOR_LOAD_IN_PROGRESS, [])
        return GroupList(codes.NONE, mine)

    def _FindCoordinator(self, broker: int, request: FindCoordinator) -> dict[str, int]:  # noqa: N802
        """Nobody coordinates what does not exist: real brokers name one for any group."""
        first = min(self.nodes)
        return {
            name: self.groups[name].coordinator if name in self.groups else first for name in request.groups
        }

    def _error(self, broker: int, name: str) -> int:
        if broker in self.loading:
            return codes.COORDINATOR_LOAD_IN_PROGRESS
        known = self.groups.get(name)
        return codes.NONE if known is None or known.coordinator == broker else codes.NOT_COORDINATOR

    def _describe(self, broker: int, names: list[str], *types: str) -> dict[str, Described]:
        found = {}
        for name in names:
            error, group = self._error(broker, name), self.groups.get(name)
            if error or group is None or group.type not in types:
                found[name] = Described(error, "Dead", 0)
            else:
                found[name] = Described(error, group.state, group.members)
        return found

    def _DescribeGroups(self, broker: int, request: DescribeGroups) -> dict[str, Described]:  # noqa: N802
        return self._describe(broker, list(request.groups), "classic", "")

    def _ConsumerGroupDescribe(self, broker: int, request: ConsumerGroupDescribe) -> Any:  # noqa: N802
        return self._describe(broker, list(request.groups), "consumer")

    def _OffsetFetch(self, broker: int, request: OffsetFetch) -> dict[str, Fetched]:  # noqa: N802
        found = {}
        for name in request.groups:
            error, group = self._error(broker, name), self.groups.get(name)
            rows = sorted((group.commits if group and not error else {}).items())
            commits = Commits(
                tuple(topic for (topic, _), _ in rows),
                np.array([partition for (_, partition), _ in rows], np.int64),
                np.array([offset for _, offset in rows], np.int64),
            )
            found[name] = Fetched(error, False, commits)
        return found

    def _DescribeConfigs(self, broker: int, request: DescribeConfigs) -> dict[str, str]:  # noqa: N802
        return {topic: self.min_isr[topic] for topic in request.topics if topic in self.min_isr}
