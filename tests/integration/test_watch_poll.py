"""The poller on a real cluster of three nodes: healthy, with a node killed or frozen, and gone altogether."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from sentinel.clock import SystemClock
from sentinel.ingest.kafka_connection import KafkaConnection
from sentinel.watch.poll import ClusterPoller
from sentinel.watch.snapshot import UNKNOWN, ClusterSnapshot, Group, Part

from .kafka_cluster import NODES, Cluster, join
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

EVERYTHING: Final = frozenset(get_args(Part))
TIMEOUT_SECONDS: Final = 1.5
Result = TypeVar("Result")


class Watch:
    """A poller that lives as long as the test, in a loop that runs while it is asked something."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._runner = asyncio.Runner()
        self.poller = ClusterPoller(
            KafkaConnection(bootstrap_servers=cluster.bootstrap),
            topics=lambda name: not name.startswith("__"),
            groups=lambda name: name != "hidden",
            timeout_seconds=TIMEOUT_SECONDS,
            clock=SystemClock(),
        )

    def poll(self) -> ClusterSnapshot:
        return self.run(self.poller.poll(EVERYTHING))

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(coroutine)

    def await_healthy(self, *topics: str) -> None:
        """Until every broker, each asked in turn, knows these topics and nothing is amiss."""
        wait_until(
            lambda: all(is_healthy(self.poll(), topics) for _ in NODES),
            timeout=60,
            poll=0.5,
            what="health",
            why=self.poll,
        )

    def close(self) -> None:
        self.run(self.poller.close())
        self._runner.close()


def is_healthy(seen: ClusterSnapshot, topics: Iterable[str]) -> bool:
    table = seen.partitions
    whole = all(
        len(ids) == len(replicas) for ids, replicas in zip(table.in_sync, table.replicas, strict=True)
    )
    there = all(broker.registered and broker.answers for broker in seen.brokers)
    known = set(topics) <= set(table.topic)
    return seen.answered and not seen.incomplete and whole and there and known


