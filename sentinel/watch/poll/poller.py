"""Asking a cluster how it is: one snapshot a poll, from whichever brokers answer."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection
from typing import Final

from sentinel.clock import Clock
from sentinel.errors import SourceError
from sentinel.ingest.kafka_connection import KafkaConnection, servers
from sentinel.watch.poll.brokers import Roster, address_of, agreed, same
from sentinel.watch.poll.connections import Address, Connections
from sentinel.watch.poll.groups import GroupPoller
from sentinel.watch.poll.min_isr import MinIsr
from sentinel.watch.poll.offsets import partition_table, with_offsets
from sentinel.watch.poll.protocol.metadata import Metadata, View
from sentinel.watch.poll.round import Round
from sentinel.watch.snapshot import ClusterSnapshot, Group, Part, PartitionTable

_OF_METADATA: Final = frozenset[Part](("brokers", "partitions", "offsets", "min_isr"))
_OF_TABLE: Final = frozenset[Part](("partitions", "offsets"))
_OF_GROUPS: Final = frozenset[Part](("groups", "commits"))
_NAMES_KEPT: Final = 100_000


class ClusterPoller:
    """Polls one cluster. Each broker is asked independently, each request bounded by `timeout_seconds`.

    `topics` and `groups` say which names are watched. A broker that is dead, frozen or cut off makes a poll
    longer by about one time-out; what it should have given is missing and its part is in `incomplete`.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        topics: Callable[[str], bool],
        groups: Callable[[str], bool],
        timeout_seconds: float,
        clock: Clock,
    ) -> None:
        self._bootstrap = [_address(server) for server in servers(connection)]
        self._connections = Connections(connection, timeout_seconds)
        self._topics = functools.lru_cache(_NAMES_KEPT)(topics)
        self._groups = GroupPoller(topics=self._topics, groups=functools.lru_cache(_NAMES_KEPT)(groups))
        self._roster, self._min_isr, self._clock = Roster(), MinIsr(), clock
        self._polls = 0

    async def poll(self, needs: frozenset[Part]) -> ClusterSnapshot:
        """What the cluster says now, as far as `needs` asks. Never raises for what the outside world does."""
        at_ms = self._clock.now_ms()
        self._polls += 1
        self._connections.new_round()
        views = await self._look()
        if not views:
            return self._unanswered(at_ms, needs)
        view = agreed(views.values())
        self._roster.take(view, at_ms)
        asked = Round(
            self._connections,
            {broker: address_of(node) for broker, node in view.nodes.items()},
            self._agreeing(views, view),
        )
        return await self._fill(asked, views, needs, at_ms)

    async def close(self) -> None:
        """Closes all connections."""
        await self._connections.close()

    async def _fill(
        self, asked: Round, views: dict[Address, View], needs: frozenset[Part], at_ms: int
    ) -> ClusterSnapshot:
        """Commits first, ends afterwards: a lag is rather a little too large than negative."""
        metadata, groups = await asyncio.gather(self._metadata(asked, needs), self._poll_groups(asked, needs))
        watched = {name: rows for name, rows in metadata.topics.items() if self._topics(name)}
        table, min_isr = await asyncio.gather(
            self._table(asked, partition_table(watched) if needs & _OF_TABLE else PartitionTable(), needs),
            self._min_isr.poll(asked, list(watched) if "min_isr" in needs else [], at_ms),
        )
        cluster_id = self._roster.cluster_id
        answering = {
            broker
            for broker, address in self._roster.addresses().items()
            if address in views and views[address].cluster_id == cluster_id
        }
        return ClusterSnapshot(
            at_ms=at_ms,
            answered=True,
            cluster_id=cluster_id,
            brokers=self._roster.brokers(answering, at_ms),
            partitions=table,
            min_isr=min_isr,
            groups=groups,
            incomplete=needs & asked.incomplete,
        )

    def _unanswered(self, at_ms: int, needs: frozenset[Part]) -> ClusterSnapshot:
        return ClusterSnapshot(
            at_ms=at_ms,
            answered=False,
            cluster_id=self._roster.cluster_id,
            brokers=self._roster.brokers((), at_ms),
            incomplete=needs,
        )

    async def _look(self) -> dict[Address, View]:
        """The cluster as each broker sees it. This is also how a broker shows that it answers."""
        views = await self._views(self._roster.addresses().values())
        if not views:
            views = await self._views(self._bootstrap)
        if views:
            named = {address_of(node) for node in agreed(views.values()).nodes.values()}
            views |= await self._views(named - views.keys())
        return views

    async def _views(self, addresses: Collection[Address]) -> dict[Address, View]:
        asked = sorted(set(addresses))
        views = await asyncio.gather(*[self._view(address) for address in asked])
        return {address: view for address, view in zip(asked, views, strict=True) if view is not None}

    async def _view(self, address: Address) -> View | None:
        try:
            return await self._connections.call(address, Metadata(topics=False))
        except SourceError:
            return None

    def _agreeing(self, views: dict[Address, View], view: View) -> list[Address]:
        """Whom to ask what anyone knows: another one with each poll, so that no broker bears it all."""
        found = [address for address, theirs in views.items() if same(theirs) == same(view)]
        first = self._polls % len(found)
        return found[first:] + found[:first]

    async def _metadata(self, asked: Round, needs: frozenset[Part]) -> View:
        if needs & _OF_METADATA:
            view = await asked.ask_anyone(Metadata(topics=True), *_OF_METADATA)
            if view is not None:
                self._roster.take_assignments(view.topics)
                return view
        return View("", {}, {})

    async def _poll_groups(self, asked: Round, needs: frozenset[Part]) -> tuple[Group, ...]:
        return await self._groups.poll(asked, needs) if needs & _OF_GROUPS else ()

    async def _table(self, asked: Round, table: PartitionTable, needs: frozenset[Part]) -> PartitionTable:
        return await with_offsets(asked, table) if "offsets" in needs else table


def _address(server: str) -> Address:
    from aiokafka.conn import get_ip_port_afi  # the client: only who watches imports it

    host, port, _ = get_ip_port_afi(server)
    return host, port
