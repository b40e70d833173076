"""The names under which a family is told: kafka_exporter's, which checks use, and kminion's.

Dashboards and rules for either exporter then work unchanged. What neither knows is always told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, Literal

import msgspec

from sentinel.watch.check import Row
from sentinel.watch.snapshot import ClusterSnapshot, Family

Dialect = Literal["kafka_exporter", "kminion"]
Telling = Callable[[Family, ClusterSnapshot], Family]
"""What kminion makes of a family, and of the snapshot that it came from."""

_KAFKA_EXPORTER: Final = """
    kafka_brokers kafka_broker_info kafka_topic_partitions
    kafka_topic_partition_current_offset kafka_topic_partition_oldest_offset
    kafka_topic_partition_leader kafka_topic_partition_leader_is_preferred
    kafka_topic_partition_replicas kafka_topic_partition_in_sync_replica
    kafka_topic_partition_under_replicated_partition
    kafka_consumergroup_current_offset kafka_consumergroup_current_offset_sum
    kafka_consumergroup_lag kafka_consumergroup_lag_sum kafka_consumergroup_members
"""
KAFKA_EXPORTER: Final = frozenset(_KAFKA_EXPORTER.split())
_LABELS: Final = {"consumergroup": "group_id", "topic": "topic_name", "partition": "partition_id"}


def told(
    families: Iterable[Family], snapshot: ClusterSnapshot, dialects: Collection[Dialect]
) -> list[Family]:
    """The families of one check under all names that are wanted."""
    out: list[Family] = []
    for family in families:
        if family.name not in KAFKA_EXPORTER or "kafka_exporter" in dialects:
            out.append(family)
        if "kminion" in dialects:
            out += [tell(family, snapshot) for tell in KMINION.get(family.name, ())]
    return out


def _renamed(name: str) -> Telling:
    """The same rows under kminion's name and labels."""

    def tell(family: Family, snapshot: ClusterSnapshot) -> Family:
        labels = tuple(_LABELS[label] for label in family.labels)
        return msgspec.structs.replace(family, name=name, labels=labels)

    return tell


def _summed(name: str) -> Telling:
    """Sums over the partitions of a topic, of topics of which every partition has its row."""

    def tell(family: Family, snapshot: ClusterSnapshot) -> Family:
        lacking = dict.fromkeys(snapshot.partitions.topic, 0)
        for topic in snapshot.partitions.topic:
            lacking[topic] += 1
        sums = dict.fromkeys(lacking, 0.0)
        for (topic, _), value in family.rows:
            lacking[topic] -= 1
            sums[topic] += value
        rows: list[Row] = [((topic,), total) for topic, total in sums.items() if not lacking[topic]]
        return Family(name, f"{family.help} Summed over a topic.", ("topic_name",), rows)

    return tell


def _cluster_info(family: Family, snapshot: ClusterSnapshot) -> Family:
    count = str(sum(broker.registered for broker in snapshot.brokers))
    rows: list[Row] = [((count, snapshot.cluster_id), 1)] if snapshot.answered else []
    labels = ("broker_count", "cluster_id")
    return Family("kminion_kafka_cluster_info", "Constant 1, the cluster in its labels.", labels, rows)


def _broker_info(family: Family, snapshot: ClusterSnapshot) -> Family:
    rows: list[Row] = [
        ((str(broker.id), broker.host, str(broker.port) if broker.host else "", broker.rack), 1)
        for broker in snapshot.brokers
        if broker.registered
    ]
    labels = ("broker_id", "address", "port", "rack_id")
    return Family("kminion_kafka_broker_info", family.help, labels, rows)


def _topic_info(family: Family, snapshot: ClusterSnapshot) -> Family:
    """As kminion has it, the first partition's replicas are the topic's replication factor."""
    table = snapshot.partitions
    factor: dict[str, int] = {}
    for topic, replicas in zip(table.topic, table.replicas, strict=True):
        factor.setdefault(topic, len(replicas))
    rows: list[Row] = [
        ((topic, f"{partitions:.0f}", str(factor[topic])), 1) for (topic,), partitions in family.rows
    ]
    labels = ("topic_name", "partition_count", "replication_factor")
    return Family("kminion_kafka_topic_info", "Constant 1, the topic in its labels.", labels, rows)


def _group_info(family: Family, snapshot: ClusterSnapshot) -> Family:
    rows: list[Row] = [
        ((group.id, group.state), int(group.state == "Stable")) for group in snapshot.groups if group.state
    ]
    help = "Whether a group is stable: 1 in the state Stable, 0 in others."
    return Family("kminion_kafka_consumer_group_info", help, ("group_id", "state"), rows)


KMINION: Final[dict[str, tuple[Telling, ...]]] = {
    "kafka_cluster_up": (_renamed("kminion_exporter_up"),),
    "kafka_brokers": (_cluster_info,),
    "kafka_broker_info": (_broker_info,),
    "kafka_topic_partitions": (_topic_info,),
    "kafka_topic_partition_current_offset": (
        _renamed("kminion_kafka_topic_partition_high_water_mark"),
        _summed("kminion_kafka_topic_high_water_mark_sum"),
    ),
    "kafka_topic_partition_oldest_offset": (
        _renamed("kminion_kafka_topic_partition_low_water_mark"),
        _summed("kminion_kafka_topic_low_water_mark_sum"),
    ),
    "kafka_consumergroup_lag": (_renamed("kminion_kafka_consumer_group_topic_partition_lag"),),
    "kafka_consumergroup_lag_sum": (_renamed("kminion_kafka_consumer_group_topic_lag"),),
    "kafka_consumergroup_current_offset_sum": (_renamed("kminion_kafka_consumer_group_topic_offset_sum"),),
    "kafka_consumergroup_members": (_renamed("kminion_kafka_consumer_group_members"), _group_info),
}
"""By kafka_exporter's name, or by ours. Labels that no snapshot can fill (`controller_id`) are left out."""
