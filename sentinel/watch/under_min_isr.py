"""Minimum in-sync replicas: partitions that refuse `acks=all`, and those that one more failure takes there.

As brokers do, `min.insync.replicas` is held against no more replicas than a partition has: one replica and a
minimum of 2 takes writes. Topics whose setting is not known are left out.
"""

from __future__ import annotations

from typing import ClassVar

from sentinel.watch.check import Gauge, Row
from sentinel.watch.snapshot import ClusterSnapshot, Family, Part

_LABELS = ("topic", "partition")
MIN_ISR = Gauge("kafka_topic_min_isr", "The topic's min.insync.replicas.", ("topic",))
UNDER = Gauge(
    "kafka_topic_partition_under_min_isr",
    "Whether in-sync replicas are fewer than min.insync.replicas: acks=all is refused.",
    _LABELS,
)
AT = Gauge(
    "kafka_topic_partition_at_min_isr",
    "Whether in-sync replicas are as few as min.insync.replicas, of a partition that has more replicas.",
    _LABELS,
)


class UnderMinIsr:
    """Partitions that have no replica to spare by design are never at their minimum."""

    name: ClassVar[str] = "under_min_isr"
    needs: ClassVar[frozenset[Part]] = frozenset({"partitions", "min_isr"})
    families: ClassVar[tuple[str, ...]] = (MIN_ISR.name, UNDER.name, AT.name)

    def check(self, snapshot: ClusterSnapshot) -> list[Family]:
        table, wanted = snapshot.partitions, snapshot.min_isr
        under: list[Row] = []
        at: list[Row] = []
        partitions = map(str, table.partition.tolist())
        rows = zip(table.topic, partitions, table.replicas, table.in_sync, strict=True)
        for topic, partition, replicas, in_sync in rows:
            least = wanted.get(topic)
            if least is not None:
                labels = (topic, partition)
                under.append((labels, int(len(in_sync) < min(least, len(replicas)))))
                at.append((labels, int(len(in_sync) == least < len(replicas))))
        watched = sorted(wanted.keys() & set(table.topic))
        return [MIN_ISR.of(((topic,), wanted[topic]) for topic in watched), UNDER.of(under), AT.of(at)]
