"""Samples that others push to us: `POST /api/v1/push`, one JSON object a line.

The answer is 202: the lines are kept (journaled and synced), and will be decoded. What a line holds is looked
at later, on the engine's thread; a refused one is counted and goes to the dead-letter topic. So that a client
sees at once that it sends the wrong thing altogether, each line has to look like an object.

The server must leave bodies as they were sent (aiohttp's `auto_decompress=False`): they are unpacked here, on
another thread and never beyond the limit, so that a small body cannot become a big one in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from aiohttp import web

from sentinel.clock import Clock, SystemClock
from sentinel.ingest.body import Reception, Take
from sentinel.ingest.codings import KNOWN, unknown, unpacked
from sentinel.ingest.push_config import PushConfig
from sentinel.ingest.source import PartitionStatus, Sink
from sentinel.model import Payloads

PATH: Final = "/api/v1/push"
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
_OPEN, _CLOSE = ord("{"), ord("}")


class Split(Protocol):
    """Makes one record of each line of a body that is not empty."""

    def __call__(self, source: str, format: str, body: bytes, *, arrival_ms: int) -> Payloads: ...


class PushSource:
    """Takes requests for one source and answers when the host has them for good."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        split: Split,
        *,
        format: str = "json",
        limits: PushConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name, self.assigned = name, True
        self._sink, self._split, self._format = sink, split, format
        self._limits, self._clock = limits or PushConfig(), clock or SystemClock()
        self.reception = Reception(name, self._limits.body_bytes, self._limits.in_flight_bytes)
        """Shared by all ways in: their bounds are the source's."""
        self._unpacking = asyncio.Lock()

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
        encoding = request.headers.get("Content-Encoding", "").lower()
        if encoding not in KNOWN:
            return self.reception.refuse(415, "encoding", unknown(encoding))
        if request.content_type not in _TYPES:
            text = f"Content-Type {request.content_type!r} is not known; use application/x-ndjson"
            return self.reception.refuse(415, "content_type", text)

        async def accept(body: bytearray, take: Take) -> web.Response:
            async with self._unpacking:
                lines = await unpacked(encoding, body, self._limits.decompressed_bytes, take)
            payloads = await asyncio.to_thread(self._payloads, lines)
            await self._sink.put_synced(payloads)
            return web.json_response({"accepted": len(payloads)}, status=202)

        return await self.reception.receive(request, accept)

    def _payloads(self, body: bytes) -> Payloads:
        """Raises ValueError with a text for the client."""
        payloads = self._split(self.name, self._format, body, arrival_ms=self._clock.now_ms())
        if not len(payloads):
            raise ValueError("the body is empty; send one JSON object a line")
        if self._format == "json":
            _check_objects(payloads)
        return payloads


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


def disabled_routes(*paths: str) -> list[web.RouteDef]:
    """What to mount at these paths where no source takes pushes: 403 that says so."""

    async def disabled(request: web.Request) -> web.Response:
        text = "no source takes pushes; add one with `http: {}` to sources and restart"
        return web.json_response({"error": text, "reason": "disabled"}, status=403)

    return [web.post(path, disabled) for path in paths or (PATH,)]
