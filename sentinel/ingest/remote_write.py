"""Prometheus remote write, 1.0 and 2.0: `POST /api/v1/write`, one request of many series.

The answer is 204 when all of it is kept (journaled and synced) for the engine's thread to decode. Before that
every series is judged on another thread: bad ones are cut out, the others kept, and the answer is 400 with
what was wrong, as the specifications have it: sending it again would not help. Snappy states what it unpacks
to, so a small body that would become a big one is refused as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from email.message import Message
from typing import Final

import cramjam
from aiohttp import web
from prometheus_client import Counter

from sentinel.clock import Clock, SystemClock
from sentinel.decode.remote_write import Survey, Written
from sentinel.errors import DecodeError
from sentinel.ingest.body import Reception, Take
from sentinel.ingest.codings import TooLargeError
from sentinel.ingest.source import Sink
from sentinel.model import Payloads, payload_of
from sentinel.telemetry import REGISTRY

PATH: Final = "/api/v1/write"
FORMAT: Final = "remote_write"
_VERSIONS: Final = {"": 1, "prometheus.WriteRequest": 1, "io.prometheus.write.v2.Request": 2}
"""By the `proto` parameter of the Content-Type, which alone decides."""
_MOST_TIMES: Final = 22
"""No snappy block becomes more times as large: three bytes give 64 at most."""
_NO_SNAPPY: Final = "the body is not compressed with snappy in its block format"

SERIES_REFUSED = Counter(
    "sentinel_remote_write_series_refused_total",
    "Series that a remote write request held and that were not taken.",
    ["source", "reason"],
    registry=REGISTRY,
)
EXEMPLARS = Counter(
    "sentinel_remote_write_exemplars_total",
    "Exemplars that came by remote write; they are not kept.",
    ["source"],
    registry=REGISTRY,
)


class RemoteWrite:
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

    async def write(self, request: web.Request) -> web.Response:
        """204; 400, 413, 415 and 503 with `{"error": what to do}`. Of 2.0, always with what was written."""
        version = _version(request.headers.get("Content-Type", ""))
        if version is None:
            text = (
                f"Content-Type {request.headers['Content-Type']!r} is not known; use application/x-protobuf"
            )
            return self._reception.refuse(415, "content_type", text)
        encoding = request.headers.get("Content-Encoding", "snappy").lower()
        if encoding != "snappy":
            text = f"Content-Encoding {encoding!r} is not known; use snappy"
            return self._reception.refuse(415, "encoding", text, _written(version, Written()))

        async def accept(body: bytearray, take: Take) -> web.Response:
            return await self._accept(version, body, take)

        return await self._reception.receive(request, accept, _written(version, Written()))

    async def _accept(self, version: int, body: bytearray, take: Take) -> web.Response:
        """Raises TooLargeError, SourceError, and ValueError with a text for the client."""
        length = _stated_length(body)
        if length > self._most_bytes:
            raise TooLargeError(self._most_bytes)
        take(length)
        try:
            survey = await asyncio.to_thread(self._surveyed, body, length)
        except DecodeError as error:
            status = 413 if error.reason == "request_too_large" else 400
            text = f"the body is no remote write request that can be taken: {error}"
            return self._reception.refuse(status, error.reason, text, _written(version, Written()))
        if survey.version not in (0, version):
            raise ValueError(f"the body is of version {survey.version}.0, Content-Type says {version}.0")
        if survey.good is not None:
            await self._sink.put_synced(survey.good)
        return self._answer(version, survey)

    def _surveyed(self, body: bytearray, length: int) -> Survey:
        """Unpacks and judges; on a thread of its own. Raises DecodeError, and ValueError with a text."""
        unpacked = bytearray(length)
        try:
            whole = cramjam.snappy.decompress_raw_into(body, unpacked) == length
        except (cramjam.DecompressionError, ValueError):
            whole = False
        if not whole:
            raise ValueError(_NO_SNAPPY)
        arrival_ms = self._clock.now_ms()
        return self._survey(payload_of(self._source, FORMAT, bytes(unpacked), arrival_ms=arrival_ms))

    def _answer(self, version: int, survey: Survey) -> web.Response:
        EXEMPLARS.labels(self._source).inc(survey.written.exemplars)
        for reason, count in survey.reasons.items():
            SERIES_REFUSED.labels(self._source, reason).inc(count)
        headers = _written(version, survey.written)
        if not survey.reasons:
            return web.Response(status=204, headers=headers)
        reasons = ", ".join(f"{reason} {count}" for reason, count in survey.reasons.items())
        what = f"{sum(survey.reasons.values())} series with {sum(survey.refused[:2])} samples"
        text = f"{what} refused: {reasons}; the rest is kept"
        return self._reception.refuse(400, "series", text, headers)


def _version(content_type: str) -> int | None:
    """The version that a Content-Type names, as old clients say it too; None for anything else."""
    message = Message()
    message["Content-Type"] = content_type or "application/x-protobuf"
    if message.get_content_type() != "application/x-protobuf":
        return None
    return _VERSIONS.get(str(message.get_param("proto", "")))


def _written(version: int, written: Written) -> Mapping[str, str]:
    """The headers that 2.0 demands of every answer; those who speak 1.0 do not know them."""
    if version == 1:
        return {}
    named = zip(("Samples", "Histograms", "Exemplars"), written, strict=True)
    return {f"X-Prometheus-Remote-Write-{name}-Written": str(count) for name, count in named}


def _stated_length(body: bytearray) -> int:
    """What a snappy block says that it unpacks to. Raises ValueError."""
    try:
        length = int(cramjam.snappy.decompress_raw_len(body))
    except (cramjam.DecompressionError, ValueError):
        length = -1
    if not 0 <= length <= _MOST_TIMES * len(body):
        raise ValueError(_NO_SNAPPY)
    return length


def routes(receiver: RemoteWrite) -> list[web.RouteDef]:
    """What the HTTP server has to mount."""
    return [web.post(PATH, receiver.write)]
