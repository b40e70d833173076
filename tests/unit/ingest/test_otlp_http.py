"""OpenTelemetry's metrics over HTTP: what is answered, and what is kept before the answer."""

from __future__ import annotations

import asyncio
import gzip
import json
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
from sentinel.decode._remote_write_plain import read_fields
from sentinel.decode.otlp import OtlpConfig, OtlpDecoder, to_protobuf
from sentinel.ingest.body import Reception
from sentinel.ingest.otlp import JSON, PATHS, PROTOBUF, Otlp, routes

NOW_MS = 1_760_000_000_000
PROTO, AS_JSON = {"Content-Type": PROTOBUF}, {"Content-Type": JSON}


def written(*points: dict[str, Any]) -> bytes:
    """A request of one gauge, as JSON."""
    usual = {"timeUnixNano": str(NOW_MS * 1_000_000), "asDouble": 1}
    metric = {"name": "up", "gauge": {"dataPoints": [usual | point for point in points]}}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()


GOOD_JSON = written({})
GOOD, BAD = to_protobuf(GOOD_JSON), to_protobuf(written({"timeUnixNano": "5"}))
MIXED_JSON = written({}, {"timeUnixNano": "5"}, {"asDouble": None}, {"attributes": [{"key": "..."}]})
MIXED = to_protobuf(MIXED_JSON)


@asynccontextmanager
async def mounted(sink: MemorySink) -> AsyncIterator[TestClient[Any, Any]]:
    """A receiver of bodies of at most 2,000 bytes, 4,000 unpacked, 12,000 at once."""
    decoder = OtlpDecoder(OtlpConfig(), Limits(record_bytes=4000), 60_000)
    clock = ManualClock(NOW_MS)
    receiver = Otlp(
        "push", sink, Reception("push", 2000, 12_000), decoder.survey, most_bytes=4000, clock=clock
    )
    app = web.Application()
    app.add_routes(routes(receiver))
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield client


def export(sink: MemorySink, body: bytes, headers: dict[str, str], path: str = PATHS[0]) -> Any:
    """Status, body, headers of one request."""

    async def run() -> Any:
        async with mounted(sink) as client:
            response = await client.post(path, data=body, headers=headers, skip_auto_headers=["Content-Type"])
            return response.status, await response.read(), response.headers

    return asyncio.run(run())


def fields(message: bytes) -> dict[int, Any]:
    """A message by field number: integers, and bytes."""
    found = read_fields(message, 0, len(message))
    return {field.number: field.data if field.kind else field.value for field in found}


@pytest.mark.parametrize("path", PATHS)
def test_a_request_is_kept_before_the_answer(sink: MemorySink, path: str) -> None:
    status, body, headers = export(sink, GOOD, PROTO, path)
    assert (status, body, headers["Content-Type"]) == (200, b"", PROTOBUF)
    (payloads,) = sink.got
    assert [payloads.record(0)] == [GOOD] and len(payloads) == 1
    assert (payloads.source, payloads.format, payloads.arrival_ms) == ("push", "otlp", NOW_MS)


def test_json_is_kept_as_protocol_buffers(sink: MemorySink) -> None:
    status, body, headers = export(sink, GOOD_JSON, {"Content-Type": "application/json; charset=utf-8"})
    assert (status, body, headers["Content-Type"].split(";")[0]) == (200, b"{}", JSON)
    assert sink.got[0].record(0) == GOOD


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("zstd", lambda body: bytes(cramjam.zstd.compress(body))),
        ("snappy", lambda body: bytes(cramjam.snappy.compress_raw(body))),
        ("snappy", lambda body: bytes(cramjam.snappy.compress(body))),
        ("none", bytes),
        ("identity", bytes),
    ],
)
def test_content_codings(sink: MemorySink, encoding: str, pack: Any) -> None:
    status, *_ = export(sink, pack(GOOD), PROTO | {"Content-Encoding": encoding})
    assert status == 200 and sink.got[0].record(0) == GOOD


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("zstd", lambda body: bytes(cramjam.zstd.compress(body))),
        ("snappy", lambda body: bytes(cramjam.snappy.compress_raw(body))),
        ("snappy", lambda body: bytes(cramjam.snappy.compress(body))),
    ],
)
def test_bombs_and_garbage(sink: MemorySink, encoding: str, pack: Any) -> None:
    headers = PROTO | {"Content-Encoding": encoding}
    assert export(sink, pack(bytes(4001)), headers)[0] == 413
    assert export(sink, pack(GOOD)[:-3], headers)[0] == 400
    assert export(sink, b"\xff\x00nothing", headers)[0] == 400
    assert sink.got == []


