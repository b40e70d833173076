"""One poll: whom it may ask, and of which parts somebody did not give his share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from sentinel.errors import SourceError
from sentinel.watch.poll.connections import Address, Connections
from sentinel.watch.poll.protocol.request import Request
from sentinel.watch.snapshot import Part

Answer = TypeVar("Answer")


class Round:
    """`brokers` are the registered ones by id; `anyone` are the addresses whose view of the cluster is taken.

    Nothing here raises for what a broker does: the answer is None, and the parts it was for are incomplete.
    """

    def __init__(
        self, connections: Connections, brokers: Mapping[int, Address], anyone: Sequence[Address]
    ) -> None:
        self.brokers, self.incomplete = brokers, set[Part]()
        self._connections, self._anyone = connections, anyone

    async def ask(self, broker: int, request: Request[Answer], *parts: Part) -> Answer | None:
        """The answer of this broker."""
        if broker in self.brokers:
            answer = await self._call(self.brokers[broker], request)
            if answer is not None:
                return answer
        self.incomplete.update(parts)
        return None

    async def ask_anyone(self, request: Request[Answer], *parts: Part) -> Answer | None:
        """The answer of the first that gives one."""
        for address in self._anyone:
            answer = await self._call(address, request)
            if answer is not None:
                return answer
        self.incomplete.update(parts)
        return None

    async def _call(self, address: Address, request: Request[Answer]) -> Answer | None:
        try:
            return await self._connections.call(address, request)
        except SourceError:
            return None
