"""Connections to brokers that answer, refuse, fall silent, hang up and talk nonsense."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aiokafka.conn  # noqa: F401 - imported late otherwise, and inside the time-out
import pytest
import structlog

from sentinel.errors import SourceError
from sentinel.ingest.kafka_connection import KafkaConnection
from sentinel.watch.poll import connections as module
from sentinel.watch.poll.connections import Address, Connections
from sentinel.watch.poll.protocol.metadata import Metadata, Node, View
from sentinel.watch.poll.protocol.offset_fetch import OffsetFetch

from . import protocol_answers as answers

VERSIONS, METADATA = 18, 3
OFFERED: Final = struct.pack(">hi", 0, 1) + struct.pack(">hhh", METADATA, 0, 9)
VIEW: Final = View("c", {1: Node(1, "h", 9, "")}, {})
TIMEOUT_SECONDS: Final = 0.5

Handler = Callable[["Stub", asyncio.StreamWriter, int, bytes], Awaitable[None]]


class Stub:
    """Listens like a broker. `behave` is given each request's API key and correlation id, as they came."""

    def __init__(self, behave: Handler) -> None:
        self.behave = behave
        self.requests: list[int] = []
        self.accepted = 0
        self.address: Address = ("127.0.0.1", 0)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Stub:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.address[1])
        self.address = self._server.sockets[0].getsockname()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        for writer in self._open:
            writer.close()
        await asyncio.gather(*[writer.wait_closed() for writer in self._open], return_exceptions=True)
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._open.add(writer)
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(size)
                key = struct.unpack_from(">h", request)[0]
                self.requests.append(key)
                await self.behave(self, writer, key, request[4:8])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def send(writer: asyncio.StreamWriter, correlation: bytes, body: bytes) -> None:
    writer.write(struct.pack(">i", 4 + len(body)) + correlation + body)


async def well(stub: Stub, writer: asyncio.StreamWriter, key: int, correlation: bytes) -> None:
    """As a broker of one node would."""
    if key == VERSIONS:
        send(writer, correlation, OFFERED)
    else:
        send(writer, correlation, b"\0" + answers.body(Metadata(topics=False), 9, answers.metadata(VIEW)))


async def silent(stub: Stub, writer: asyncio.StreamWriter, key: int, correlation: bytes) -> None:
    """Takes everything, answers nothing: a frozen process behind its kernel."""


async def silent_later(stub: Stub, writer: asyncio.StreamWriter, key: int, correlation: bytes) -> None:
    if key == VERSIONS:
        await well(stub, writer, key, correlation)


async def hanging_up(stub: Stub, writer: asyncio.StreamWriter, key: int, correlation: bytes) -> None:
    writer.close()


def saying(data: bytes, to: int = METADATA) -> Handler:
    """These very bytes in answer to one kind of request."""

    async def behave(stub: Stub, writer: asyncio.StreamWriter, key: int, correlation: bytes) -> None:
        if key == to:
            writer.write(data.replace(b"ID!!", correlation))
        else:
            await well(stub, writer, key, correlation)

    return behave


def connections(**settings: Any) -> Connections:
    return Connections(KafkaConnection(bootstrap_servers="unused", **settings), TIMEOUT_SECONDS)


async def outcome(known: Connections, address: Address) -> str:
    """`ok` or the reason of the failure."""
    try:
        assert await known.call(address, Metadata(topics=False)) == VIEW
    except SourceError as error:
        return error.reason
    return "ok"


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def test_a_connection_is_kept_and_reopened_at_once(logged: list[Any]) -> None:
    async def scene() -> None:
        known = connections()
        async with Stub(well) as stub:
            for _ in range(3):
                known.new_round()
                assert await outcome(known, stub.address) == "ok"
            assert stub.accepted == 1
            await stub.hang_up()
            assert await outcome(known, stub.address) == "ok", "not even noticed"
            await stub.hang_up()
            await asyncio.sleep(0.05)  # noticed
            assert await outcome(known, stub.address) == "ok"
            assert stub.accepted == 3
            await known.close()

    asyncio.run(scene())
    assert logged == []


