"""Remote write over HTTP: what is answered, and what is kept before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import cramjam
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from conftest import MemorySink

from sentinel.clock import ManualClock
from sentinel.decode import Limits
from sentinel.decode.remote_write import RemoteWriteConfig, RemoteWriteDecoder
from sentinel.ingest.body import Reception
from sentinel.ingest.remote_write import PATH, RemoteWrite, routes

V1, V2 = RemoteWriteDecoder.EXAMPLES
"""One good series each, of 2025-10-09."""
NOW_MS = 1_760_000_000_000
BAD_V1 = V1.replace(b"__name__", b"__nome__")
BAD_V2 = (
    V2 + V2.rpartition(b"*")[1] + V2.rpartition(b"*")[2].replace(b"\x01\x02\x03\x04", b"\x03\x04\x03\x04")
)
TYPE_V1 = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
TYPE_V2 = TYPE_V1 | {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
WRITTEN = "X-Prometheus-Remote-Write-{}-Written"


def snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


@asynccontextmanager
async def mounted(sink: MemorySink) -> AsyncIterator[TestClient[Any, Any]]:
    """A receiver of bodies of at most 2,000 bytes, 4,000 unpacked, 6,000 at once."""
    decoder = RemoteWriteDecoder(RemoteWriteConfig(), Limits(record_bytes=4000), 60_000)
    receiver = RemoteWrite(
        "push",
        sink,
        Reception("push", 2000, 6000),
        decoder.survey,
        most_bytes=4000,
        clock=ManualClock(NOW_MS),
    )
    app = web.Application()
    app.add_routes(routes(receiver))
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield client


def write(sink: MemorySink, body: bytes, headers: dict[str, str]) -> tuple[int, str, Any]:
    """Status, text, headers of one request."""

    async def run() -> tuple[int, str, Any]:
        async with mounted(sink) as client:
            response = await client.post(PATH, data=body, headers=headers, skip_auto_headers=["Content-Type"])
            return response.status, await response.text(), response.headers

    return asyncio.run(run())


def written(headers: Any) -> list[str | None]:
    return [headers.get(WRITTEN.format(what)) for what in ("Samples", "Histograms", "Exemplars")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        TYPE_V1,
        {
            "Content-Type": "application/x-protobuf; proto=prometheus.WriteRequest",
            "Content-Encoding": "Snappy",
        },
        TYPE_V1 | {"X-Prometheus-Remote-Write-Version": "0.1.0"},
    ],
)
def test_version_1_is_kept_before_the_answer(sink: MemorySink, headers: dict[str, str]) -> None:
    status, text, answered = write(sink, snappy(V1), headers)
    assert (status, text) == (204, "") and written(answered) == [None] * 3
    (payloads,) = sink.got
    assert [payloads.record(0)] == [V1] and len(payloads) == 1
    assert (payloads.source, payloads.format, payloads.arrival_ms) == ("push", "remote_write", NOW_MS)


@pytest.mark.parametrize("kind", ["{}", '{}; charset="x"', "{};a=b"])
def test_version_2_says_what_was_written(sink: MemorySink, kind: str) -> None:
    headers = TYPE_V2 | {"Content-Type": kind.format(TYPE_V2["Content-Type"])}
    status, _, answered = write(sink, snappy(V2), headers)
    assert status == 204 and written(answered) == ["1", "0", "0"]
    assert sink.got[0].record(0) == V2


def test_a_bad_series_is_told_and_costs_its_neighbours_nothing(sink: MemorySink) -> None:
    status, text, answered = write(sink, snappy(V1 + BAD_V1 + V1), TYPE_V1)
    assert status == 400 and "1 series with 1 samples refused: missing_name 1; the rest is kept" in text
    assert sink.got[0].record(0) == V1 + V1 and written(answered) == [None] * 3


def test_a_bad_series_of_version_2(sink: MemorySink) -> None:
    status, text, answered = write(sink, snappy(BAD_V2), TYPE_V2)
    assert status == 400 and "refused" in text and written(answered) == ["1", "0", "0"]
    assert sink.got[0].record(0) == V2


def test_nothing_is_kept_of_a_request_that_is_all_bad_or_has_no_samples(sink: MemorySink) -> None:
    assert write(sink, snappy(BAD_V1), TYPE_V1)[0] == 400
    metadata = b"\x1a\x04\x12\x02up"
    assert write(sink, snappy(metadata), TYPE_V1)[0] == 204
    assert write(sink, snappy(b""), TYPE_V2)[0] == 204
    assert sink.got == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (snappy(V1), TYPE_V1 | {"Content-Type": "application/json"}, 415, "'application/json' is not known"),
        (snappy(V1), TYPE_V1 | {"Content-Type": "application/x-protobuf;proto=x"}, 415, "is not known"),
        (snappy(V1), TYPE_V1 | {"Content-Encoding": "gzip"}, 415, "'gzip' is not known"),
        (b"", TYPE_V1, 400, "not compressed with snappy"),
        (V1, TYPE_V1, 400, "not compressed with snappy"),
        (b"1" + snappy(V1)[1:], TYPE_V1, 400, "not compressed with snappy"),
        (b"\xff" + snappy(V1)[1:], TYPE_V1, 400, "not compressed with snappy"),
        (b"\xff" * 20, TYPE_V1, 400, "not compressed with snappy"),
        (bytes(cramjam.snappy.compress(V1)), TYPE_V1, 400, "not compressed with snappy"),
        (snappy(V1[:-1]), TYPE_V1, 400, "invalid_protobuf"),
        (snappy(V1), TYPE_V2, 400, "version 1.0, Content-Type says 2.0"),
        (snappy(V2), TYPE_V1, 400, "version 2.0, Content-Type says 1.0"),
        (b"\x00" * 2001, TYPE_V1, 413, "exceeds 2000 bytes"),
        (snappy(bytes(4001)), TYPE_V1, 413, "exceeds 4000 bytes"),
    ],
)
def test_refusals_say_what_to_do(
    sink: MemorySink, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    got, text, answered = write(sink, body, headers)
    assert got == status and says in text and sink.got == []
    known = "Content-Encoding" in headers and headers == TYPE_V2
    assert written(answered) == (["0"] * 3 if known else [None] * 3)


def test_a_bomb_is_refused_by_what_it_says_of_itself(sink: MemorySink) -> None:
    """More than fits is not unpacked, and more than so few bytes can become is no snappy."""
    bomb = snappy(bytes(1 << 15))
    assert len(bomb) < 2000 and write(sink, bomb, TYPE_V1)[0] == 413
    status, text, _ = write(sink, b"\xff\xff\xff\xff\x0f" + b"\xfe\x01\x00" * 400, TYPE_V1)
    assert status == 400 and "not compressed with snappy" in text


def test_a_full_inbox_asks_to_come_back(sink: MemorySink) -> None:
    sink.full = True
    for body, headers, counts in ((V1, TYPE_V1, [None] * 3), (V2, TYPE_V2, ["0"] * 3)):
        status, text, answered = write(sink, snappy(body), headers)
        assert status == 503 and int(answered["Retry-After"]) > 0 and "the inbox is full" in text
        assert written(answered) == counts


def test_what_is_unpacked_counts_among_all_that_is_held(sink: MemorySink) -> None:
    """Two that unpack to 4,000 bytes do not fit at once; afterwards there is room again."""
    large = V1 + b"\xa2\x06" + b"\xfc\x1d" + bytes(3836)
    go_on = asyncio.Event()

    class Slow(MemorySink):
        async def put_synced(self, payloads: Any) -> None:
            await go_on.wait()
            await super().put_synced(payloads)

    async def run() -> tuple[list[int], int]:
        async with mounted(Slow()) as client:
            send = [asyncio.create_task(client.post(PATH, data=snappy(large), headers=TYPE_V1)) for _ in "ab"]
            done, _ = await asyncio.wait(send, return_when=asyncio.FIRST_COMPLETED)
            statuses = [(await task).status for task in done]
            go_on.set()
            statuses += [(await task).status for task in send if task not in done]
            return statuses, (await client.post(PATH, data=snappy(large), headers=TYPE_V1)).status

    assert 3800 < len(large) <= 4000
    assert asyncio.run(run()) == ([503, 204], 204)
