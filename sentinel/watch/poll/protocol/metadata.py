"""Metadata: which brokers there are, and who leads and keeps which partition."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from sentinel.watch.poll.protocol.request import Api, Request
from sentinel.watch.poll.protocol.wire import Reader, Writer

_PARTITION: Final = struct.Struct(">hii")
_WITH_EPOCH: Final = struct.Struct(">hiii")


class Node(msgspec.Struct, frozen=True):
    """A broker as the cluster advertises it."""

    id: int
    host: str
    port: int
    rack: str


class Row(msgspec.Struct, frozen=True, gc=False):
    """A partition. `leader` is -1 if it has none."""

    partition: int
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class View(msgspec.Struct, frozen=True):
    """The cluster as one broker sees it: `nodes` and `topics` by id and name, rows by partition."""

    cluster_id: str
    nodes: dict[int, Node]
    topics: dict[str, list[Row]]


class Metadata(Request[View]):
    """Asks any broker for its view, with the partitions of all topics or of none."""

    api = Api("Metadata", 3, 5, 9, flexible=9)

    def __init__(self, *, topics: bool) -> None:
        self.topics = topics

    def encode(self, out: Writer) -> None:
        out.length(-1 if self.topics else 0)
        out.int8(0)  # create no topics
        if out.version >= 8:
            out.int8(0)  # what we are allowed to do to the cluster, and to topics
            out.int8(0)
        out.tags()

    def decode(self, answer: Reader) -> View:
        answer.int32()  # throttle time
        nodes = {node.id: node for node in [_node(answer) for _ in range(answer.length())]}
        cluster_id = answer.string()
        answer.int32()  # controller: under KRaft any broker
        known: dict[bytes, tuple[int, ...]] = {}
        topics = dict(_topic(answer, known) for _ in range(answer.length()))
        return View(cluster_id, nodes, topics)


def _node(answer: Reader) -> Node:
    node = Node(answer.int32(), answer.string(), answer.int32(), answer.string())
    answer.tags()
    if node.id < 0:
        raise ValueError(f"broker {node.id}")
    return node


def _topic(answer: Reader, known: dict[bytes, tuple[int, ...]]) -> tuple[str, list[Row]]:
    answer.int16()  # error: leader not available, which the rows tell better
    name = answer.string()
    answer.int8()  # internal
    rows = {row.partition: row for row in [_row(answer, known) for _ in range(answer.length())]}
    if answer.version >= 8:
        answer.int32()
    answer.tags()
    return name, [rows[partition] for partition in sorted(rows)]


def _row(answer: Reader, known: dict[bytes, tuple[int, ...]]) -> Row:
    layout = _WITH_EPOCH if answer.version >= 7 else _PARTITION
    _, partition, leader, *_ = answer.unpack(layout)
    if partition < 0:
        raise ValueError(f"partition {partition}")
    replicas, in_sync, _ = _ids(answer, known), _ids(answer, known), _ids(answer, known)
    answer.tags()
    return Row(partition, max(leader, -1), replicas, in_sync)


def _ids(answer: Reader, known: dict[bytes, tuple[int, ...]]) -> tuple[int, ...]:
    """A list of brokers. There are few different ones among many partitions: each is kept once."""
    count = answer.length()
    raw = answer.take(4 * count)
    found = known.get(raw)
    if found is None:
        found = known[raw] = struct.unpack(f">{count}i", raw)
    return found
