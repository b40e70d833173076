"""FindCoordinator: which broker is responsible for a group."""

from __future__ import annotations

from sentinel.watch.poll.protocol.request import Api, GroupsRequest
from sentinel.watch.poll.protocol.wire import Reader, Writer


class FindCoordinator(GroupsRequest[int]):
    """Asks any broker; answered by broker ids by group, without the groups that have no coordinator now."""

    api = Api("FindCoordinator", 10, 1, 4, flexible=3)
    many_from = 4

    def encode(self, out: Writer) -> None:
        if out.version < 4:
            out.string(self.only())
        out.int8(0)  # of groups
        if out.version >= 4:
            out.strings(self.groups)
        out.tags()

    def decode(self, answer: Reader) -> dict[str, int]:
        answer.int32()  # throttle time
        if answer.version < 4:
            error = answer.int16()
            answer.skip_string()  # message
            broker = answer.int32()
            answer.skip_string()  # host
            answer.int32()  # port
            return {} if error else {self.only(): broker}
        return dict(found for _ in range(answer.length()) if (found := _found(answer)) is not None)


def _found(answer: Reader) -> tuple[str, int] | None:
    group, broker = answer.string(), answer.int32()
    answer.skip_string()  # host
    answer.int32()  # port
    error = answer.int16()
    answer.skip_string()  # message
    answer.tags()
    return None if error else (group, broker)
