"""InfluxDB's ways to write over HTTP: what is answered, and what is kept before the answer."""

from __future__ import annotations

import asyncio
import gzip
import json
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
from sentinel.decode import Limits
from sentinel.decode.influx import InfluxConfig, InfluxDecoder
from sentinel.ingest.body import Reception
from sentinel.ingest.influx import FORMATS, InfluxWrite, routes
from sentinel.telemetry import REGISTRY

NOW_MS = 1_760_000_000_000
PACKERS: Any = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": cramjam.zstd.compress}
GOOD = b"cpu,host=a usage=1.5 1760000000000000000\nmem,host=a free=3i\n"
V1, V2 = "/write?db=telegraf&rp=autogen", "/api/v2/write?org=o&bucket=b"


@asynccontextmanager
async def mounted(sink: MemorySink) -> AsyncIterator[TestClient[Any, Any]]:
    """A receiver of bodies of at most 2,000 bytes, 4,000 unpacked, 6,000 at once."""
    limits = Limits(record_bytes=4000)
    surveys = {
        format: InfluxDecoder(InfluxConfig(precision=unit or "ns"), limits, 60_000).survey  # type: ignore[arg-type]
        for format, unit in FORMATS.items()
    }
    reception, clock = Reception("push", 2000, 6000), ManualClock(NOW_MS)
    receiver = InfluxWrite("push", sink, reception, surveys, most_bytes=4000, clock=clock)
    app = web.Application()
    app.add_routes(routes(receiver))
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield client


def ask(
    sink: MemorySink,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    method: str = "POST",
) -> tuple[int, Any, Any]:
    """Status, JSON (None if there is no body) and headers of one request."""

    async def run() -> tuple[int, Any, Any]:
        async with mounted(sink) as client:
            response = await client.request(method, path, data=body, headers=headers)
            text = await response.text()
            return response.status, json.loads(text) if text else None, response.headers

    return asyncio.run(run())


@pytest.mark.parametrize("path", [V1, V2, "/write", "/api/v2/write"])
@pytest.mark.parametrize("kind", ["", "gzip", "deflate", "zstd", "identity"])
def test_lines_are_kept_before_the_answer(sink: MemorySink, path: str, kind: str) -> None:
    body = bytes(PACKERS.get(kind, bytes)(GOOD))
    headers = {"Content-Encoding": kind, "Content-Type": "text/plain; charset=utf-8"} if kind else {}
    status, said, answered = ask(sink, path, body, headers)
    assert (status, said) == (204, None) and answered["X-Influxdb-Version"]
    (payloads,) = sink.got
    assert [payloads.record(0)] == [GOOD] and len(payloads) == 1
    assert (payloads.source, payloads.format, payloads.arrival_ms) == ("push", "influx", NOW_MS)


@pytest.mark.parametrize(
    ("path", "time", "format"),
    [
        (f"{V1}&precision=n", "1760000000000000000", "influx_ns"),
        (f"{V1}&precision=u", "1760000000000000", "influx_us"),
        (f"{V1}&precision=ms", "1760000000000", "influx_ms"),
        (f"{V1}&precision=s", "1760000000", "influx_s"),
        (f"{V1}&precision=m", "29333333", "influx_m"),
        (f"{V1}&precision=h", "488888", "influx_h"),
        (f"{V1}&precision=", "1760000000000000000", "influx"),
        (f"{V2}&precision=ns", "1760000000000000000", "influx_ns"),
        (f"{V2}&precision=us", "1760000000000000", "influx_us"),
        (f"{V2}&precision=s", "1760000000", "influx_s"),
    ],
)
def test_the_unit_of_a_request_is_kept_as_its_format(
    sink: MemorySink, path: str, time: str, format: str
) -> None:
    assert ask(sink, path, f"cpu value=1 {time}".encode())[0] == 204
    (payloads,) = sink.got
    unit: Any = FORMATS[format] or "ns"
    decoded = InfluxDecoder(InfluxConfig(precision=unit), Limits(), 60_000).decode(payloads)
    (timestamp_ms,) = decoded.batch.timestamp_ms.tolist()
    assert payloads.format == format and NOW_MS - 3_600_000 < timestamp_ms <= NOW_MS


BAD = b"cpu usage\n" + GOOD + b'text note="two\nlines"\nold value=1 1000\n'