@pytest.fixture(scope="module")
def cluster(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests here; each leaves it as it was."""
    cluster = Cluster(jars, tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill_all()


@pytest.fixture
def watch(cluster: Cluster) -> Iterator[Watch]:
    watch = Watch(cluster)
    yield watch
    watch.close()


async def produce(cluster: Cluster, topic: str, partition: int, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap)
    await producer.start()
    try:
        for _ in range(count):
            await producer.send_and_wait(topic, b"x", partition=partition)
    finally:
        await producer.stop()


async def commit(cluster: Cluster, group: str, offsets: dict[tuple[str, int], int]) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(*each) for each in offsets])
        await consumer.commit({TopicPartition(*each): offset for each, offset in offsets.items()})
    finally:
        await consumer.stop()


def group_of(seen: ClusterSnapshot, name: str) -> Group:
    (found,) = (group for group in seen.groups if group.id == name)
    return found


def commits_of(seen: ClusterSnapshot, name: str) -> dict[tuple[str, int], int]:
    commits = group_of(seen, name).commits
    assert commits is not None
    keys = zip(commits.topic, commits.partition.tolist(), strict=True)
    return dict(zip(keys, commits.offset.tolist(), strict=True))


def rows_of(seen: ClusterSnapshot, topic: str) -> list[int]:
    return [row for row, name in enumerate(seen.partitions.topic) if name == topic]


def by_id(seen: ClusterSnapshot) -> dict[int, tuple[bool, bool]]:
    """Of each broker: is it registered, does it answer?"""
    return {broker.id: (broker.registered, broker.answers) for broker in seen.brokers}


def test_a_healthy_cluster_is_seen_whole(watch: Watch, topic: str) -> None:
    watch.cluster.create_topic(topic, 4, 3)
    loose = watch.cluster.create_topic(f"{topic}-loose", 1, 2, min_insync_replicas="1")
    watch.await_healthy(topic, loose)
    seen = watch.poll()
    assert seen.cluster_id == watch.cluster.cluster_id
    assert [(broker.id, broker.port, broker.rack) for broker in seen.brokers] == [
        (node, port, f"rack{node}") for node, port in watch.cluster.ports.items()
    ]
    rows, table = rows_of(seen, topic), seen.partitions
    assert table.partition[rows].tolist() == [0, 1, 2, 3]
    assert all(set(table.replicas[row]) == {1, 2, 3} for row in rows)
    assert all(table.leader[row] == table.replicas[row][0] for row in rows)
    assert table.start[rows].tolist() == table.end[rows].tolist() == [0, 0, 0, 0]
    assert len(table.replicas[rows_of(seen, loose)[0]]) == 2
    assert (seen.min_isr[topic], seen.min_isr[loose]) == (2, 1)
    assert not any(name.startswith("__") for name in table.topic)


def test_commits_and_ends_are_those_of_the_clients(watch: Watch, topic: str) -> None:
    watch.cluster.create_topic(topic, 3, 3)
    watch.run(produce(watch.cluster, topic, 1, 7))
    for group, offset in ((f"{topic}-a", 5), (f"{topic}-b", 7), ("hidden", 1)):
        watch.run(commit(watch.cluster, group, {(topic, 1): offset, (topic, 0): 0}))
    watch.await_healthy(topic)
    seen = watch.poll()
    assert seen.partitions.end[rows_of(seen, topic)].tolist() == [0, 7, 0]
    assert commits_of(seen, f"{topic}-a") == {(topic, 0): 0, (topic, 1): 5}
    assert commits_of(seen, f"{topic}-b") == {(topic, 0): 0, (topic, 1): 7}
    assert (group_of(seen, f"{topic}-a").state, group_of(seen, f"{topic}-a").members) == ("Empty", 0)
    assert "hidden" not in {group.id for group in seen.groups}


def test_members_of_both_protocols_are_counted(watch: Watch, topic: str) -> None:
    watch.cluster.create_topic(topic)
    new, old = f"{topic}-new", f"{topic}-old"

    async def members() -> ClusterSnapshot:
        await join(watch.cluster, new, topic)
        async with AIOKafkaConsumer(topic, bootstrap_servers=watch.cluster.bootstrap, group_id=old):
            return await watch.poller.poll(EVERYTHING)

    seen = watch.run(members())
    assert (group_of(seen, new).state, group_of(seen, new).members) == ("Stable", 1)
    assert (group_of(seen, old).state, group_of(seen, old).members) == ("Stable", 1)


def test_lag_is_never_negative_while_a_consumer_keeps_up(watch: Watch, topic: str) -> None:
    watch.cluster.create_topic(topic, 1, 3)
    watch.run(commit(watch.cluster, topic, {(topic, 0): 0}))
    watch.await_healthy(topic)

    async def until_it_moved() -> list[ClusterSnapshot]:
        working = asyncio.create_task(_keep_up(watch.cluster, topic))
        seen = [await watch.poller.poll(EVERYTHING)]
        while commits_of(seen[-1], topic)[topic, 0] < 50 and not working.done():
            seen.append(await watch.poller.poll(EVERYTHING))
        working.cancel()
        await asyncio.wait([working])
        return seen

    seen = watch.run(until_it_moved())
    assert commits_of(seen[-1], topic)[topic, 0] >= 50
    for each in seen:
        assert each.partitions.end[rows_of(each, topic)[0]] >= commits_of(each, topic)[topic, 0]


async def _keep_up(cluster: Cluster, topic: str) -> None:
    """Commits each record as soon as every replica has it, which is when a consumer could."""
    async with (
        AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all") as producer,
        AIOKafkaConsumer(
            bootstrap_servers=cluster.bootstrap, group_id=topic, enable_auto_commit=False
        ) as consumer,
    ):
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        while True:
            written = await producer.send_and_wait(topic, b"x", partition=0)
            await consumer.commit({partition: written.offset + 1})


@pytest.mark.slow
def test_a_killed_broker_is_seen_at_once_and_then_missed(watch: Watch, topic: str) -> None:
    watch.cluster.create_topic(topic, 6, 3)
    watch.run(commit(watch.cluster, topic, {(topic, 0): 0}))
    watch.await_healthy(topic)
    before = {group.id for group in watch.poll().groups}
    watch.cluster.kill(2)
    killed_at = time.monotonic()
    seen = watch.poll()
    assert time.monotonic() - killed_at < 1
    assert by_id(seen) == {1: (True, True), 2: (True, False), 3: (True, True)}
    of_killed = seen.partitions.leader == 2
    assert (seen.partitions.end[of_killed] == UNKNOWN).all()
    assert (seen.partitions.end[~of_killed] != UNKNOWN).all()
    assert {"offsets", "groups", "commits"} <= seen.incomplete
    assert {group.id for group in seen.groups} == before

    def whole() -> bool:
        """Who takes over the group's coordination knows nothing of it for a moment."""
        seen = watch.poll()
        return not seen.incomplete and {group.id for group in seen.groups} == before

    wait_until(whole, timeout=20, what="complete poll with the group", why=watch.poll)
    seen = watch.poll()
    assert by_id(seen)[2] == (False, False)
    assert all(2 not in in_sync for in_sync in seen.partitions.in_sync)
    watch.cluster.start_broker(2)
    watch.await_healthy()


def test_a_frozen_broker_costs_one_timeout(watch: Watch, topic: str) -> None:
    watch.cluster.create_topic(topic, 6, 3)
    watch.await_healthy(topic)
    watch.cluster.freeze(3)
    try:
        for _ in range(2):
            started = time.monotonic()
            seen = watch.poll()
            assert TIMEOUT_SECONDS <= time.monotonic() - started < 2 * TIMEOUT_SECONDS
            assert by_id(seen) == {1: (True, True), 2: (True, True), 3: (True, False)}
            others = ~np.isin(seen.partitions.leader, [3, UNKNOWN])
            assert others.any()
            assert (seen.partitions.end[others] != UNKNOWN).all()
    finally:
        watch.cluster.thaw(3)
    watch.await_healthy()


@pytest.mark.slow
def test_a_cluster_that_is_gone_is_found_again(watch: Watch, topic: str) -> None:
    watch.cluster.create_topic(topic)
    watch.run(commit(watch.cluster, topic, {(topic, 0): 0}))
    watch.await_healthy(topic)
    watch.cluster.stop()
    seen = watch.poll()
    assert not seen.answered
    assert seen.incomplete == EVERYTHING
    assert [(broker.id, broker.answers) for broker in seen.brokers] == [(1, False), (2, False), (3, False)]
    watch.cluster.start()
    watch.await_healthy()
    assert commits_of(watch.poll(), topic) == {(topic, 0): 0}
