"""Lag of consumer groups, in records.

Lag is what lies between a group's committed offset and the end of a partition. Two things keep it truthful:
it is never negative, and records that retention removed before they were read do not count as lag, for
nobody can read them any more; they are counted as lost. A partition without a commit has no lag, and where
the end of one partition is not known, neither the lag of it nor any sum over it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress
from typing import ClassVar, NamedTuple

import numpy as np

from sentinel.model import Bools, Floats, Int64s
from sentinel.watch.check import Gauge, Row
from sentinel.watch.snapshot import UNKNOWN, ClusterSnapshot, Family, Part

_TOPIC = ("consumergroup", "topic")
_PARTITION = (*_TOPIC, "partition")
OFFSET = Gauge("kafka_consumergroup_current_offset", "Committed offset of a group.", _PARTITION)
LAG = Gauge("kafka_consumergroup_lag", "Records that a group has yet to read.", _PARTITION)
LOST = Gauge(
    "kafka_consumergroup_lost_records",
    "Records behind a group's committed offset that are removed already.",
    _PARTITION,
)
OFFSET_SUM = Gauge(
    "kafka_consumergroup_current_offset_sum", "Committed offsets of a group, summed over a topic.", _TOPIC
)
LAG_SUM = Gauge("kafka_consumergroup_lag_sum", "Records of a topic that a group has yet to read.", _TOPIC)
MEMBERS = Gauge("kafka_consumergroup_members", "Members of a group.", ("consumergroup",))


class Lag:
    """Offsets of topics that are not watched are left out, and so are groups whose coordinator is silent."""

    name: ClassVar[str] = "lag"
    needs: ClassVar[frozenset[Part]] = frozenset({"partitions", "offsets", "groups", "commits"})
    families: ClassVar[tuple[str, ...]] = tuple(
        gauge.name for gauge in (OFFSET, LAG, LOST, OFFSET_SUM, LAG_SUM, MEMBERS)
    )

    def check(self, snapshot: ClusterSnapshot) -> list[Family]:
        found = _commits(snapshot)
        start, end = snapshot.partitions.start[found.row], snapshot.partitions.end[found.row]
        has_start, has_end = start >= 0, end >= 0
        lag = np.maximum(0, end - np.maximum(found.offset, start))
        lost = np.maximum(0, start - found.offset)
        whole = np.logical_and.reduceat(has_end, found.first) if found.topics else np.zeros(0, np.bool_)
        known = [group for group in snapshot.groups if group.members != UNKNOWN]
        return [
            OFFSET.of(zip(found.labels, found.offset.tolist(), strict=True)),
            LAG.of(_where(has_end, found.labels, lag)),
            LOST.of(_where(has_start, found.labels, lost)),
            OFFSET_SUM.of(zip(found.topics, _sums(found.offset, found.first).tolist(), strict=True)),
            LAG_SUM.of(_where(whole, found.topics, _sums(lag, found.first))),
            MEMBERS.of(((group.id,), group.members) for group in known),
        ]


class _Found(NamedTuple):
    """Commits of all groups to watched partitions, one after another."""

    labels: list[tuple[str, ...]]
    row: Int64s
    """In the table of partitions."""
    offset: Int64s
    topics: list[tuple[str, ...]]
    """(group, topic) of each run of commits."""
    first: Int64s
    """Where the run begins."""


def _commits(snapshot: ClusterSnapshot) -> _Found:
    table = snapshot.partitions
    keys = zip(table.topic, table.partition.tolist(), strict=True)
    rows = {key: (row, str(key[1])) for row, key in enumerate(keys)}
    labels: list[tuple[str, ...]] = []
    topics: list[tuple[str, ...]] = []
    row, offset, first = [], [], []
    for group in snapshot.groups:
        commits, name, last = group.commits, group.id, None
        if commits is None:
            continue
        columns = (commits.topic, commits.partition.tolist(), commits.offset.tolist())
        for topic, partition, committed in zip(*columns, strict=True):
            place = rows.get((topic, partition))
            if place is None or committed < 0:
                continue
            if topic != last:
                first.append(len(labels))
                topics.append((name, topic))
                last = topic
            labels.append((name, topic, place[1]))
            row.append(place[0])
            offset.append(committed)
    return _Found(labels, _column(row), _column(offset), topics, _column(first))


def _column(values: list[int]) -> Int64s:
    return np.array(values, np.int64)


def _where(known: Bools, labels: list[tuple[str, ...]], values: Int64s | Floats) -> Iterable[Row]:
    return zip(compress(labels, known.tolist()), values[known].tolist(), strict=True)


def _sums(values: Int64s, first: Int64s) -> Floats:
    """One sum a run, in floats: hostile offsets must not wrap around."""
    return np.add.reduceat(values.astype(np.float64), first) if len(first) else np.zeros(0)
