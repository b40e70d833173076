"""What a check is: a function of a cluster's snapshot that gives gauges.

A new check is one file and one line in the entry points `sentinel.checks`; contract tests find it there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

import msgspec

from sentinel import plugins
from sentinel.watch.snapshot import ClusterSnapshot, Family, Part, PartitionTable

Row = tuple[tuple[str, ...], float]


class Check(Protocol):
    """Pure and deterministic: the same snapshot gives the same families, and nothing outside is asked.

    What a snapshot does not know is left out, never given as NaN or as a guess. The label `cluster` is laid
    over everything later. A check that needs no more than `brokers` is also run when nobody answered.
    """

    name: ClassVar[str]
    """As in the entry points; it also names the partition that its samples travel in."""
    needs: ClassVar[frozenset[Part]]
    families: ClassVar[tuple[str, ...]]
    """Every name it may give; no two checks give the same."""

    def check(self, snapshot: ClusterSnapshot) -> list[Family]: ...


class Gauge(msgspec.Struct, frozen=True):
    """What is the same of a family in every poll. The text of `help` is the reference's text."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def of(self, rows: Iterable[Row]) -> Family:
        return Family(self.name, self.help, self.labels, list(rows))


def installed() -> list[Check]:
    """One of every check there is, by name."""
    return [plugins.load("checks", name)() for name in plugins.names("checks")]


def speaks_of_silence(check: Check) -> bool:
    """Whether it says something true of a cluster that does not answer."""
    return check.needs <= {"brokers"}


def partition_labels(partitions: PartitionTable) -> list[tuple[str, ...]]:
    """The values of the labels `topic` and `partition`, one row a partition."""
    return list(zip(partitions.topic, map(str, partitions.partition.tolist()), strict=True))
