"""Replication: partitions of which some replica is not in sync.

A rolling restart makes partitions under-replicated for seconds; what lasts for minutes is trouble.
"""

from __future__ import annotations

from typing import ClassVar

from sentinel.watch.check import Gauge, partition_labels
from sentinel.watch.snapshot import ClusterSnapshot, Family, Part

_LABELS = ("topic", "partition")
REPLICAS = Gauge("kafka_topic_partition_replicas", "Replicas of a partition.", _LABELS)
IN_SYNC = Gauge("kafka_topic_partition_in_sync_replica", "In-sync replicas of a partition.", _LABELS)
UNDER = Gauge(
    "kafka_topic_partition_under_replicated_partition",
    "Whether a partition has fewer in-sync replicas than replicas.",
    _LABELS,
)


class UnderReplicated:
    """Counts are those of the metadata; a leader cut off from the controller may know better."""

    name: ClassVar[str] = "under_replicated"
    needs: ClassVar[frozenset[Part]] = frozenset({"partitions"})
    families: ClassVar[tuple[str, ...]] = (REPLICAS.name, IN_SYNC.name, UNDER.name)

    def check(self, snapshot: ClusterSnapshot) -> list[Family]:
        table = snapshot.partitions
        labels = partition_labels(table)
        replicas, in_sync = list(map(len, table.replicas)), list(map(len, table.in_sync))
        under = [int(there < wanted) for there, wanted in zip(in_sync, replicas, strict=True)]
        return [
            REPLICAS.of(zip(labels, replicas, strict=True)),
            IN_SYNC.of(zip(labels, in_sync, strict=True)),
            UNDER.of(zip(labels, under, strict=True)),
        ]
