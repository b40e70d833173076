"""A daemon's engine behind the API, without the daemon: filled by hand, asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import msgspec

from sentinel.api.prometheus import About, routes
from sentinel.clock import ManualClock
from sentinel.engine import Engine, Settings
from sentinel.host import Host
from sentinel.model import Labels
from sentinel.rules.load import parse_rules
from sentinel.store.journal import Step
from tests.unit.api.serving import Answer, get, raw, serving

T = TypeVar("T")
NOW_MS = 1_760_000_000_000
Parameters = Mapping[str, str] | Iterable[tuple[str, str]]


class EngineHost:
    """The part of a host that the API uses: an engine with a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.replaying = engine, False
        self.calls = 0
        self._thread = ThreadPoolExecutor(1)

    async def call(self, work: Callable[[Engine], T]) -> T:
        self.calls += 1
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self.engine)


class World:
    """An engine with a few series that is asked at `NOW_MS`."""

    def __init__(self, rules: str = "groups: []", *, retention_ms: int | None = None, **about: Any) -> None:
        settings = Settings(
            sources=("a",), external_labels=Labels({"region": "eu"}), retention_ms=retention_ms
        )
        self.engine = Engine(parse_rules(rules, "rules.yml"), settings)
        self.host = EngineHost(self.engine)
        self.about = About(host=cast(Host, self.host), clock=ManualClock(NOW_MS), **about)
        self.port = 0

    def add(self, name: str, labels: Mapping[str, str], *values: float, step_ms: int = 15_000) -> None:
        """Samples of one series, the last of them now."""
        times = [NOW_MS - step_ms * (len(values) - 1 - place) for place in range(len(values))]
        self.engine.store.add(Labels({"__name__": name, **labels}), times, values)

    @staticmethod
    def up(instance: str) -> Labels:
        return Labels({"__name__": "up", "job": "a", "instance": instance})

    def evaluate(self, *at_ms: int) -> None:
        for each in at_ms:
            self.engine.advance([Step(key, each, (), False) for key in self.engine.groups])

    @asynccontextmanager
    async def served(self) -> AsyncIterator[World]:
        async with serving(routes=routes(self.about)) as server:
            self.port = server.port
            yield self

    async def get(self, path: str, parameters: Parameters = (), **headers: str) -> Answer:
        pairs = list(parameters.items() if isinstance(parameters, Mapping) else parameters)
        query = urlencode(pairs, errors="surrogateescape")
        return await get(self.port, f"{path}?{query}", **headers)

    async def post(self, path: str, parameters: Parameters) -> Answer:
        body = urlencode(list(parameters.items() if isinstance(parameters, Mapping) else parameters))
        lines = (
            f"POST {path} HTTP/1.1",
            "Host: localhost",
            "Connection: close",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
        )
        return await raw(self.port, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    async def data(self, path: str, parameters: Parameters = ()) -> Any:
        """The `data` of a success."""
        answer = await self.get(f"/api/v1{path}", parameters)
        body = msgspec.json.decode(answer.body)
        assert (answer.status, body["status"]) == (200, "success"), answer.body
        return body["data"]

    async def error(self, path: str, parameters: Parameters = ()) -> tuple[int, str, str]:
        """(status, errorType, text) of a refusal."""
        answer = await self.get(f"/api/v1{path}", parameters)
        body = msgspec.json.decode(answer.body)
        assert body["status"] == "error", answer.body
        return answer.status, body["errorType"], body["error"]
