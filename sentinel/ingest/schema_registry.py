"""The schemas that records name by number, had from a registry before their records go on.

What a number means never changes, so answers are kept in a file: a restart, and the replay of a crash, decode
as before and need no registry. While it does not answer, records wait: nothing is dropped, and the source
counts as away. A number that it says it does not know is believed for a while: its records are refused.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np
from prometheus_client import Gauge

from sentinel.clock import Clock, SystemClock
from sentinel.decode.avro import Schemas, schema_numbers
from sentinel.errors import SentinelError
from sentinel.ingest.backoff import Backoff
from sentinel.ingest.source import FAILURES, PartitionStatus, Sink, Source
from sentinel.model import Payloads
from sentinel.store.frames import write_synced
from sentinel.telemetry import REGISTRY, logger

BELIEVED_MS: Final = 600_000
"""After this, a number that was unknown is asked for again."""
MOST_UNKNOWN: Final = 10_000

WAITING = Gauge(
    "sentinel_schema_registry_waiting",
    "Records of the source wait for schemas that the registry does not give (1) or they do not (0).",
    ["source"],
    registry=REGISTRY,
)


class Kept(msgspec.Struct):
    """What one registry answered."""

    url: str
    schemas: dict[int, list[str]] = {}
    """By number, the schema, with those that it refers to before it; nothing where it is none of Avro."""
    unknown: dict[int, int] = {}
    """By number, when the registry did not know it."""


class Asked(Protocol):
    """Who knows schemas; `SchemaClient`."""

    url: str

    def schemas(self, numbers: Iterable[int]) -> AsyncIterator[tuple[int, list[str] | None]]:
        """Each number with its texts, None for an unknown one.

        Raises OSError, SentinelError with a text that says what is wrong.
        """
        ...


class SchemaRegistry:
    """The schemas of one source. `file` holds what was answered."""

    def __init__(self, source: str, asked: Asked, file: Path, *, clock: Clock | None = None) -> None:
        self.schemas = Schemas()
        self.answers = True
        """Whether it did when it was last asked."""
        self._source, self._asked, self._file = source, asked, file
        self._clock = clock or SystemClock()
        self._kept: Kept | None = None
        self._lock = asyncio.Lock()
        self._logger = logger("ingest").bind(source=source)
        WAITING.labels(source).set(0)

    async def ready(self, numbers: Iterable[int]) -> None:
        """Returns when each of these is known, or known to be unknown; waits for the registry if it must."""
        numbers = list(numbers)
        if self._kept is not None and not self._missing(self._kept, numbers):
            return
        async with self._lock:
            backoff = Backoff()
            while True:
                try:
                    await self._learn(numbers)
                except (OSError, SentinelError) as error:
                    self._tell(str(error) or type(error).__name__)
                    await backoff.wait()
                else:
                    self._tell("")
                    return

    async def _learn(self, numbers: list[int]) -> None:
        """Returns when all is learnt and kept. Raises OSError, SentinelError."""
        if self._kept is None:
            self._kept = await asyncio.to_thread(self._load)
        answers = dict[int, list[str] | None]()
        if missing := self._missing(self._kept, numbers):
            try:
                async for number, texts in self._asked.schemas(missing):
                    answers[number] = texts
            finally:
                await asyncio.to_thread(self._keep, self._kept, answers)

    def _missing(self, kept: Kept, numbers: Iterable[int]) -> list[int]:
        since_ms = self._clock.now_ms() - BELIEVED_MS
        return [n for n in numbers if n not in kept.schemas and kept.unknown.get(n, 0) < since_ms]

    def _load(self) -> Kept:
        """What is in the file, if that is of the same registry. Raises OSError."""
        kept = Kept(self._asked.url)
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Kept)
        except FileNotFoundError:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except ValueError as error:
            self._logger.error("kept schemas cannot be read; they are asked for again", error=str(error))
        if kept.url != self._asked.url:
            kept = Kept(self._asked.url)
        for number, texts in kept.schemas.items():
            self._use(number, texts)
        return kept

    def _keep(self, kept: Kept, answers: Mapping[int, list[str] | None]) -> None:
        """Uses what was answered when it is in the file. Raises OSError."""
        if not answers:
            return
        fresh = Kept(kept.url, dict(kept.schemas), dict(kept.unknown))
        for number, texts in answers.items():
            fresh.unknown.pop(number, None)
            if texts is None:
                fresh.unknown[number] = self._clock.now_ms()
            else:
                fresh.schemas[number] = texts
        fresh.unknown = dict(list(fresh.unknown.items())[-MOST_UNKNOWN:])
        write_synced(self._file, json.dumps(msgspec.to_builtins(fresh, str_keys=True)))
        for number, texts in answers.items():
            if texts is not None:
                self._use(number, texts)
        kept.schemas, kept.unknown = fresh.schemas, fresh.unknown

    def _use(self, number: int, texts: list[str]) -> None:
        if why := self.schemas.add(number, texts):
            self._logger.error("schema cannot be used; its records are refused", schema=number, error=why)

    def _tell(self, error: str) -> None:
        """Logs changes, not every attempt."""
        if error:
            FAILURES.labels(self._source, "schema_registry").inc()
        if error and self.answers:
            self._logger.warning("records wait for the schema registry", error=error)
        elif not error and not self.answers:
            self._logger.info("the schema registry answers again")
        self.answers = not error
        WAITING.labels(self._source).set(int(bool(error)))


class SchemaSink:
    """Hands payloads on when the schemas of their records are there."""

    def __init__(self, sink: Sink, registry: SchemaRegistry) -> None:
        self._sink, self._registry = sink, registry

    async def put(self, payloads: Payloads) -> None:
        await self._ready(payloads)
        await self._sink.put(payloads)

    async def put_synced(self, payloads: Payloads) -> None:
        await self._ready(payloads)
        await self._sink.put_synced(payloads)

    def positions(self, source: str) -> Mapping[str, int]:
        return self._sink.positions(source)

    async def _ready(self, payloads: Payloads) -> None:
        numbers = np.unique(schema_numbers(payloads))
        await self._registry.ready(numbers[numbers >= 0].tolist())


class SchemaUpstream:
    """A source as the host sees it that is away while its registry is."""

    def __init__(self, source: Source, registry: SchemaRegistry) -> None:
        self._source, self._registry = source, registry

    @property
    def assigned(self) -> bool:
        return self._source.assigned

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return self._source.partitions()

    def connected(self, now_ms: int) -> bool:
        return self._registry.answers and self._source.connected(now_ms)
