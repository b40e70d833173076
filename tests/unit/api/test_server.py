"""The server against clients that are wrong, slow or too many, and against mistakes of our own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from sentinel.api import faults
from sentinel.api.server import Bounds, Server, parse_address, serve
from sentinel.errors import ConfigErrors, StateError
from sentinel.telemetry import REGISTRY

from .serving import Answer, get, raw, serving

HEAD = b"GET /hello HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def bad_requests(reason: str) -> float:
    return REGISTRY.get_sample_value("sentinel_http_bad_requests_total", {"reason": reason}) or 0.0


def ask(question: Callable[[Server], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        async with serving(**settings) as server:
            return await question(server)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client that speaks TLS\r\n\r\n", 400, "malformed"),
        (b"GET\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/9\r\n\r\n", 400, "malformed"),
        (b"\0\0\0\0\r\n\r\n", 400, "malformed"),
        (HEAD + b"bad header\r\n\r\n", 400, "malformed"),
        (HEAD + b"Authorization: Basic c2VjcmV0\0\r\n\r\n", 400, "malformed"),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400, "malformed"),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400, "header_too_large"),
        (HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 400, "header_too_large"),
        (HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(500)) + b"\r\n", 400, "malformed"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed"),
    ],
)
def test_what_cannot_be_read_is_counted_and_said_in_one_line(
    data: bytes, status: int, reason: str, logged: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    before = bad_requests(reason)

    async def question(server: Server) -> tuple[Answer, Answer]:
        for _ in range(4):
            await raw(server.port, data)
        return await raw(server.port, data), await get(server.port, "/hello")

    bad, good = ask(question)
    assert (bad.status, good.status) == (status, 200)
    assert bad_requests(reason) >= before + 5
    warnings = [entry for entry in logged if entry["log_level"] != "info"]
    assert len(warnings) <= 1, warnings
    assert "c2VjcmV0" not in json.dumps(logged)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_mistake_of_ours(logged: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]) -> None:
    answer: Answer = ask(lambda server: get(server.port, "/broken"))
    assert (answer.status, answer.body) == (500, "internal error; the log says more\n")
    (entry,) = [entry for entry in logged if entry["log_level"] == "error"]
    assert entry["path"] == "/broken" and entry["error"] == "KeyError: 'our mistake'"
    assert entry["at"].startswith("serving.py:") and "Traceback" not in "".join(capfd.readouterr())
    assert REGISTRY.get_sample_value("sentinel_http_errors_total", {"path": "/broken"}) == 1


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/echo", 405), ("/hello", 200)])
def test_answers_are_plain_and_say_nothing_of_versions(path: str, status: int) -> None:
    answer: Answer = ask(lambda server: get(server.port, path))
    assert answer.status == status and answer.headers["content-type"].startswith("text/plain")
    assert "server" not in answer.headers and len(answer.body) < 40


def test_a_head_that_does_not_come_ends_the_connection() -> None:
    async def question(server: Server) -> tuple[Answer, Answer]:
        return await raw(server.port, HEAD), await raw(server.port, b"")

    assert {answer.status for answer in ask(question, bounds=Bounds(idle_seconds=0.2))} == {0}


def test_a_body_that_does_not_come_is_answered(logged: list[dict[str, Any]]) -> None:
    before = bad_requests("slow")
    data = POST + b"Content-Length: 10\r\n\r\nabc"
    answer: Answer = ask(lambda server: raw(server.port, data), bounds=Bounds(body_seconds=0.2))
    assert answer.status == 408 and "within 0.2 s" in answer.body
    assert bad_requests("slow") == before + 1
    assert all(entry["log_level"] == "info" for entry in logged)


def test_a_client_that_leaves_is_no_mistake_of_ours(logged: list[dict[str, Any]]) -> None:
    before = bad_requests("disconnected")

    async def question(server: Server) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(POST + b"Content-Length: 10\r\n\r\nabc")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0.2)

    ask(question)
    assert bad_requests("disconnected") == before + 1
    assert all(entry["log_level"] == "info" for entry in logged)


def test_idle_connections_make_room_and_busy_ones_do_not() -> None:
    async def question(server: Server) -> tuple[Answer, Answer]:
        async with contextlib.AsyncExitStack() as stack:
            idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
            stack.push_async_callback(_close, idle)
            await asyncio.sleep(0.05)
            with_room = await get(server.port, "/hello")
            busy = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
            stack.push_async_callback(_close, busy)
            for _, writer in busy:
                writer.write(POST + b"Content-Length: 10\r\n\r\nabc")
            await asyncio.sleep(0.05)
            return with_room, await get(server.port, "/hello")

    with_room, without = ask(question, bounds=Bounds(connections=3))
    assert (with_room.status, without.status) == (200, 0)


async def _close(connections: list[tuple[Any, asyncio.StreamWriter]]) -> None:
    for _, writer in connections:
        writer.close()


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        (":9464", ("", 9464)),
        ("[::1]:0", ("::1", 0)),
        ("a.b:65535", ("a.b", 65535)),
    ],
)
def test_addresses(listen: str, address: tuple[str, int]) -> None:
    assert parse_address(listen) == address


@pytest.mark.parametrize(
    "listen", ["", "9464", "localhost", "::1:80", "a:b", "a:-1", "a:65536", "a:٣", "a: 1"]
)
def test_what_is_no_address(listen: str) -> None:
    with pytest.raises(StateError, match="write host:port, for example"):
        parse_address(listen)


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StateError, match=r"Address already in use; see --web\.listen-address"):
            asyncio.run(_serve(listen))


def test_a_wrong_web_config_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("a: b")
    with pytest.raises(ConfigErrors, match="unknown key 'a'"):
        asyncio.run(_serve("127.0.0.1:0", tmp_path / "web.yml"))


@pytest.mark.parametrize(
    ("listen", "warned"), [("127.0.0.1:0", False), ("localhost:0", False), ("0.0.0.0:0", True)]
)
def test_an_open_door_is_said_once(listen: str, warned: bool, logged: list[dict[str, Any]]) -> None:
    asyncio.run(_serve(listen))
    warnings = [entry for entry in logged if entry["log_level"] == "warning"]
    assert len(warnings) == warned and all("--web.config.file" in entry["hint"] for entry in warnings)


async def _serve(listen: str, config: Path | None = None) -> None:
    await (await serve([], listen, config)).cleanup()


def test_lines_about_bad_requests_are_few(
    logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(faults.time, "monotonic", lambda: now[0])
    log = faults.ServerLog()
    for now[0] in (100.0, 110.0, 159.0, 161.0, 162.0):
        log._tell("malformed")
    assert [entry["count"] for entry in logged] == [1, 3]
