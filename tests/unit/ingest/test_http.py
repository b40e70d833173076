"""Push over HTTP: what is taken, and what a client is told otherwise."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import cramjam
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from conftest import MemorySink

from sentinel.clock import ManualClock
from sentinel.decode.lines import split_lines
from sentinel.ingest.http import PATH, PushSource, disabled_routes, routes
from sentinel.ingest.push_config import PushConfig

LINES = b'{"a":1}\n\n  {"b":2} \r\n{"c":3}'
GZIP = {"Content-Encoding": "gzip"}


@asynccontextmanager
async def mounted(routes: list[web.RouteDef]) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of a server that leaves bodies as they are sent."""
    app = web.Application()
    app.add_routes(routes)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield client


def post(sink: MemorySink, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
    """Status, JSON body, headers of one push; at most 400 bytes, 1,000 unpacked."""

    async def run() -> tuple[int, Any, Any]:
        limits = PushConfig(body_bytes=400, decompressed_bytes=1000)
        source = PushSource("push", sink, split_lines, limits=limits, clock=ManualClock(5000))
        async with mounted(routes(source)) as client:
            response = await client.post(PATH, data=body, headers=headers or {})
            return response.status, await response.json(), response.headers

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (LINES, "identity"),
        (gzip.compress(LINES), "gzip"),
        (gzip.compress(LINES[:9]) + gzip.compress(LINES[9:]), "GZIP"),
        (zlib.compress(LINES), "deflate"),
        (bytes(cramjam.zstd.compress(LINES)), "zstd"),
        (bytes(cramjam.snappy.compress_raw(LINES)), "snappy"),
    ],
)
def test_lines_are_kept_before_the_answer(sink: MemorySink, body: bytes, encoding: str) -> None:
    status, answer, _ = post(sink, body, {"Content-Encoding": encoding})
    assert (status, answer) == (202, {"accepted": 3})
    (payloads,) = sink.got
    assert [payloads.record(i).strip() for i in range(3)] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert payloads.source == "push" and payloads.partition == "" and payloads.arrival_ms == 5000
    assert payloads.record_ms.tolist() == [-1, -1, -1] and payloads.format == "json"


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"", {}, 400, "the body is empty"),
        (b"\n\r\n", {}, 400, "the body is empty"),
        (b'{"a":1}\n[1]', {}, 400, "line 2 is not a JSON object: '[1]'"),
        (b'{\n"a":1}', {}, 400, "line 1 is not a JSON object"),
        (b"not gzip", GZIP, 400, "not compressed as Content-Encoding says"),
        (gzip.compress(LINES)[:-9], GZIP, 400, "cut off before the end of its compression"),
        (gzip.compress(LINES) + b"{}", GZIP, 400, "not compressed as Content-Encoding says"),
        (LINES, {"Content-Encoding": "gzip, gzip"}, 415, "Content-Encoding 'gzip, gzip' is not known"),
        (LINES, {"Content-Encoding": "br"}, 415, "'br' is not known; use gzip, zstd, snappy or none"),
        (LINES, {"Content-Type": "application/xml"}, 415, "'application/xml' is not known"),
        (LINES * 20, {}, 413, "exceeds 400 bytes"),
        (gzip.compress(LINES * 100), GZIP, 413, "exceeds 1000 bytes"),
    ],
)
def test_refusals_say_what_to_do(
    sink: MemorySink, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    got, answer, _ = post(sink, body, headers)
    assert got == status and says in answer["error"]
    assert not sink.got


def test_a_full_inbox_asks_to_come_back(sink: MemorySink) -> None:
    sink.full = True
    status, answer, headers = post(sink, LINES)
    assert status == 503 and int(headers["Retry-After"]) > 0
    assert answer == {"error": "the inbox is full; send it again later", "reason": "overloaded"}


def test_a_chunked_body_is_measured_as_it_comes(sink: MemorySink) -> None:
    async def chunks() -> Any:
        for _ in range(10):
            yield b'{"a":1}\n'

    async def run() -> int:
        source = PushSource("push", sink, split_lines, limits=PushConfig(body_bytes=50))
        async with mounted(routes(source)) as client:
            return (await client.post(PATH, data=chunks())).status

    assert asyncio.run(run()) == 413 and not sink.got


def test_all_bodies_under_way_have_a_bound_together(sink: MemorySink) -> None:
    """Of three that are held half sent two fit; when they are done, there is room again."""
    limits = PushConfig(body_bytes=400, decompressed_bytes=400, in_flight_bytes=500)
    go_on = asyncio.Event()

    async def halves() -> Any:
        yield b'{"a":1}\n' * 25
        await go_on.wait()
        yield b'{"b":1}\n' * 2

    async def run() -> tuple[list[int], int]:
        source = PushSource("push", sink, split_lines, limits=limits)
        async with mounted(routes(source)) as client:
            pushes = [asyncio.create_task(client.post(PATH, data=halves())) for _ in range(3)]
            done, _ = await asyncio.wait(pushes, return_when=asyncio.FIRST_COMPLETED)
            (refused,) = done
            assert "too much is being pushed at once" in (await (await refused).json())["error"]
            go_on.set()
            statuses = sorted([(await push).status for push in pushes])
            return statuses, (await client.post(PATH, data=LINES * 10)).status

    statuses, afterwards = asyncio.run(run())
    assert statuses == [202, 202, 503] and afterwards == 202


def test_where_nobody_takes_pushes_it_says_so() -> None:
    async def run() -> tuple[int, Any]:
        async with mounted(disabled_routes()) as client:
            response = await client.post(PATH, data=LINES)
            return response.status, await response.json()

    status, answer = asyncio.run(run())
    assert status == 403 and "add one with `http: {}` to sources" in answer["error"]


@pytest.mark.parametrize("sizes", [{"body_bytes": 2}, {"decompressed_bytes": 2}])
def test_sizes_that_no_body_would_fit(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must hold at least one body"):
        PushConfig(**{"body_bytes": 1, "decompressed_bytes": 1, "in_flight_bytes": 1} | sizes)
