"""Snapshots of clusters, written as tables: one healthy, and the ways in which one can be sick."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from sentinel.watch.snapshot import (
    UNKNOWN,
    Broker,
    ClusterSnapshot,
    Commits,
    Family,
    Group,
    Part,
    PartitionTable,
)

AT_MS = 1_760_000_000_000
PARTS: frozenset[Part] = frozenset({"brokers", "partitions", "offsets", "min_isr", "groups", "commits"})

Place = tuple[str, int]
Partition = tuple[int, tuple[int, ...], tuple[int, ...], int, int]
"""Leader, replicas, in-sync replicas, start, end."""


def table(rows: Mapping[Place, Partition]) -> PartitionTable:
    places = sorted(rows)
    leader, replicas, in_sync, start, end = zip(*(rows[place] for place in places), strict=True)
    return PartitionTable(
        topic=tuple(topic for topic, _ in places),
        partition=np.array([partition for _, partition in places], np.int64),
        leader=np.array(leader, np.int64),
        replicas=replicas,
        in_sync=in_sync,
        start=np.array(start, np.int64),
        end=np.array(end, np.int64),
    )


def commits(offsets: Mapping[Place, int]) -> Commits:
    places = sorted(offsets)
    return Commits(
        topic=tuple(topic for topic, _ in places),
        partition=np.array([partition for _, partition in places], np.int64),
        offset=np.array([offsets[place] for place in places], np.int64),
    )


def rows(families: list[Family], name: str) -> dict[tuple[str, ...], float]:
    """The rows of one family; the labels of each are its own."""
    (family,) = [family for family in families if family.name == name]
    found = dict(family.rows)
    assert len(found) == len(family.rows)
    return found


BROKERS = tuple(Broker(id, f"kafka-{id}", 9092, rack=f"r{id}") for id in (1, 2, 3))
ALL = (1, 2, 3)

HEALTHY = ClusterSnapshot(
    at_ms=AT_MS,
    answered=True,
    cluster_id="c-1",
    brokers=BROKERS,
    partitions=table(
        {
            ("orders", 0): (1, (1, 2, 3), (1, 2, 3), 10, 110),
            ("orders", 1): (2, (2, 3, 1), (1, 2, 3), 0, 50),
            ("clicks", 0): (3, (3,), (3,), 0, 7),
        }
    ),
    min_isr={"orders": 2, "clicks": 2},
    groups=(
        Group("billing", "Stable", 2, commits({("orders", 0): 100, ("orders", 1): 50})),
        Group("idle", "Empty", 0, commits({("clicks", 0): UNKNOWN})),
    ),
)

SICK = msgspec.structs.replace(
    HEALTHY,
    brokers=(
        BROKERS[0],
        msgspec.structs.replace(BROKERS[1], answers=False),
        msgspec.structs.replace(BROKERS[2], registered=False),
        Broker(4, registered=False, answers=False),
    ),
    partitions=table(
        {
            ("orders", 0): (1, (1, 2, 3), (1,), 10, 110),  # below its minimum
            ("orders", 1): (1, (2, 3, 1), (1, 3), 60, 65),  # at its minimum, led by the wrong broker
            ("clicks", 0): (UNKNOWN, (3,), (3,), UNKNOWN, UNKNOWN),  # offline
        }
    ),
    groups=(
        # behind, and past what was removed; ahead of the end; nothing known of the end; not watched
        Group("billing", "Stable", 2, commits({("orders", 0): 30, ("orders", 1): 50, ("secret", 0): 1})),
        Group("ahead", "PreparingRebalance", 1, commits({("orders", 0): 200})),
        Group("blind", "Stable", 1, commits({("clicks", 0): 3})),
        Group("silent"),
    ),
    incomplete=frozenset({"offsets", "groups", "commits"}),
)

EMPTY = ClusterSnapshot(AT_MS, answered=True, cluster_id="c-2", brokers=BROKERS[:1])
SILENT = ClusterSnapshot(
    AT_MS,
    answered=False,
    brokers=tuple(msgspec.structs.replace(broker, answers=False) for broker in BROKERS),
    incomplete=PARTS,
)
NOTHING = ClusterSnapshot(AT_MS, answered=False)
INCOMPLETE = msgspec.structs.replace(
    HEALTHY,
    min_isr={},
    groups=(msgspec.structs.replace(HEALTHY.groups[0], commits=None, members=UNKNOWN), HEALTHY.groups[1]),
    incomplete=frozenset({"min_isr", "groups", "commits"}),
)

SNAPSHOTS: dict[str, ClusterSnapshot] = {
    "healthy": HEALTHY,
    "sick": SICK,
    "empty": EMPTY,
    "silent": SILENT,
    "nothing": NOTHING,
    "incomplete": INCOMPLETE,
}


def large(groups: int, topics: int, partitions: int) -> ClusterSnapshot:
    """Every group has committed in every partition of every topic."""
    places = [(f"topic-{topic:04d}", partition) for topic in range(topics) for partition in range(partitions)]
    one = commits(dict.fromkeys(places, 900))
    return msgspec.structs.replace(
        HEALTHY,
        partitions=table(dict.fromkeys(places, (1, (1, 2, 3), (1, 2, 3), 0, 1000))),
        min_isr={topic: 2 for topic, _ in places},
        groups=tuple(Group(f"group-{number:05d}", "Stable", 3, one) for number in range(groups)),
    )