def test_bad_points_are_told_and_cost_their_neighbours_nothing(sink: MemorySink) -> None:
    status, body, _ = export(sink, MIXED, PROTO)
    partial = fields(fields(body)[1])
    assert status == 200 and partial[1] == 3
    assert partial[2].decode() == (
        "data points refused: invalid_label 1, missing_value 1, timestamp_past 1; the rest is kept"
    )
    assert sink.got[0].record(0) == GOOD


def test_bad_points_in_json(sink: MemorySink) -> None:
    status, body, _ = export(sink, MIXED_JSON, AS_JSON)
    partial = json.loads(body)["partialSuccess"]
    assert (
        status == 200
        and partial["rejectedDataPoints"] == "3"
        and "missing_value 1" in partial["errorMessage"]
    )
    assert sink.got[0].record(0) == GOOD


def test_nothing_is_kept_of_a_request_without_good_points(sink: MemorySink) -> None:
    for body in (BAD, b"", to_protobuf(b'{"resourceMetrics": [{}]}')):
        assert export(sink, body, PROTO)[0] == 200
    assert sink.got == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "says"),
    [
        (GOOD, {"Content-Type": "text/plain"}, 415, 3, "'text/plain' is not known"),
        (GOOD, {}, 415, 3, "is not known"),
        (GOOD, PROTO | {"Content-Encoding": "br"}, 415, 3, "'br' is not known"),
        (GOOD[:-1], PROTO, 400, 3, "invalid_protobuf"),
        (bytes(2001), PROTO, 413, 8, "exceeds 2000 bytes"),
        (b"{", AS_JSON, 400, 3, "no JSON"),
        (b"[]", AS_JSON, 400, 3, "the body has to be an object"),
        (written({"asInt": "1_0"}), AS_JSON, 400, 3, "asInt has to be a whole number"),
        (written({"asDouble": "1e400"}), AS_JSON, 400, 3, "asDouble has to be a number"),
        (written({"asDouble": "nan"}), AS_JSON, 400, 3, "asDouble has to be a number"),
        (b'{"resourceMetrics": 1}', AS_JSON, 400, 3, "resourceMetrics has to be an array, not '1'"),
        (
            written({"asInt": 1.5}),
            AS_JSON,
            400,
            3,
            "dataPoints.asInt has to be a whole number of 64 bits, not '1.5'",
        ),
    ],
)
def test_refusals_are_a_status_in_the_senders_encoding(
    sink: MemorySink, body: bytes, headers: dict[str, str], status: int, code: int, says: str
) -> None:
    got, answer, answered = export(sink, body, headers)
    assert got == status and sink.got == []
    if headers == AS_JSON:
        told = json.loads(answer)
        assert told["code"] == code and says in told["message"]
    else:
        assert answered["Content-Type"] == PROTOBUF
        assert fields(answer)[1] == code and says in fields(answer)[2].decode()


def test_json_of_too_many_members_is_not_parsed(sink: MemorySink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.ingest.otlp.MOST_MEMBERS", GOOD_JSON.count(b","))
    assert export(sink, GOOD_JSON, AS_JSON)[0] == 200
    status, answer, _ = export(sink, GOOD_JSON[:-1] + b', "x": 1}', AS_JSON)
    assert status == 413 and "send less" in json.loads(answer)["message"]


def test_a_full_inbox_asks_to_come_back(sink: MemorySink) -> None:
    sink.full = True
    status, body, headers = export(sink, GOOD, PROTO)
    assert status == 503 and int(headers["Retry-After"]) > 0
    assert fields(body)[1] == 14 and b"the inbox is full" in fields(body)[2]


def test_attributes_in_attributes_have_an_end(sink: MemorySink) -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    deep = gzip.compress(written({"attributes": [{"key": "a", "value": value}]}))
    status, body, _ = export(sink, deep, AS_JSON | {"Content-Encoding": "gzip"})
    assert status == 400 and "attributes in attributes" in json.loads(body)["message"]
    assert sink.got == []
