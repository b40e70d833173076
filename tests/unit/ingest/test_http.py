"""Push over HTTP: what is taken, and what a client is told otherwise."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from conftest import MemorySink

from sentinel.clock import ManualClock
from sentinel.decode.lines import split_lines
from sentinel.ingest.http import PATH, PushLimits, PushSource, routes

LINES = b'{"a":1}\n\n  {"b":2} \r\n{"c":3}'
GZIP = {"Content-Encoding": "gzip"}


def post(sink: MemorySink, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
    """Status, JSON body, headers of one push; at most 400 bytes, 1,000 unpacked."""

    async def run() -> tuple[int, Any, Any]:
        limits = PushLimits(body_bytes=400, decompressed_bytes=1000)
        source = PushSource("push", sink, split_lines, limits=limits, clock=ManualClock(5000))
        app = web.Application()
        app.add_routes(routes(source))
        async with TestClient(TestServer(app)) as client:
            response = await client.post(PATH, data=body, headers=headers or {})
            return response.status, await response.json(), response.headers

    return asyncio.run(run())


@pytest.mark.parametrize("packed", [False, True])
def test_lines_are_kept_before_the_answer(sink: MemorySink, packed: bool) -> None:
    body, headers = (gzip.compress(LINES), GZIP) if packed else (LINES, None)
    status, answer, _ = post(sink, body, headers)
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
        (b"not gzip", GZIP, 400, "the body cannot be read"),
        (LINES, {"Content-Encoding": "snappy"}, 415, "Content-Encoding 'snappy' is not known"),
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
    async def run() -> int:
        source = PushSource("push", sink, split_lines, limits=PushLimits(body_bytes=50))
        app = web.Application()
        app.add_routes(routes(source))

        async def chunks() -> Any:
            for _ in range(10):
                yield b'{"a":1}\n'

        async with TestClient(TestServer(app)) as client:
            return (await client.post(PATH, data=chunks())).status

    assert asyncio.run(run()) == 413 and not sink.got