def test_bad_lines_are_told_and_cost_their_neighbours_nothing(sink: MemorySink) -> None:
    def refused() -> float:
        labels = {"source": "push", "reason": "timestamp_past"}
        return REGISTRY.get_sample_value("sentinel_influx_lines_refused_total", labels) or 0.0

    before = refused()
    what = (
        "partial write: unable to parse 'cpu usage': invalid_syntax: bad field"
        " (invalid_syntax 1, timestamp_past 1) dropped=2"
    )
    status, said, _ = ask(sink, V1, BAD)
    assert (status, said["error"]) == (400, what)
    assert refused() == before + 1
    status, said, _ = ask(sink, V2, BAD)
    assert (status, said) == (400, {"code": "invalid", "message": what})
    kept = GOOD + b'text note="two\nlines"'
    assert [payloads.record(0) for payloads in sink.got] == [kept, kept]


def test_nothing_is_kept_of_what_is_all_bad_or_has_no_samples(sink: MemorySink) -> None:
    status, said, _ = ask(sink, V1, b"nonsense")
    assert status == 400 and said["error"].startswith(
        "unable to parse 'nonsense': invalid_syntax: missing fields"
    )
    for body in (b"", b"\n\n# nothing\n", b'log line="text"'):
        assert ask(sink, V1, body)[0] == 204
    assert sink.got == []


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "says", "code"),
    [
        (f"{V1}&precision=day", GOOD, "", 400, "invalid precision 'day'", "invalid"),
        (f"{V2}&precision=m", GOOD, "", 400, "invalid precision 'm'; use one of ns, us, ms, s", "invalid"),
        (V1, GOOD, "lz4", 415, "use gzip, zstd, snappy or none", "unsupported media type"),
        (V2, GOOD, "br", 415, "use gzip, zstd, snappy or none", "unsupported media type"),
        (V1, GOOD, "gzip", 400, "not compressed as Content-Encoding says", "invalid"),
        (V2, GOOD, "gzip", 400, "not compressed as Content-Encoding says", "invalid"),
        (V1, b"#" * 2001, "", 413, "exceeds 2000 bytes", "request too large"),
        (V2, b"#" * 2001, "", 413, "exceeds 2000 bytes", "request too large"),
        (V2, gzip.compress(b"#" * 4001), "gzip", 413, "exceeds 4000 bytes", "request too large"),
    ],
)
def test_refusals_say_what_to_do(
    sink: MemorySink, path: str, body: bytes, kind: str, status: int, says: str, code: str
) -> None:
    got, said, _ = ask(sink, path, body, {"Content-Encoding": kind} if kind else {})
    text = said["message"] if path.startswith("/api") else said["error"]
    assert got == status and says in text and sink.got == []
    assert said.get("code", code) == code and ("code" in said) == path.startswith("/api")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\n" * 4, 204),
        (b"\n" * 5, 413),
        (b"a b=1,c=1,d=1", 204),
        (b"a,t=v b=1,c=1,d=1", 413),
    ],
)
def test_requests_of_too_many_parts_are_refused(
    sink: MemorySink, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int
) -> None:
    monkeypatch.setattr("sentinel.ingest.influx.MOST_LINES", 4)
    monkeypatch.setattr("sentinel.ingest.influx.MOST_PAIRS", 3)
    assert ask(sink, V1, body)[0] == status


@pytest.mark.parametrize("path", [V1, V2])
def test_a_full_inbox_asks_to_come_back(sink: MemorySink, path: str) -> None:
    sink.full = True
    status, said, answered = ask(sink, path, GOOD)
    assert status == 503 and int(answered["Retry-After"]) > 0
    assert said.get("code", "unavailable") == "unavailable" and "the inbox is full" in str(said)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_ping_is_answered(sink: MemorySink, method: str) -> None:
    status, _, answered = ask(sink, "/ping", method=method)
    assert status == 204 and answered["X-Influxdb-Version"].startswith("1.8")


def test_health_passes(sink: MemorySink) -> None:
    status, said, _ = ask(sink, "/health", method="GET")
    assert (status, said["status"]) == (200, "pass")


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/x-www-form-urlencoded; charset=none"])
def test_a_query_that_is_no_form_is_refused(sink: MemorySink, kind: str) -> None:
    assert ask(sink, "/query", b"q=x", headers={"Content-Type": kind})[0] == 400


@pytest.mark.parametrize(
    ("path", "body", "method", "status"),
    [
        ("/query", b"q=CREATE+DATABASE+%22telegraf%22", "POST", 200),
        ("/query?q=create%20database%20x", None, "POST", 200),
        ("/query?q=SHOW%20DATABASES", None, "GET", 200),
        ("/query?q=SELECT%20*%20FROM%20cpu", None, "GET", 400),
        ("/query", b"", "POST", 400),
    ],
)
def test_databases_seem_to_be_made(sink: MemorySink, path: str, body: Any, method: str, status: int) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    got, said, _ = ask(sink, path, body, form, method)
    assert got == status
    assert said == {"results": [{"statement_id": 0}]} if status == 200 else "PromQL" in said["error"]
