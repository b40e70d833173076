"""What a request is, and how one travels over aiokafka's connection without that library decoding it."""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from io import BytesIO
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from sentinel.errors import SourceError
from sentinel.watch.poll.protocol.wire import Reader, Writer

Answer = TypeVar("Answer")


class Api(msgspec.Struct, frozen=True):
    """One of Kafka's API keys, with the versions that are understood here."""

    name: str
    key: int
    lowest: int
    highest: int
    flexible: int
    """The first version with compact lengths and tagged fields."""

    def version(self, offered: Mapping[int, tuple[int, int]]) -> int:
        """The newest that both sides know. Raises SourceError if there is none."""
        lowest, highest = offered.get(self.key, (0, -1))
        version = min(highest, self.highest)
        if version < max(lowest, self.lowest):
            theirs = f"offers {lowest} to {highest}" if self.key in offered else "does not know it"
            raise SourceError(
                f"{self.name} is understood in versions {self.lowest} to {self.highest}, the broker {theirs}",
                reason="unsupported",
                retryable=False,
            )
        return version


class Request(ABC, Generic[Answer]):
    """A request of which the values are known and the version is not yet."""

    api: ClassVar[Api]

    @abstractmethod
    def encode(self, out: Writer) -> None:
        """Writes the body."""

    @abstractmethod
    def decode(self, answer: Reader) -> Answer:
        """Reads the answer's body. Raises ValueError or struct.error if the bytes are not one."""

    def split(self, version: int) -> Sequence[Request[Answer]]:
        """The requests to send instead of this one where the version does not carry all of it."""
        return [self]

    def join(self, answers: Sequence[Answer]) -> Answer:
        """Their answers as one."""
        (answer,) = answers
        return answer


class GroupsRequest(Request[dict[str, Answer]]):
    """A request about groups that is for a single one before version `many_from`; answered by group."""

    many_from: ClassVar[int]

    def __init__(self, groups: Sequence[str]) -> None:
        self.groups = groups

    def split(self, version: int) -> Sequence[Request[dict[str, Answer]]]:
        if version >= self.many_from:
            return [self]
        parts = [copy(self) for _ in self.groups]
        for part, group in zip(parts, self.groups, strict=True):
            part.groups = [group]
        return parts

    def join(self, answers: Sequence[dict[str, Answer]]) -> dict[str, Answer]:
        return {group: answer for part in answers for group, answer in part.items()}

    def only(self) -> str:
        """The group of a request that is for a single one."""
        (group,) = self.groups
        return group


Exchange = Sequence[tuple[Request[Answer], Reader]]
"""What was sent for one request, each with the bytes that came back."""


async def exchange(client: Any, request: Request[Answer]) -> Exchange[Answer]:
    """Sends over aiokafka's connection. Raises SourceError if the broker does not know the request."""
    parts = request.split(request.api.version(client._versions))
    return list(zip(parts, await asyncio.gather(*[client.send(_Sending(p)) for p in parts]), strict=True))


def read(request: Request[Answer], exchanged: Exchange[Answer]) -> Answer:
    """The answer to this request. Raises SourceError if what came back is none."""
    try:
        return request.join([part.decode(answer) for part, answer in exchanged])
    except (ValueError, struct.error) as error:
        raise SourceError(f"malformed answer to {request.api.name}: {error}", reason="protocol") from None


class _Sending:
    """The shape that aiokafka's `AIOKafkaConnection.send` expects of a request; gives a `Reader` back."""

    def __init__(self, request: Request[Any]) -> None:
        self._request = request

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> _Sent:
        """Called with what the broker offers. Raises SourceError if that does not include our versions."""
        return _Sent(self._request, self._request.api.version(versions))


class _Sent:
    """A request of a chosen version; stands in for aiokafka's request, its header and its response type."""

    def __init__(self, request: Request[Any], version: int) -> None:
        self._version, self._flexible = version, version >= request.api.flexible
        self._request = request
        self.correlation_id = 0
        self.RESPONSE_TYPE = self

    def build_request_header(self, correlation_id: int, client_id: str) -> _Header:
        header = Writer(self._version, False)  # the client's id is never compact
        header.int16(self._request.api.key)
        header.int16(self._version)
        header.int32(correlation_id)
        header.string(client_id)
        header.flexible = self._flexible
        header.tags()
        return _Header(bytes(header.buffer))

    def encode(self) -> bytes:
        body = Writer(self._version, self._flexible)
        self._request.encode(body)
        return bytes(body.buffer)

    def parse_response_header(self, answer: BytesIO) -> _Sent:
        head = Reader(answer.read(), self._version, self._flexible)
        self.correlation_id = head.int32()
        head.tags()
        answer.seek(head.at)
        return self

    def decode(self, answer: BytesIO) -> Reader:
        return Reader(answer.read(), self._version, self._flexible)


class _Header(msgspec.Struct, frozen=True):
    text: bytes

    def encode(self) -> bytes:
        return self.text
