"""OffsetFetch: what groups have committed. The bulk of a poll, so rows of one length are read at once."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from sentinel.watch.poll.protocol.request import Api, GroupsRequest
from sentinel.watch.poll.protocol.wire import Reader, Writer
from sentinel.watch.snapshot import Commits

_ROW: Final = struct.Struct(">iqi")
_ONE_BYTE: Final = 0x80
"""Compact lengths below are one byte long."""

Ints = tuple[int, ...]
Columns = tuple[Ints, Ints, Ints]
"""Partitions, offsets and errors of one topic's rows."""


class Fetched(msgspec.Struct, frozen=True, eq=False):
    """What is known of one group. With an `error` there are no commits; `refused`: some rows are missing."""

    error: int
    refused: bool
    commits: Commits


class OffsetFetch(GroupsRequest[Fetched]):
    """Asks the coordinator of groups for all they committed to wanted topics; answered by group.

    Partitions without a commit are left out.
    """

    api = Api("OffsetFetch", 9, 5, 8, flexible=6)
    many_from = 8

    def __init__(self, groups: Sequence[str], topics: Callable[[str], bool]) -> None:
        super().__init__(groups)
        self._topics = topics
        self._names: dict[bytes, str | None] = {}

    def encode(self, out: Writer) -> None:
        if out.version >= 8:
            out.length(len(self.groups))
            for group in self.groups:
                out.string(group)
                out.length(-1)  # every topic
                out.tags()
        else:
            out.string(self.only())
            out.length(-1)
        if out.version >= 7:
            out.int8(0)  # commits of open transactions are not waited for
        out.tags()

    def decode(self, answer: Reader) -> dict[str, Fetched]:
        answer.int32()  # throttle time
        if answer.version < 8:
            return {self.only(): self._fetched(answer)}
        return dict(self._group(answer) for _ in range(answer.length()))

    def _group(self, answer: Reader) -> tuple[str, Fetched]:
        group = answer.string(), self._fetched(answer)
        answer.tags()
        return group

    def _fetched(self, answer: Reader) -> Fetched:
        blocks: dict[str, Columns] = {}
        for _ in range(answer.length()):
            name = self._name(answer.string_bytes())
            columns = _columns(answer)
            answer.tags()
            if name is not None:
                blocks[name] = columns
        refused = any(any(errors) for _, _, errors in blocks.values())
        return Fetched(answer.int16(), refused, _commits(blocks))

    def _name(self, raw: bytes) -> str | None:
        """A topic's name, or None if it is not wanted; the same few are asked for again and again."""
        if raw not in self._names:
            name = raw.decode()
            self._names[raw] = name if self._topics(name) else None
        return self._names[raw]


def _commits(blocks: dict[str, Columns]) -> Commits:
    """Rows that hold a commit, in order."""
    topics: list[str] = []
    partitions: list[int] = []
    offsets: list[int] = []
    for name in sorted(blocks):
        partition, offset = _good(*blocks[name])
        topics += [name] * len(partition)
        partitions += partition
        offsets += offset
    return Commits(tuple(topics), np.array(partitions, np.int64), np.array(offsets, np.int64))


def _good(partitions: Ints, offsets: Ints, errors: Ints) -> tuple[Ints, Ints]:
    """Without rows that hold no commit, ordered by partition."""
    least = min(min(partitions, default=0), min(offsets, default=0))
    if any(errors) or least < 0 or list(partitions) != sorted(partitions):
        kept = sorted(row[:2] for row in zip(partitions, offsets, errors, strict=True) if _holds(*row))
        return tuple(row[0] for row in kept), tuple(row[1] for row in kept)
    return partitions, offsets


def _holds(partition: int, offset: int, error: int) -> bool:
    return partition >= 0 and offset >= 0 and not error


def _columns(answer: Reader) -> Columns:
    count = answer.length()
    columns = _uniform(answer, count) if count else ((), (), ())
    if columns is None:
        partitions, offsets, errors = zip(*[_row(answer) for _ in range(count)], strict=True)
        return partitions, offsets, errors
    return columns


def _row(answer: Reader) -> tuple[int, int, int]:
    partition, offset, _ = answer.unpack(_ROW)
    answer.skip_string()  # metadata
    error = answer.int16()
    answer.tags()
    return partition, offset, error


def _uniform(answer: Reader, count: int) -> Columns | None:
    """All rows at once if the metadata of each is as long as that of the first, as it mostly is."""
    data, at = answer.data, answer.at + _ROW.size
    if at + 2 > len(data):
        raise ValueError("ends inside a row")
    first = data[at] if answer.flexible else int.from_bytes(data[at : at + 2], "big", signed=True)
    nothing = 1 if answer.flexible else 0  # the size of an empty text; an absent one's is one less
    if answer.flexible and first >= _ONE_BYTE:
        return None
    layout = _layout(answer.flexible, max(first - nothing, 0))
    end = answer.at + count * layout.size
    if end > len(data):
        return None
    rows = layout.iter_unpack(data[answer.at : end])
    partitions, offsets, _, sizes, errors, *tags = zip(*rows, strict=True)
    same = max(sizes) <= nothing if first <= nothing else sizes.count(first) == count
    if not same or (tags and any(tags[0])):
        return None
    answer.at = end
    return partitions, offsets, errors


@functools.lru_cache(256)
def _layout(flexible: bool, size: int) -> struct.Struct:
    """A row with so many bytes of metadata."""
    return struct.Struct(f">iqiB{size}xhB" if flexible else f">iqih{size}xh")
