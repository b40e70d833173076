"""Connections to a cluster's brokers, kept between polls. Everything about aiokafka's connection is here.

A round is one poll: an address that failed in it fails at once for the rest of it, so that the time-outs
of several requests do not add up.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

from sentinel.errors import SourceError
from sentinel.ingest.kafka_connection import KafkaConnection, client_options
from sentinel.telemetry import logger
from sentinel.watch.poll.protocol.request import Exchange, Request, exchange, read

Address = tuple[str, int]
"""Host and port."""

Answer = TypeVar("Answer")

LARGE: Final = 64 << 10
"""Longer answers, in bytes, are read in a thread: the event loop has pagers to serve."""

_CLOSE_SECONDS: Final = 1.0
_CLOSED: Final = "it closed the connection; is security_protocol right?"


class Connections:
    """One connection an address, opened on first use, and at once again when it broke."""

    def __init__(self, settings: KafkaConnection, timeout_seconds: float) -> None:
        self._settings, self._timeout = settings, timeout_seconds
        self._open: dict[Address, _Connection] = {}
        self._failed: dict[Address, SourceError] = {}
        self._told: dict[Address, str] = {}
        self._misfits: set[tuple[Address, str, str]] = set()
        self._logger = logger("watch")

    def new_round(self) -> None:
        """What failed is tried again. To be called while no request is under way."""
        self._told = {address: error.reason for address, error in self._failed.items()}
        self._failed = {}
        for address in [address for address, known in self._open.items() if not known.usable()]:
            self._open.pop(address).close()

    async def call(self, address: Address, request: Request[Answer]) -> Answer:
        """Asks, within the time-out, connecting included. Raises SourceError: the round's, if it has one."""
        try:
            async with asyncio.timeout(self._timeout):
                answers = await self._ask(address, request)
            return await self._read(address, request, answers)
        except TimeoutError:
            raise self._fail(address, f"no answer within {self._timeout:g} s", "timeout") from None
        except SourceError as error:
            self._tell_of_misfit(address, request, error)
            raise

    async def close(self) -> None:
        """Closes all; whatever is asked afterwards opens them again."""
        known, self._open = self._open, {}
        futures = [future for each in known.values() if (future := each.close()) is not None]
        if futures:
            await asyncio.wait(futures, timeout=_CLOSE_SECONDS)

    async def _read(self, address: Address, request: Request[Answer], answers: Exchange[Answer]) -> Answer:
        if self._told.pop(address, None):
            self._logger.info("broker answers again", broker=_named(address))
        if sum(len(answer.data) for _, answer in answers) > LARGE:
            return await asyncio.to_thread(read, request, answers)
        return read(request, answers)

    async def _ask(self, address: Address, request: Request[Answer]) -> Exchange[Answer]:
        connection = self._open.setdefault(address, _Connection(address))
        while True:
            if address in self._failed:
                raise self._failed[address]
            kept = connection.usable()
            try:
                return await connection.ask(request, self._settings, self._timeout)
            except (SourceError, TimeoutError):
                raise
            except Exception as error:  # the client's, TLS's and the network's are too many to name
                connection.close()
                if not kept:  # a kept one may have been closed at the other end since
                    raise self._fail(address, str(error) or _CLOSED, type(error).__name__) from None

    def _fail(self, address: Address, why: str, reason: str) -> SourceError:
        """Closes the connection and remembers why for this round. Logged once, not with each poll."""
        if address in self._open:
            self._open[address].close()
        if address not in self._failed:
            self._failed[address] = SourceError(f"broker {_named(address)}: {why}", reason=reason)
            if self._told.get(address) != reason:
                self._logger.warning(
                    "broker does not answer", broker=_named(address), reason=reason, error=why
                )
        return self._failed[address]

    def _tell_of_misfit(self, address: Address, request: Request[Any], error: SourceError) -> None:
        """Logs, once, that a broker answers but does not speak as it should."""
        misfit = (address, request.api.name, error.reason)
        if address not in self._failed and misfit not in self._misfits:
            self._misfits.add(misfit)
            self._logger.warning(
                "request not understood", broker=_named(address), reason=error.reason, error=str(error)
            )


def _named(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


class _Connection:
    """aiokafka's connection to one address: it negotiates versions, encrypts and authenticates."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Any = None
        self._opening = asyncio.Lock()

    def usable(self) -> bool:
        return self._client is not None and bool(self._client.connected())

    async def ask(
        self, request: Request[Answer], settings: KafkaConnection, timeout_seconds: float
    ) -> Exchange[Answer]:
        """Connects if need be, sends and waits. Raises whatever goes wrong."""
        async with self._opening:
            if not self.usable():
                self.close()
                self._client = await _connected(self._address, settings, timeout_seconds)
        return await exchange(self._client, request)

    def close(self) -> asyncio.Future[None] | None:
        """Without waiting for what a silent broker never took. Returns what is done when it is closed."""
        client, self._client = self._client, None
        if client is None:
            return None
        if client._writer is not None:
            client._writer.transport.abort()
        closed: asyncio.Future[None] = client.close()
        return closed


async def _connected(address: Address, settings: KafkaConnection, timeout_seconds: float) -> Any:
    """Files are read anew. The library's own time-out is only a backstop: the caller's comes first."""
    from aiokafka.conn import AIOKafkaConnection  # the client: only who watches imports it

    options = await asyncio.to_thread(client_options, settings)
    del options["bootstrap_servers"]
    options["request_timeout_ms"] = int(2000 * timeout_seconds)
    client = AIOKafkaConnection(*address, **options)
    await client.connect()
    return client
