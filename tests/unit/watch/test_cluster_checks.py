"""Each check's verdicts, as tables."""

from __future__ import annotations

import msgspec
import pytest

from sentinel.watch.brokers import Brokers
from sentinel.watch.leaders import Leaders
from sentinel.watch.partitions import Partitions
from sentinel.watch.snapshot import UNKNOWN, Broker, ClusterSnapshot
from sentinel.watch.under_min_isr import UnderMinIsr
from sentinel.watch.under_replicated import UnderReplicated
from tests.unit.watch.clusters import AT_MS, BROKERS, EMPTY, HEALTHY, NOTHING, SICK, SILENT, rows, table

TOPIC = "kafka_topic_partition_"


@pytest.mark.parametrize(
    ("registered", "answers", "answered", "up"),
    [
        (True, True, True, 1),
        (True, False, True, 0),
        (False, True, True, 0),
        (False, False, True, 0),
        (True, True, False, 0),
    ],
)
def test_a_broker_is_up_if_all_agree(registered: bool, answers: bool, answered: bool, up: int) -> None:
    one = Broker(7, "k", 9092, registered=registered, answers=answers)
    families = Brokers().check(ClusterSnapshot(AT_MS, answered=answered, brokers=(one,)))
    assert rows(families, "kafka_broker_up") == {("7", "k:9092"): up}
    assert rows(families, "kafka_brokers") == {(): int(registered and answered)}
    assert rows(families, "kafka_cluster_up") == {(): int(answered)}
    assert rows(families, "kafka_broker_info") == ({("7", "k:9092"): 1} if registered else {})


def test_brokers_of_clusters() -> None:
    sick = Brokers().check(SICK)
    assert rows(sick, "kafka_brokers") == {(): 2}
    assert rows(sick, "kafka_broker_up") == {
        ("1", "kafka-1:9092"): 1,
        ("2", "kafka-2:9092"): 0,
        ("3", "kafka-3:9092"): 0,
        ("4", ""): 0,
    }
    silent = Brokers().check(SILENT)
    assert list(rows(silent, "kafka_broker_up").values()) == [0, 0, 0]
    assert rows(silent, "kafka_brokers") == {(): 0}
    nothing = Brokers().check(NOTHING)
    assert rows(nothing, "kafka_broker_up") == {} and rows(nothing, "kafka_cluster_up") == {(): 0}


def test_partitions_of_a_healthy_cluster() -> None:
    families = Partitions().check(HEALTHY)
    assert rows(families, "kafka_topic_partitions") == {("clicks",): 1, ("orders",): 2}
    clicks, first, second = ("clicks", "0"), ("orders", "0"), ("orders", "1")
    assert rows(families, TOPIC + "leader") == {clicks: 3, first: 1, second: 2}
    assert rows(families, TOPIC + "current_offset") == {clicks: 7, first: 110, second: 50}
    assert rows(families, TOPIC + "oldest_offset") == {clicks: 0, first: 10, second: 0}
    assert set(rows(families, TOPIC + "offline").values()) == {0}


def test_a_partition_without_a_leader() -> None:
    families = Partitions().check(SICK)
    clicks = ("clicks", "0")
    assert rows(families, TOPIC + "leader")[clicks] == -1
    assert rows(families, TOPIC + "offline") == {clicks: 1, ("orders", "0"): 0, ("orders", "1"): 0}
    assert clicks not in rows(families, TOPIC + "current_offset")
    assert clicks not in rows(families, TOPIC + "oldest_offset")
    assert rows(Leaders().check(SICK), TOPIC + "leader_is_preferred")[clicks] == 0


def test_the_number_of_a_partition_is_its_label() -> None:
    holed = table({("t", 12): (1, (1,), (1,), 0, 5), ("t", 3): (1, (1,), (1,), 0, 6)})
    families = Partitions().check(msgspec.structs.replace(EMPTY, partitions=holed))
    assert rows(families, TOPIC + "current_offset") == {("t", "3"): 6, ("t", "12"): 5}


@pytest.mark.parametrize(
    ("replicas", "in_sync", "least", "under_replicated", "under_min", "at_min"),
    [
        ((1, 2, 3), (1, 2, 3), 2, 0, 0, 0),
        ((1, 2, 3), (1, 3), 2, 1, 0, 1),
        ((1, 2, 3), (1,), 2, 1, 1, 0),
        ((1, 2, 3), (), 2, 1, 1, 0),
        ((1, 2, 3), (1,), 1, 1, 0, 1),
        ((1, 2), (1, 2), 2, 0, 0, 0),  # at its minimum by design
        ((1,), (1,), 1, 0, 0, 0),
        ((1,), (1,), 2, 0, 0, 0),  # brokers hold the minimum against one replica
        ((1, 2), (1,), 3, 1, 1, 0),
        ((2, 3, 1), (1, 2, 3), 3, 0, 0, 0),
    ],
)
def test_replication(
    replicas: tuple[int, ...],
    in_sync: tuple[int, ...],
    least: int,
    under_replicated: int,
    under_min: int,
    at_min: int,
) -> None:
    partitions = table({("t", 0): (1, replicas, in_sync, 0, 0)})
    snapshot = msgspec.structs.replace(EMPTY, partitions=partitions, min_isr={"t": least})
    at = ("t", "0")
    families = UnderReplicated().check(snapshot)
    assert rows(families, TOPIC + "replicas") == {at: len(replicas)}
    assert rows(families, TOPIC + "in_sync_replica") == {at: len(in_sync)}
    assert rows(families, TOPIC + "under_replicated_partition") == {at: under_replicated}
    families = UnderMinIsr().check(snapshot)
    assert rows(families, "kafka_topic_min_isr") == {("t",): least}
    assert rows(families, TOPIC + "under_min_isr") == {at: under_min}
    assert rows(families, TOPIC + "at_min_isr") == {at: at_min}


def test_of_a_topic_with_an_unknown_minimum_nothing_is_said() -> None:
    families = UnderMinIsr().check(msgspec.structs.replace(SICK, min_isr={"orders": 2, "unwatched": 1}))
    assert rows(families, "kafka_topic_min_isr") == {("orders",): 2}
    assert rows(families, TOPIC + "under_min_isr") == {("orders", "0"): 1, ("orders", "1"): 0}
    assert rows(families, TOPIC + "at_min_isr") == {("orders", "0"): 0, ("orders", "1"): 1}


@pytest.mark.parametrize(
    ("leader", "replicas", "preferred"),
    [(1, (1, 2), 1), (2, (1, 2), 0), (UNKNOWN, (1, 2), 0), (UNKNOWN, (), 0)],
)
def test_the_preferred_leader_is_the_first_replica(
    leader: int, replicas: tuple[int, ...], preferred: int
) -> None:
    snapshot = msgspec.structs.replace(EMPTY, partitions=table({("t", 0): (leader, replicas, (), 0, 0)}))
    assert rows(Leaders().check(snapshot), TOPIC + "leader_is_preferred") == {("t", "0"): preferred}


def test_addresses_come_from_the_snapshot() -> None:
    assert set(rows(Brokers().check(HEALTHY), "kafka_broker_info")) == {
        (str(broker.id), f"{broker.host}:{broker.port}") for broker in BROKERS
    }
