"""A schema registry that answers as Confluent's does, and as badly as a test wants."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

SCHEMA = {"type": "record", "name": "S", "fields": [{"name": "name", "type": "string"}]}


class FakeRegistry:
    """Answers from `schemas` and `subjects`; with `status`, badly."""

    def __init__(self) -> None:
        self.schemas: dict[int, Any] = {1: {"schema": json.dumps(SCHEMA)}}
        self.subjects: dict[str, Any] = {}
        self.asked: list[str] = []
        self.status = 0
        self.raw: bytes | None = None
        self.password = ""
        self._arrivals: asyncio.Queue[None] = asyncio.Queue()

    async def was_asked(self, times: int) -> None:
        """Returns after so many questions more."""
        for _ in range(times):
            await self._arrivals.get()

    def _expected(self) -> str:
        return "Basic " + b64encode(f"me:{self.password}".encode()).decode()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self._arrivals.put_nowait(None)
        if (
            self.password
            and request.headers.get("Authorization")
            != "Basic " + b64encode(f"me:{self.password}".encode()).decode()
        ):
            return web.json_response({"error_code": 401}, status=401)
        if self.status or self.raw is not None:
            return web.Response(status=self.status or 200, body=self.raw)
        name = request.match_info.get("subject")
        found = self.subjects.get(name) if name else self.schemas.get(int(request.match_info["number"]))
        if found is None:
            return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)
        return web.json_response(found)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = web.Application()
        app.add_routes([web.get("/schemas/ids/{number}", self.answer)])
        app.add_routes([web.get("/subjects/{subject}/versions/{version}", self.answer)])
        async with TestServer(app) as server:
            yield str(server.make_url("/"))
