"""Asking a registry that speaks as Confluent's does: `/schemas/ids/7`, and what a schema refers to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec

from sentinel.errors import SourceError
from sentinel.ingest.kafka_connection import ssl_context
from sentinel.ingest.schema_registry_config import SchemaRegistryConfig
from sentinel.notify.auth import auth_headers

ACCEPT: Final = "application/vnd.schemaregistry.v1+json"
MOST_BYTES: Final = 4 << 20
MOST_REFERENCES: Final = 100
_NOT_FOUND: Final = frozenset([40401, 40402, 40403])
"""Subject, version, schema: a 404 of anybody else says only that this is no registry."""


class Reference(msgspec.Struct, frozen=True):
    """A schema by the place that it was registered at."""

    subject: str
    version: int


class Answer(msgspec.Struct, frozen=True):
    """A schema as the registry gives it."""

    schema: str
    kind: str = msgspec.field(default="AVRO", name="schemaType")
    references: list[Reference] = []


class SchemaClient:
    """One session for each row of questions: there are few, for what a number means never changes."""

    def __init__(self, config: SchemaRegistryConfig) -> None:
        self.url = config.base
        self._config = config

    async def schemas(self, numbers: Iterable[int]) -> AsyncIterator[tuple[int, list[str] | None]]:
        """Each number with its texts, None for an unknown one. Raises OSError, SourceError, ConfigError."""
        config = self._config
        files = config.ssl_ca_file, config.ssl_cert_file, config.ssl_key_file
        try:
            headers = {"Accept": ACCEPT, "User-Agent": "Sentinel", **await auth_headers(config.http)}
        except ValueError:
            raise SourceError("password_file is no text") from None
        connector = aiohttp.TCPConnector(ssl=await asyncio.to_thread(ssl_context, *files))
        timeout = aiohttp.ClientTimeout(total=config.timeout / 1000)
        async with aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as session:
            for number in numbers:
                answer = await self._ask(session, f"schemas/ids/{number}")
                yield number, None if answer is None else await self._texts(session, answer)

    async def _texts(self, session: aiohttp.ClientSession, answer: Answer) -> list[str]:
        """What it refers to, then the schema; nothing where it is none of Avro or refers to too much."""
        texts: dict[Reference, str] = {}
        todo: list[tuple[Reference, Answer | None]] = [(each, None) for each in reversed(answer.references)]
        while todo:  # depth first: what is referred to comes before who does
            where, found = todo.pop()
            if where in texts:
                continue
            if found is not None:
                texts[where] = found.schema
                continue
            path = f"subjects/{quote(where.subject, safe='')}/versions/{where.version}?deleted=true"
            found = await self._ask(session, path)
            if found is None or len(texts) + len(todo) > MOST_REFERENCES:
                return []
            todo.append((where, found))
            todo += [(each, None) for each in reversed(found.references)]
        return [*texts.values(), answer.schema] if answer.kind == "AVRO" else []

    async def _ask(self, session: aiohttp.ClientSession, path: str) -> Answer | None:
        """None if the registry says that it does not know it. Raises SourceError, ConnectionError."""
        try:
            async with session.get(f"{self.url}/{path}", allow_redirects=False) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        return Answer("", "too large")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ConnectionError(f"it does not answer: {error or type(error).__name__}") from None
        status = response.status
        try:
            if status == 404 and _code(body) in _NOT_FOUND:
                return None
            if status == 200:
                return msgspec.json.decode(body, type=Answer)
        except ValueError:
            raise SourceError(f"it answers {path} with what is no schema") from None
        raise SourceError(f"it answers {path} with {status}")


def _code(body: bytearray) -> int:
    """Raises ValueError."""
    told: Any = msgspec.json.decode(body)
    return int(told.get("error_code", 0)) if isinstance(told, dict) else 0
