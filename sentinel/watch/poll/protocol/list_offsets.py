"""ListOffsets: the first and the last offset of partitions, asked of their leader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from sentinel.model import Int64s
from sentinel.watch.poll.protocol.request import Api, Request
from sentinel.watch.poll.protocol.wire import Reader, Writer

_TIMES: Final = {"latest": -1, "earliest": -2}
_HEAD: Final = [("partition", ">i4"), ("error", ">i2"), ("time", ">i8"), ("offset", ">i8")]


class Offsets(msgspec.Struct, frozen=True, eq=False):
    """Columns of one topic. Where `error` is not 0, `offset` means nothing."""

    partition: Int64s
    offset: Int64s
    error: Int64s


class ListOffsets(Request[dict[str, Offsets]]):
    """Asks for the offset of the oldest record, or of the next one (high watermark), by topic."""

    api = Api("ListOffsets", 2, 2, 6, flexible=6)

    def __init__(self, which: Literal["earliest", "latest"], partitions: Mapping[str, Int64s]) -> None:
        self.which, self.partitions = which, partitions

    def encode(self, out: Writer) -> None:
        out.int32(-1)  # we are no replica
        out.int8(0)  # uncommitted records count
        out.length(len(self.partitions))
        for topic, partitions in self.partitions.items():
            out.string(topic)
            out.length(len(partitions))
            rows = np.zeros(len(partitions), _request_row(out))
            rows["partition"], rows["time"] = partitions, _TIMES[self.which]
            if out.version >= 4:
                rows["epoch"] = -1
            out.raw(rows.tobytes())
            out.tags()
        out.tags()

    def decode(self, answer: Reader) -> dict[str, Offsets]:
        answer.int32()  # throttle time
        found = {}
        for _ in range(answer.length()):
            topic = answer.string()
            found[topic] = _offsets(answer)
            answer.tags()
        return found


def _request_row(out: Writer) -> np.dtype[np.void]:
    epoch = [("epoch", ">i4")] if out.version >= 4 else []
    tags = [("tags", "u1")] if out.flexible else []
    return np.dtype([("partition", ">i4"), *epoch, ("time", ">i8"), *tags])


def _offsets(answer: Reader) -> Offsets:
    epoch = [("epoch", ">i4")] if answer.version >= 4 else []
    tags = [("tags", "u1")] if answer.flexible else []
    layout = np.dtype([*_HEAD, *epoch, *tags])
    count = answer.length()
    rows = np.frombuffer(answer.take(count * layout.itemsize), layout)
    if answer.flexible and rows["tags"].any():
        raise ValueError("tagged fields in a version that has none")
    columns = (rows[name].astype(np.int64) for name in ("partition", "offset", "error"))
    return Offsets(*columns)
