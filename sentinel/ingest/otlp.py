"""OpenTelemetry's metrics over HTTP: `POST /v1/metrics`, and `/api/v1/otlp/v1/metrics` as Prometheus has it.

A body is an ExportMetricsServiceRequest in protocol buffers or JSON; the answer is in the same encoding. It
is 200 when all of it is kept (journaled and synced) for the engine's thread to decode. Before that every data
point is judged on another thread: bad ones are cut out, the others kept, and the answer says how many of
them there were, and why. Sending these again would not help.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web
from prometheus_client import Counter

from sentinel.clock import Clock, SystemClock
from sentinel.decode.otlp import Survey, to_protobuf, varint
from sentinel.errors import DecodeError
from sentinel.ingest.body import Reception, Take
from sentinel.ingest.codings import KNOWN, unknown, unpacked
from sentinel.ingest.source import Sink
from sentinel.model import Payloads, payload_of
from sentinel.telemetry import REGISTRY

PATHS: Final = ("/v1/metrics", "/api/v1/otlp/v1/metrics")
FORMAT: Final = "otlp"
MOST_MEMBERS: Final = 1 << 22
"""Of JSON's objects and arrays: short ones take many times the room of their text."""
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_CODES: Final = {400: 3, 413: 8, 415: 3, 503: 14}
"""Of google.rpc.Code, by HTTP status: invalid argument, resource exhausted, unavailable."""

POINTS_REFUSED = Counter(
    "sentinel_otlp_points_refused_total",
    "Data points that an OTLP request held and that were not taken.",
    ["source", "reason"],
    registry=REGISTRY,
)


class Otlp:
    """Takes requests for one source: `survey` judges them, unpacked they have at most `most_bytes`."""

    def __init__(
        self,
        source: str,
        sink: Sink,
        reception: Reception,
        survey: Callable[[Payloads], Survey],
        *,
        most_bytes: int,
        clock: Clock | None = None,
    ) -> None:
        self._source, self._sink, self._reception, self._survey = source, sink, reception, survey
        self._most_bytes, self._clock = most_bytes, clock or SystemClock()
        self._unpacking = asyncio.Lock()

    async def export(self, request: web.Request) -> web.Response:
        """200 with an ExportMetricsServiceResponse; 400, 413, 415 and 503 with a google.rpc.Status."""
        kind = request.content_type
        if kind not in (PROTOBUF, JSON):
            text = f"Content-Type {kind!r} is not known; use {PROTOBUF} or {JSON}"
            return _status(self._reception.refuse(415, "content_type", text), PROTOBUF)
        encoding = request.headers.get("Content-Encoding", "").lower()
        if encoding not in KNOWN:
            return _status(self._reception.refuse(415, "encoding", unknown(encoding)), kind)

        async def accept(body: bytearray, take: Take) -> web.Response:
            return await self._accept(kind, encoding, body, take)

        answer = await self._reception.receive(request, accept)
        return answer if answer.status == 200 else _status(answer, kind)

    async def _accept(self, kind: str, encoding: str, body: bytearray, take: Take) -> web.Response:
        """Raises TooLargeError, SourceError, and ValueError with a text for the client."""
        async with self._unpacking:  # and translating, too: that is not counted before either
            message = await unpacked(encoding, body, self._most_bytes, take)
            if kind == JSON:
                if message.count(b",") > MOST_MEMBERS:
                    text = f"more than {MOST_MEMBERS} members and elements; send less at once"
                    return self._reception.refuse(413, "too_large", text)
                message = await asyncio.to_thread(to_protobuf, message)
                take(len(message))
        try:
            survey = await asyncio.to_thread(self._surveyed, message)
        except DecodeError as error:
            status = 413 if error.reason.endswith("too_large") else 400
            text = f"the body is no request that can be taken: {error}"
            return self._reception.refuse(status, error.reason, text)
        if survey.good is not None:
            await self._sink.put_synced(survey.good)
        return self._answer(kind, survey)

    def _surveyed(self, message: bytes) -> Survey:
        """On a thread of its own. Raises DecodeError."""
        arrival_ms = self._clock.now_ms()
        return self._survey(payload_of(self._source, FORMAT, message, arrival_ms=arrival_ms))

    def _answer(self, kind: str, survey: Survey) -> web.Response:
        for reason, count in survey.reasons.items():
            POINTS_REFUSED.labels(self._source, reason).inc(count)
        refused = sum(survey.reasons.values())
        reasons = ", ".join(f"{reason} {count}" for reason, count in survey.reasons.items())
        text = f"data points refused: {reasons}; the rest is kept" if refused else ""
        return web.Response(body=_response(kind, refused, text), content_type=kind)


def _response(kind: str, refused: int, text: str) -> bytes:
    """An ExportMetricsServiceResponse."""
    if kind == JSON:
        partial = {"partialSuccess": {"rejectedDataPoints": str(refused), "errorMessage": text}}
        return msgspec.json.encode(partial if refused else {})
    return _field(1, _number(1, refused) + _field(2, text.encode())) if refused else b""


def _status(answer: web.Response, kind: str) -> web.Response:
    """A refusal as those who export know them: google.rpc.Status in their own encoding."""
    told: dict[str, Any] = msgspec.json.decode(answer.body if isinstance(answer.body, bytes) else b"{}")
    code, text = _CODES.get(answer.status, 2), str(told.get("error", ""))
    if kind == JSON:
        body = msgspec.json.encode({"code": code, "message": text})
    else:
        body = _number(1, code) + _field(2, text.encode())
    headers = {name: value for name, value in answer.headers.items() if name == "Retry-After"}
    return web.Response(status=answer.status, body=body, content_type=kind, headers=headers)


def _field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def routes(receiver: Otlp) -> list[web.RouteDef]:
    """What the HTTP server has to mount."""
    return [web.post(path, receiver.export) for path in PATHS]
