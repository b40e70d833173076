"""InfluxDB's way to write: `POST /write` as 1.x has it, `POST /api/v2/write` as 2.x, lines of its protocol.

The answer is 204 when all lines are kept (journaled and synced) for the engine's thread to decode. Before
that every line is judged on another thread: bad ones are taken out, the others kept, and the answer is 400
with what was wrong, which clients take for "do not send it again". Databases, retention policies,
organisations and buckets are not looked at. What clients ask of a server before they write is answered too:
`/ping`, `/health`, and statements that would create a database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web
from prometheus_client import Counter

from sentinel.clock import Clock, SystemClock
from sentinel.decode.influx import Survey, split_points
from sentinel.ingest.body import Reception, Take
from sentinel.ingest.codings import KNOWN, unknown, unpacked
from sentinel.ingest.source import Sink
from sentinel.model import Payloads
from sentinel.telemetry import REGISTRY

FORMATS: Final = {"influx": "", **{f"influx_{unit}": unit for unit in ("ns", "us", "ms", "s", "m", "h")}}
"""The formats of payloads, by what a timestamp counts: each request says that, or the configuration does."""
MOST_LINES: Final = 1 << 20
MOST_PAIRS: Final = 1 << 22
"""Tags and fields. Both of one request: what is made of short ones takes many times the room of its text."""
_VERSION: Final = {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "OSS"}
"""Clients choose by it what they may send."""

LINES_REFUSED = Counter(
    "sentinel_influx_lines_refused_total",
    "Lines that a write request in InfluxDB's protocol held and that were not taken.",
    ["source", "reason"],
    registry=REGISTRY,
)


class Dialect(NamedTuple):
    """How clients of one version speak."""

    path: str
    precisions: Mapping[str, str]
    """The units of timestamps as requests name them."""
    codes: Mapping[int, str]
    """Of refusals by status; none where a refusal is just a text."""


_UNITS: Final = {unit: unit for unit in ("ns", "us", "ms", "s")}
V1: Final = Dialect("/write", {**_UNITS, "n": "ns", "u": "us", "µ": "us", "m": "m", "h": "h"}, {})
V2: Final = Dialect(
    "/api/v2/write",
    _UNITS,
    {400: "invalid", 413: "request too large", 415: "unsupported media type", 503: "unavailable"},
)
PATHS: Final = (V1.path, V2.path)


class InfluxWrite:
    """Takes requests for one source: `surveys` judge their lines by format, unpacked at most `most_bytes`."""

    def __init__(
        self,
        source: str,
        sink: Sink,
        reception: Reception,
        surveys: Mapping[str, Callable[[Payloads], Survey]],
        *,
        most_bytes: int,
        clock: Clock | None = None,
    ) -> None:
        self._source, self._sink, self._reception, self._surveys = source, sink, reception, surveys
        self._most_bytes, self._clock = most_bytes, clock or SystemClock()
        self._unpacking = asyncio.Lock()

    async def write_v1(self, request: web.Request) -> web.Response:
        """204; 400, 413, 415 and 503 with `{"error": what to do}`."""
        return await self._write(V1, request)

    async def write_v2(self, request: web.Request) -> web.Response:
        """204; 400, 413, 415 and 503 with `{"code": kind, "message": what to do}`."""
        return _spoken(V2, await self._write(V2, request))

    async def _write(self, dialect: Dialect, request: web.Request) -> web.Response:
        encoding = request.headers.get("Content-Encoding", "identity").lower()
        if encoding not in KNOWN:
            return self._reception.refuse(415, "encoding", unknown(encoding))
        named = request.query.get("precision", "")
        if named and named not in dialect.precisions:
            text = f"invalid precision {named!r}; use one of {', '.join(dialect.precisions)}"
            return self._reception.refuse(400, "precision", text)
        format = f"influx_{dialect.precisions[named]}" if named else "influx"

        async def accept(body: bytearray, take: Take) -> web.Response:
            async with self._unpacking:
                lines = await unpacked(encoding, body, self._most_bytes, take)
            if lines.count(b"\n") > MOST_LINES or lines.count(b"=") > MOST_PAIRS:
                text = f"more than {MOST_LINES} lines, or {MOST_PAIRS} tags and fields; send less at once"
                return self._reception.refuse(413, "too_large", text)
            survey = await asyncio.to_thread(self._surveyed, format, lines)
            if survey.good is not None:
                await self._sink.put_synced(survey.good)
            return self._answer(survey)

        return await self._reception.receive(request, accept)

    def _surveyed(self, format: str, body: bytes) -> Survey:
        lines = split_points(self._source, format, body, arrival_ms=self._clock.now_ms())
        return self._surveys[format](lines)

    def _answer(self, survey: Survey) -> web.Response:
        for reason, count in survey.reasons.items():
            LINES_REFUSED.labels(self._source, reason).inc(count)
        if not survey.reasons:
            return web.Response(status=204, headers=_VERSION)
        partial = "" if survey.good is None else "partial write: "
        reasons = ", ".join(f"{reason} {count}" for reason, count in survey.reasons.items())
        text = f"{partial}unable to parse {survey.first} ({reasons}) dropped={sum(survey.reasons.values())}"
        return self._reception.refuse(400, "lines", text)


def _spoken(dialect: Dialect, answer: web.Response) -> web.Response:
    """A refusal as clients of this version expect it."""
    if answer.status not in dialect.codes or answer.body is None:
        return answer
    said = msgspec.json.decode(answer.text or "{}")
    body = {"code": dialect.codes[answer.status], "message": said["error"]}
    headers = {name: answer.headers[name] for name in ("Retry-After",) if name in answer.headers}
    return web.json_response(body, status=answer.status, headers=headers)


async def ping(request: web.Request) -> web.Response:
    """204, as a server that is there answers."""
    return web.Response(status=204, headers=_VERSION)


async def health(request: web.Request) -> web.Response:
    """What 2.x says of itself when it can be written to."""
    body = {"name": "influxdb", "message": "ready for writes", "status": "pass", "checks": list[Any]()}
    return web.json_response(body, headers=_VERSION)


async def query(request: web.Request) -> web.Response:
    """An empty result for statements that set things up; others are refused."""
    statement = request.query.get("q", "")
    if not statement and request.method == "POST":
        try:
            statement = str((await request.post()).get("q", ""))
        except (ValueError, LookupError):  # no form, or in no character set
            statement = ""
    if statement.lower().startswith(("create ", "show ")):
        return web.json_response({"results": [{"statement_id": 0}]}, headers=_VERSION)
    text = "only writing is possible this way; ask in PromQL at /api/v1/query"
    return web.json_response({"error": text}, status=400, headers=_VERSION)


def routes(receiver: InfluxWrite) -> list[web.RouteDef]:
    """What the HTTP server has to mount."""
    return [
        web.post(V1.path, receiver.write_v1),
        web.post(V2.path, receiver.write_v2),
        web.get("/ping", ping),
        web.get("/health", health),
        web.get("/query", query),
        web.post("/query", query),
    ]
