"""What one poll saw of a cluster. Checks are functions of it, so a recorded snapshot is a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from sentinel.model import Int64s

Part = Literal["brokers", "partitions", "offsets", "min_isr", "groups", "commits"]
"""What can be asked of a cluster; a poll asks only what some check needs."""

UNKNOWN = -1
"""In a column of offsets, leaders or members: nobody could say this time."""


class Broker(msgspec.Struct, frozen=True):
    """A broker that is, or should be, there: in the metadata, or still assigned replicas, or seen lately."""

    id: int
    host: str = ""
    port: int = 0
    rack: str = ""
    registered: bool = True
    """The cluster's metadata lists it. After a crash that stays so until its session ends."""
    answers: bool = True
    """It answered a request of ours in this poll."""


class PartitionTable(msgspec.Struct, frozen=True, eq=False):
    """One row a partition of the watched topics, ordered by (topic, partition)."""

    topic: tuple[str, ...] = ()
    partition: Int64s = np.zeros(0, np.int64)
    leader: Int64s = np.zeros(0, np.int64)
    """UNKNOWN: it has none."""
    replicas: tuple[tuple[int, ...], ...] = ()
    """Broker ids; the first is the preferred leader."""
    in_sync: tuple[tuple[int, ...], ...] = ()
    start: Int64s = np.zeros(0, np.int64)
    """Offset of the oldest record, or UNKNOWN."""
    end: Int64s = np.zeros(0, np.int64)
    """Offset of the next record (high watermark), or UNKNOWN. Read after the groups' commits."""

    def __len__(self) -> int:
        return len(self.topic)


class Commits(msgspec.Struct, frozen=True, eq=False):
    """Committed offsets of one group, one row a partition, ordered by (topic, partition)."""

    topic: tuple[str, ...] = ()
    partition: Int64s = np.zeros(0, np.int64)
    offset: Int64s = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.topic)


class Group(msgspec.Struct, frozen=True, eq=False):
    """A consumer group, of the classic protocol or of KIP-848's."""

    id: str
    state: str = ""
    members: int = UNKNOWN
    commits: Commits | None = None
    """None: its coordinator did not answer this time."""


class ClusterSnapshot(msgspec.Struct, frozen=True, eq=False):
    """One poll. With `answered` false nobody gave metadata: only `brokers` means something then."""

    at_ms: int
    answered: bool
    cluster_id: str = ""
    brokers: tuple[Broker, ...] = ()
    partitions: PartitionTable = PartitionTable()
    min_isr: Mapping[str, int] = {}
    """`min.insync.replicas` by topic; a topic is absent while that is not known."""
    groups: tuple[Group, ...] = ()
    incomplete: frozenset[Part] = frozenset()
    """Parts of which some broker did not give its share: what is missing there is not gone."""


class Family(msgspec.Struct, frozen=True):
    """Gauges of one name. `rows` are (label values in the order of `labels`, value)."""

    name: str
    help: str
    labels: tuple[str, ...]
    rows: list[tuple[tuple[str, ...], float]]
