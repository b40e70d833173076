"""Samples that others push to us: `POST /api/v1/push`, one JSON object a line.

The answer is 202: the lines are kept (journaled and synced), and will be decoded. What a line holds is looked
at later, on the engine's thread; a refused one is counted and goes to the dead-letter topic. So that a client
sees at once that it sends the wrong thing altogether, each line has to look like an object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from aiohttp import web

from sentinel.clock import Clock, SystemClock
from sentinel.errors import SourceError
from sentinel.ingest.source import FAILURES, PartitionStatus, Sink
from sentinel.model import Payloads

PATH: Final = "/api/v1/push"
RETRY_AFTER_SECONDS: Final = 5
_TYPES: Final = frozenset(
    [
        "application/json",
        "application/x-ndjson",
        "application/jsonl",
        "application/octet-stream",
        "text/plain",
        "application/x-www-form-urlencoded",  # what curl says unless told otherwise
    ]
)
_ENCODINGS: Final = frozenset(["", "identity", "gzip", "deflate"])
_OPEN, _CLOSE = ord("{"), ord("}")


class Split(Protocol):
    """Makes one record of each line of a body that is not empty."""

    def __call__(self, source: str, format: str, body: bytes, *, arrival_ms: int) -> Payloads: ...


class PushLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one request may bring."""

    body_bytes: int = 8 << 20
    decompressed_bytes: int = 64 << 20


class PushSource:
    """Takes requests for one source and answers when the host has them for good."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        split: Split,
        *,
        format: str = "json",
        limits: PushLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name, self.assigned = name, True
        self._sink, self._split, self._format = sink, split, format
        self._limits, self._clock = limits or PushLimits(), clock or SystemClock()

    async def run(self) -> None:
        """Nothing to do until cancelled: the HTTP server calls us."""
        await asyncio.Event().wait()

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return {}

    def connected(self, now_ms: int) -> bool:
        """Always: nobody pushing is no failure that we could see."""
        return True

    async def push(self, request: web.Request) -> web.Response:
        """202 with `{"accepted": lines}`; 400, 413, 415 and 503 with `{"error": what to do}`."""
        refusal = self._refused_head(request)
        if refusal is not None:
            return refusal
        try:
            body = await self._read(request)
            payloads = self._payloads(body)
            await self._sink.put_synced(payloads)
        except _TooLargeError:
            return self._refuse(413, "too_large", f"the body exceeds {self._limits.decompressed_bytes} bytes")
        except web.RequestPayloadError:
            request.content.feed_eof()  # or the server reads on, and logs the same error with its stack
            return self._refuse(400, "body", "the body cannot be read: cut off, or not in its encoding")
        except ValueError as error:
            return self._refuse(400, "form", str(error))
        except SourceError as error:
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return self._refuse(503, error.reason, f"{error}; send it again later", headers)
        return web.json_response({"accepted": len(payloads)}, status=202)

    def _refused_head(self, request: web.Request) -> web.Response | None:
        """What can be said before reading the body."""
        encoding = request.headers.get("Content-Encoding", "").lower()
        if encoding not in _ENCODINGS:
            return self._refuse(
                415, "encoding", f"Content-Encoding {encoding!r} is not known; use gzip or none"
            )
        if request.content_type not in _TYPES:
            text = f"Content-Type {request.content_type!r} is not known; use application/x-ndjson"
            return self._refuse(415, "content_type", text)
        if (request.content_length or 0) > self._limits.body_bytes:
            return self._refuse(
                413, "too_large", f"the body exceeds {self._limits.body_bytes} bytes; send less"
            )
        return None

    async def _read(self, request: web.Request) -> bytes:
        """The body; the server has unpacked it already. Raises _TooLargeError, RequestPayloadError."""
        plain = not request.headers.get("Content-Encoding", "")
        most = self._limits.body_bytes if plain else self._limits.decompressed_bytes
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                raise _TooLargeError
        return bytes(body)

    def _payloads(self, body: bytes) -> Payloads:
        """Raises ValueError with a text for the client."""
        payloads = self._split(self.name, self._format, body, arrival_ms=self._clock.now_ms())
        if not len(payloads):
            raise ValueError("the body is empty; send one JSON object a line")
        if self._format == "json":
            _check_objects(payloads)
        return payloads

    def _refuse(
        self, status: int, reason: str, text: str, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        FAILURES.labels(self.name, reason).inc()
        body: dict[str, Any] = {"error": text, "reason": reason}
        return web.json_response(body, status=status, headers=headers)


class _TooLargeError(Exception):
    """The body goes on beyond the limit."""


def _check_objects(payloads: Payloads) -> None:
    """Raises ValueError naming the first line that cannot be a JSON object."""
    buffer, start, end = payloads.buffer, payloads.start, payloads.end
    for row in np.flatnonzero((buffer[start] != _OPEN) | (buffer[end - 1] != _CLOSE)):
        record = payloads.record(int(row)).strip()
        if not (record.startswith(b"{") and record.endswith(b"}")):
            line = int(np.count_nonzero(buffer[: start[row]] == ord("\n"))) + 1
            text = record[:40].decode("utf-8", "replace")
            raise ValueError(f"line {line} is not a JSON object: {text!r}; send one object a line, no array")


def routes(source: PushSource) -> list[web.RouteDef]:
    """What the HTTP server has to mount."""
    return [web.post(PATH, source.push)]
