"""Partitions: which there are, who leads them, and what they hold.

Offsets of a partition are left out while its leader does not tell them.
"""

from __future__ import annotations

from itertools import compress
from typing import ClassVar

from sentinel.model import Int64s
from sentinel.watch.check import Gauge, Row, partition_labels
from sentinel.watch.snapshot import UNKNOWN, ClusterSnapshot, Family, Part

_LABELS = ("topic", "partition")
COUNT = Gauge("kafka_topic_partitions", "Partitions of a topic.", ("topic",))
LEADER = Gauge("kafka_topic_partition_leader", "Id of the leading broker; -1 if there is none.", _LABELS)
END = Gauge("kafka_topic_partition_current_offset", "Offset of the next record (high watermark).", _LABELS)
START = Gauge("kafka_topic_partition_oldest_offset", "Offset of the oldest record.", _LABELS)
OFFLINE = Gauge("kafka_topic_partition_offline", "Whether a partition has no leader.", _LABELS)


class Partitions:
    """A partition without a leader takes no record and gives none."""

    name: ClassVar[str] = "partitions"
    needs: ClassVar[frozenset[Part]] = frozenset({"partitions", "offsets"})
    families: ClassVar[tuple[str, ...]] = (COUNT.name, LEADER.name, END.name, START.name, OFFLINE.name)

    def check(self, snapshot: ClusterSnapshot) -> list[Family]:
        table = snapshot.partitions
        labels = partition_labels(table)
        count: dict[str, int] = dict.fromkeys(table.topic, 0)
        for topic in table.topic:
            count[topic] += 1
        offline = (table.leader == UNKNOWN).astype(int)
        return [
            COUNT.of(((topic,), partitions) for topic, partitions in count.items()),
            LEADER.of(zip(labels, table.leader.tolist(), strict=True)),
            END.of(_known(labels, table.end)),
            START.of(_known(labels, table.start)),
            OFFLINE.of(zip(labels, offline.tolist(), strict=True)),
        ]


def _known(labels: list[tuple[str, ...]], offsets: Int64s) -> list[Row]:
    known = offsets >= 0
    return list(zip(compress(labels, known.tolist()), offsets[known].tolist(), strict=True))
