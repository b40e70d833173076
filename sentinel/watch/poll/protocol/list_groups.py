"""ListGroups: the groups that one broker coordinates."""

from __future__ import annotations

import msgspec

from sentinel.watch.poll.protocol.request import Api, Request
from sentinel.watch.poll.protocol.wire import Reader, Writer


class Listed(msgspec.Struct, frozen=True):
    """A group. `state` and `type` (lower case) are empty with brokers too old to tell."""

    id: str
    protocol: str
    state: str
    type: str


class GroupList(msgspec.Struct, frozen=True):
    """`error` other than 0: there may be more."""

    error: int
    groups: list[Listed]


class ListGroups(Request[GroupList]):
    """Asks one broker; all of them together give all groups."""

    api = Api("ListGroups", 16, 1, 5, flexible=3)

    def encode(self, out: Writer) -> None:
        if out.version >= 4:
            out.strings([])  # in every state
        if out.version >= 5:
            out.strings([])  # of every type
        out.tags()

    def decode(self, answer: Reader) -> GroupList:
        answer.int32()  # throttle time
        return GroupList(answer.int16(), [_listed(answer) for _ in range(answer.length())])


def _listed(answer: Reader) -> Listed:
    group, protocol = answer.string(), answer.string()
    state = answer.string() if answer.version >= 4 else ""
    type_ = answer.string().lower() if answer.version >= 5 else ""
    answer.tags()
    return Listed(group, protocol, state, type_)