@pytest.mark.parametrize("behaviour", [silent, silent_later])
def test_time_outs_of_one_round_do_not_add_up(behaviour: Handler, logged: list[Any]) -> None:
    async def scene() -> None:
        known = connections()
        async with Stub(behaviour) as stub:
            started = time.monotonic()
            together = await asyncio.gather(*[outcome(known, stub.address) for _ in range(5)])
            assert [*together, await outcome(known, stub.address)] == ["timeout"] * 6
            assert TIMEOUT_SECONDS <= time.monotonic() - started < 2 * TIMEOUT_SECONDS
            known.new_round()
            assert await outcome(known, stub.address) == "timeout"
            stub.behave = well
            known.new_round()
            assert await outcome(known, stub.address) == "ok"
            await known.close()

    asyncio.run(scene())
    assert [entry["event"] for entry in logged] == ["broker does not answer", "broker answers again"]


def test_a_broker_that_is_away_and_comes_back() -> None:
    async def scene() -> None:
        known = connections()
        stub = Stub(well)
        async with stub:
            assert await outcome(known, stub.address) == "ok"
        known.new_round()
        assert await outcome(known, stub.address) == "ConnectionRefusedError"
        async with stub:
            assert await outcome(known, stub.address) == "ConnectionRefusedError", "in the same round"
            known.new_round()
            assert await outcome(known, stub.address) == "ok"
            await known.close()

    asyncio.run(scene())


FRAME: Final = struct.pack(">i", 8) + b"ID!!"
HOSTILE: Final = {
    "hangs up": hanging_up,
    "other correlation": saying(struct.pack(">ii", 5, 99) + b"\0"),
    "negative size": saying(struct.pack(">i", -1)),
    "no header": saying(struct.pack(">i", 2) + b"ab"),
    "empty": saying(struct.pack(">i", 0)),
    "http": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "endless": saying(struct.pack(">i", 2**31 - 1) + b"x" * 5000),
    "short body": saying(FRAME + b"\0\0\0\0"),
    "noise": saying(struct.pack(">i", 40) + b"ID!!" + b"\xff" * 36),
    "versions cut": saying(struct.pack(">i", 4) + b"ID!!", VERSIONS),
    "versions upside down": saying(
        struct.pack(">i", 16) + b"ID!!" + struct.pack(">hihhh", 0, 1, 3, 9, 0), VERSIONS
    ),
    "many versions": saying(struct.pack(">i", 10) + b"ID!!" + struct.pack(">hi", 0, 2**31 - 1), VERSIONS),
}


@pytest.mark.parametrize("behaviour", HOSTILE.values(), ids=HOSTILE)
def test_nonsense_is_an_error_of_this_broker(behaviour: Handler) -> None:
    async def scene() -> None:
        known = connections()
        async with Stub(behaviour) as stub, Stub(well) as other:
            assert await outcome(known, stub.address) != "ok"
            assert await outcome(known, other.address) == "ok"
            stub.behave = well
            known.new_round()
            assert await outcome(known, stub.address) == "ok"
            await known.close()

    asyncio.run(scene())


@pytest.mark.parametrize("address", [("127.0.0.1", 10**9), ("", 0), ("\0", 1), ("a..b", 9), ("x" * 300, 9)])
def test_an_address_that_is_none(address: Address) -> None:
    async def scene() -> None:
        assert await outcome(connections(), address) not in ("ok", "timeout")

    asyncio.run(scene())


def test_a_request_that_the_broker_does_not_know_leaves_the_connection_alone(logged: list[Any]) -> None:
    async def scene() -> None:
        known = connections()
        async with Stub(well) as stub:
            for _ in range(2):
                with pytest.raises(
                    SourceError, match="OffsetFetch is understood in versions 5 to 8"
                ) as refused:
                    await known.call(stub.address, OffsetFetch(["g"], lambda topic: True))
                assert refused.value.reason == "unsupported"
            assert await outcome(known, stub.address) == "ok"
            assert stub.accepted == 1
            await known.close()

    asyncio.run(scene())
    assert [entry["event"] for entry in logged] == ["request not understood"]


def test_files_are_read_with_each_attempt(tmp_path: Path) -> None:
    password = tmp_path / "password"

    async def scene() -> None:
        known = connections(
            security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password_file=str(password)
        )
        async with Stub(well) as stub:
            assert await outcome(known, stub.address) == "ConfigError"
            assert stub.accepted == 0
            password.write_text("p")
            known.new_round()
            await outcome(known, stub.address)
            assert stub.accepted == 1
            await known.close()

    asyncio.run(scene())


def test_large_answers_are_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        known = connections()
        async with Stub(well) as stub:
            monkeypatch.setattr(module, "LARGE", 8)
            assert await outcome(known, stub.address) == "ok"
            await known.close()

    asyncio.run(scene())
