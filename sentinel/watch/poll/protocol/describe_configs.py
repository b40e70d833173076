"""DescribeConfigs: one setting of many topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sentinel.watch.poll.protocol.request import Api, Request
from sentinel.watch.poll.protocol.wire import Reader, Writer

_TOPIC: Final = 2


class DescribeConfigs(Request[dict[str, str]]):
    """Asks any broker for a setting of topics; the answer lacks those that it refused."""

    api = Api("DescribeConfigs", 32, 1, 4, flexible=4)

    def __init__(self, key: str, topics: Sequence[str]) -> None:
        self.topics, self._key = topics, key

    def encode(self, out: Writer) -> None:
        out.length(len(self.topics))
        for topic in self.topics:
            out.int8(_TOPIC)
            out.string(topic)
            out.strings([self._key])
            out.tags()
        out.int8(0)  # no synonyms
        if out.version >= 3:
            out.int8(0)  # no documentation
        out.tags()

    def decode(self, answer: Reader) -> dict[str, str]:
        answer.int32()  # throttle time
        found = {}
        for _ in range(answer.length()):
            error = answer.int16()
            answer.skip_string()  # message
            answer.int8()  # type
            topic = answer.string()
            settings = dict(_setting(answer) for _ in range(answer.length()))
            answer.tags()
            if not error and self._key in settings:
                found[topic] = settings[self._key]
        return found


def _setting(answer: Reader) -> tuple[str, str]:
    key, value = answer.string(), answer.string()
    answer.skip(3)  # read only, source, sensitive
    for _ in range(answer.length()):
        answer.skip_string()  # synonym
        answer.skip_string()
        answer.int8()
        answer.tags()
    if answer.version >= 3:
        answer.int8()  # type
        answer.skip_string()  # documentation
    answer.tags()
    return key, value
