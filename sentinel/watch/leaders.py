"""Leaders: partitions that the first of their replicas leads, as the assignment meant it.

After a restart leadership stays where it went until it is given back; until then load is uneven.
"""

from __future__ import annotations

from typing import ClassVar

from sentinel.watch.check import Gauge, partition_labels
from sentinel.watch.snapshot import ClusterSnapshot, Family, Part

PREFERRED = Gauge(
    "kafka_topic_partition_leader_is_preferred",
    "Whether a partition is led by the first of its replicas; 0 also if nobody leads it.",
    ("topic", "partition"),
)


class Leaders:
    """Partitions in the wrong hands."""

    name: ClassVar[str] = "leaders"
    needs: ClassVar[frozenset[Part]] = frozenset({"partitions"})
    families: ClassVar[tuple[str, ...]] = (PREFERRED.name,)

    def check(self, snapshot: ClusterSnapshot) -> list[Family]:
        table = snapshot.partitions
        leaders = zip(table.leader.tolist(), table.replicas, strict=True)
        preferred = [int(replicas[:1] == (leader,)) for leader, replicas in leaders]
        return [PREFERRED.of(zip(partition_labels(table), preferred, strict=True))]
