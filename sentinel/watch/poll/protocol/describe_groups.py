"""DescribeGroups and ConsumerGroupDescribe: state and members, of groups of either protocol."""

from __future__ import annotations

import msgspec

from sentinel.watch.poll.protocol.request import Api, GroupsRequest
from sentinel.watch.poll.protocol.wire import Reader, Writer


class Described(msgspec.Struct, frozen=True):
    """A group as its coordinator sees it; a group that does not exist has the state Dead."""

    error: int
    state: str
    members: int


class DescribeGroups(GroupsRequest[Described]):
    """Asks a coordinator for groups of the classic protocol. Those of KIP-848 it calls Dead."""

    api = Api("DescribeGroups", 15, 1, 5, flexible=5)
    many_from = 0

    def encode(self, out: Writer) -> None:
        out.strings(self.groups)
        if out.version >= 3:
            out.int8(0)  # what we are allowed to do
        out.tags()

    def decode(self, answer: Reader) -> dict[str, Described]:
        answer.int32()  # throttle time
        return dict(_classic(answer) for _ in range(answer.length()))


def _classic(answer: Reader) -> tuple[str, Described]:
    error, group, state = answer.int16(), answer.string(), answer.string()
    answer.skip_string()  # protocol type
    answer.skip_string()  # protocol
    members = answer.length()
    for _ in range(members):
        answer.skip_string()  # member
        if answer.version >= 4:
            answer.skip_string()  # instance
        answer.skip_string()  # client
        answer.skip_string()  # host
        answer.skip_bytes()  # metadata
        answer.skip_bytes()  # assignment
        answer.tags()
    if answer.version >= 3:
        answer.int32()
    answer.tags()
    return group, Described(error, state, members)


class ConsumerGroupDescribe(GroupsRequest[Described]):
    """Asks a coordinator for groups of KIP-848's protocol."""

    api = Api("ConsumerGroupDescribe", 69, 0, 1, flexible=0)
    many_from = 0

    def encode(self, out: Writer) -> None:
        out.strings(self.groups)
        out.int8(0)  # what we are allowed to do
        out.tags()

    def decode(self, answer: Reader) -> dict[str, Described]:
        answer.int32()  # throttle time
        return dict(_consumer(answer) for _ in range(answer.length()))


def _consumer(answer: Reader) -> tuple[str, Described]:
    error = answer.int16()
    answer.skip_string()  # message
    group, state = answer.string(), answer.string()
    answer.skip(8)  # epochs of group and assignment
    answer.skip_string()  # assignor
    members = answer.length()
    for _ in range(members):
        _skip_member(answer)
    answer.int32()
    answer.tags()
    return group, Described(error, state, members)


def _skip_member(answer: Reader) -> None:
    for _ in range(3):
        answer.skip_string()  # member, instance, rack
    answer.int32()  # epoch
    answer.skip_string()  # client
    answer.skip_string()  # host
    for _ in range(answer.length()):
        answer.skip_string()  # subscribed topic
    answer.skip_string()  # subscribed expression
    _skip_assignment(answer)
    _skip_assignment(answer)  # the target
    if answer.version >= 1:
        answer.int8()  # type of member
    answer.tags()


def _skip_assignment(answer: Reader) -> None:
    for _ in range(answer.length()):
        answer.skip(16)  # topic's UUID
        answer.skip_string()
        answer.skip(4 * answer.length())
        answer.tags()
    answer.tags()
