"""Writes what a broker answers, in any version that the requests understand: the other end of the codecs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sentinel.watch.poll.protocol.list_groups import GroupList
from sentinel.watch.poll.protocol.metadata import View
from sentinel.watch.poll.protocol.request import Exchange, Request, read
from sentinel.watch.poll.protocol.wire import Reader, Writer

Commit = tuple[int, int, str | None, int]
"""Partition, offset, metadata and error."""

Offset = tuple[int, int, int]
"""Partition, offset and error."""


def body(request: Request[Any], version: int, write: Callable[[Writer], None]) -> bytes:
    """What `write` writes as an answer of this version."""
    out = Writer(version, version >= request.api.flexible)
    write(out)
    return bytes(out.buffer)


def exchanged(request: Request[Any], version: int, *bodies: bytes) -> Exchange[Any]:
    """These bodies as the answers to what the request is sent as."""
    parts = request.split(version)
    readers = [Reader(each, version, version >= request.api.flexible) for each in bodies]
    return list(zip(parts, readers, strict=True))


def answered(request: Request[Any], version: int, write: Callable[[Writer], None]) -> Any:
    """What the request makes of one such answer. Raises SourceError."""
    return read(request, exchanged(request, version, body(request, version, write)))


def metadata(view: View) -> Callable[[Writer], None]:
    def write(out: Writer) -> None:
        out.int32(0)
        out.length(len(view.nodes))
        for node in view.nodes.values():
            out.int32(node.id)
            out.string(node.host)
            out.int32(node.port)
            out.string(node.rack)
            out.tags()
        out.string(view.cluster_id)
        out.int32(1)
        out.length(len(view.topics))
        for name in view.topics:
            _topic(out, view, name)
        if out.version >= 8:
            out.int32(-(2**31))
        out.tags()

    return write


def _topic(out: Writer, view: View, name: str) -> None:
    out.int16(0)
    out.string(name)
    out.int8(0)
    out.length(len(view.topics[name]))
    for row in reversed(view.topics[name]):  # in no order
        out.int16(0 if row.leader >= 0 else 5)
        out.int32(row.partition)
        out.int32(row.leader)
        if out.version >= 7:
            out.int32(4)
        for ids in (row.replicas, row.in_sync, ()):
            out.length(len(ids))
            for each in ids:
                out.int32(each)
        out.tags()
    if out.version >= 8:
        out.int32(-(2**31))
    out.tags()


def list_groups(found: GroupList) -> Callable[[Writer], None]:
    def write(out: Writer) -> None:
        out.int32(0)
        out.int16(found.error)
        out.length(len(found.groups))
        for group in found.groups:
            out.string(group.id)
            out.string(group.protocol)
            if out.version >= 4:
                out.string(group.state)
            if out.version >= 5:
                out.string(group.type.title())
            out.tags()
        out.tags()

    return write


def offset_fetch(
    groups: Mapping[str, tuple[int, Mapping[str, Iterable[Commit]]]],
) -> Callable[[Writer], None]:
    """By group: its error, and its commits by topic. Before version 8 there is one group."""

    def write(out: Writer) -> None:
        out.int32(0)
        if out.version >= 8:
            out.length(len(groups))
        for group, (error, topics) in groups.items():
            if out.version >= 8:
                out.string(group)
            out.length(len(topics))
            for topic, commits in topics.items():
                _commits(out, topic, list(commits))
            out.int16(error)
            out.tags()
        if out.version >= 8:
            out.tags()

    return write


def _commits(out: Writer, topic: str, commits: list[Commit]) -> None:
    out.string(topic)
    out.length(len(commits))
    for partition, offset, text, error in commits:
        out.int32(partition)
        out.int64(offset)
        out.int32(-1)
        out.string(text)
        out.int16(error)
        out.tags()
    out.tags()


def list_offsets(topics: Mapping[str, Iterable[Offset]]) -> Callable[[Writer], None]:
    def write(out: Writer) -> None:
        out.int32(0)
        out.length(len(topics))
        for topic, rows in topics.items():
            rows = list(rows)
            out.string(topic)
            out.length(len(rows))
            for partition, offset, error in rows:
                out.int32(partition)
                out.int16(error)
                out.int64(-1)
                out.int64(offset)
                if out.version >= 4:
                    out.int32(0)
                out.tags()
            out.tags()
        out.tags()

    return write
