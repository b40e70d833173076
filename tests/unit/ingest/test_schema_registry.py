"""Schemas are asked for once, kept, and waited for; what is put is neither lost nor put too early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import MemorySink
from fake_registry import SCHEMA, FakeRegistry

from sentinel.clock import ManualClock
from sentinel.decode.avro import AvroDecoder
from sentinel.decode.limits import Limits
from sentinel.errors import DecodeError
from sentinel.ingest import schema_registry
from sentinel.ingest.backoff import Backoff
from sentinel.ingest.schema_client import SchemaClient
from sentinel.ingest.schema_registry import BELIEVED_MS, SchemaRegistry, SchemaSink, SchemaUpstream
from sentinel.ingest.schema_registry_config import SchemaRegistryConfig
from sentinel.model import Payloads, payload_of
from sentinel.notify.auth import BasicAuth

OUTER = {"type": "record", "name": "O", "fields": [{"name": "s", "type": "S"}]}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(schema_registry, "Backoff", lambda: Backoff(0.005, 0.01))
    yield


@pytest.fixture
def fake() -> FakeRegistry:
    return FakeRegistry()


def registry(url: str, file: Path, clock: ManualClock | None = None, **config: Any) -> SchemaRegistry:
    client = SchemaClient(SchemaRegistryConfig(url=url, **config))
    return SchemaRegistry("telemetry", client, file, clock=clock or ManualClock(10**12))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def reason(one: SchemaRegistry, number: int) -> str:
    """Why a record of this schema would be refused."""
    try:
        one.schemas.find(number)
    except DecodeError as error:
        return error.reason
    return ""


def test_answers_are_kept_for_the_next_start(fake: FakeRegistry, tmp_path: Path) -> None:
    async def work() -> None:
        async with fake.listening() as url:
            one = registry(url, tmp_path / "schemas" / "a.json")
            await one.ready([1, 2])
            await one.ready([2, 1])
            assert fake.asked == ["/schemas/ids/1", "/schemas/ids/2"]
        again = registry(url, tmp_path / "schemas" / "a.json")  # nobody listens any more
        await again.ready([1, 2])
        for each in (one, again):
            assert (reason(each, 1), reason(each, 2)) == ("", "unknown_schema")

    run(work())


def test_another_registry_means_other_schemas(fake: FakeRegistry, tmp_path: Path) -> None:
    async def work() -> None:
        async with fake.listening() as url:
            await registry(url, tmp_path / "a.json").ready([1])
            other = registry(url.replace("127.0.0.1", "localhost"), tmp_path / "a.json")
            await other.ready([1])
            assert len(fake.asked) == 2

    run(work())


@pytest.mark.parametrize("content", [b"", b"{", b'{"url": 7}', b"\xff" * 40])
def test_a_broken_file_is_written_anew(fake: FakeRegistry, tmp_path: Path, content: bytes) -> None:
    async def work() -> None:
        (tmp_path / "a.json").write_bytes(content)
        async with fake.listening() as url:
            one = registry(url, tmp_path / "a.json")
            await one.ready([1])
            assert reason(one, 1) == ""
        assert json.loads((tmp_path / "a.json").read_text())["schemas"]["1"]

    run(work())


def test_an_unknown_number_is_asked_for_again_later(fake: FakeRegistry, tmp_path: Path) -> None:
    async def work() -> None:
        clock = ManualClock(10**12)
        async with fake.listening() as url:
            one = registry(url, tmp_path / "a.json", clock)
            await one.ready([5])
            fake.schemas[5] = fake.schemas[1]
            clock.time_ms += BELIEVED_MS
            await one.ready([5])
            assert reason(one, 5) == "unknown_schema"
            clock.time_ms += 1
            await one.ready([5])
            assert reason(one, 5) == ""

    run(work())


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (500, b""),
        (401, b"{}"),
        (429, b""),
        (404, b"no such page"),
        (404, b"{}"),
        (302, b""),
        (200, b"<html>"),
    ],
)
def test_payloads_wait_for_an_answer(
    fake: FakeRegistry, tmp_path: Path, sink: MemorySink, status: int, raw: bytes
) -> None:
    async def work() -> None:
        async with fake.listening() as url:
            fake.status, fake.raw = status, raw
            one = registry(url, tmp_path / "a.json")
            upstream = SchemaUpstream(Connected(), one)
            payloads = payload_of("telemetry", "avro", b"\0\0\0\0\1\2a", arrival_ms=0)
            task = asyncio.create_task(SchemaSink(sink, one).put(payloads))
            await fake.was_asked(3)
            assert not sink.got and not upstream.connected(0)
            fake.status, fake.raw = 0, None
            await task
            assert sink.got == [payloads] and upstream.connected(0)

    run(work())


class Connected:
    """A source that is well."""

    name, assigned = "telemetry", True

    async def run(self) -> None: ...

    def partitions(self) -> dict[str, Any]:
        return {}

    def connected(self, now_ms: int) -> bool:
        return True


def test_nobody_listens_and_waiting_can_be_ended(tmp_path: Path, sink: MemorySink) -> None:
    async def work() -> None:
        one = registry("http://127.0.0.1:1", tmp_path / "a.json")
        payloads = payload_of("telemetry", "avro", b"\0\0\0\0\1\2a", arrival_ms=0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(SchemaSink(sink, one).put(payloads), 0.1)
        assert not sink.got and not one.answers
        bad = payload_of("telemetry", "avro", b"{}", arrival_ms=0)
        await SchemaSink(sink, one).put(bad)  # needs none
        assert sink.got == [bad]

    run(work())


def test_a_file_that_cannot_be_written_is_waited_for(fake: FakeRegistry, tmp_path: Path) -> None:
    async def work() -> None:
        async with fake.listening() as url:
            (tmp_path / "schemas").write_text("in the way")
            one = registry(url, tmp_path / "schemas" / "a.json")
            with suppress(TimeoutError):
                await asyncio.wait_for(one.ready([1]), 0.1)
            assert not one.answers and reason(one, 1) == "unknown_schema"
            (tmp_path / "schemas").unlink()
            await one.ready([1])
            assert reason(one, 1) == ""

    run(work())


def test_what_a_schema_refers_to_comes_with_it(fake: FakeRegistry, tmp_path: Path) -> None:
    inner = {"name": "S", "subject": "s/é", "version": 3}
    fake.subjects["s/é"] = {"id": 1, "schema": json.dumps(SCHEMA)}
    fake.schemas |= {
        2: {"schema": json.dumps(OUTER), "references": [inner, inner]},
        3: {"schema": json.dumps(OUTER), "references": [{"name": "S", "subject": "gone", "version": 1}]},
        4: {"schema": json.dumps(OUTER), "references": [{"name": "S", "subject": "loop", "version": 1}]},
        5: {"schema": "message M {}", "schemaType": "PROTOBUF"},
        6: {"schema": "x" * (5 << 20)},
    }
    fake.subjects["loop"] = fake.schemas[4]

    async def work() -> None:
        async with fake.listening() as url:
            one = registry(url, tmp_path / "a.json")
            await one.ready(range(1, 7))
            assert [reason(one, n) for n in range(1, 7)] == ["", "", *["unsupported_schema"] * 4]
        again = registry(url, tmp_path / "a.json")
        await again.ready([2, 6])
        assert (reason(again, 2), reason(again, 6)) == ("", "unsupported_schema")

    run(work())


def test_passwords_come_from_files_that_may_change(fake: FakeRegistry, tmp_path: Path) -> None:
    async def work() -> None:
        fake.password = "b"
        (tmp_path / "password").write_text("a\n")
        auth = BasicAuth(username="me", password_file=str(tmp_path / "password"))
        async with fake.listening() as url:
            one = registry(url, tmp_path / "a.json", basic_auth=auth)
            task = asyncio.create_task(one.ready([1]))
            await fake.was_asked(2)
            await asyncio.to_thread((tmp_path / "password").write_text, "b\n")
            await task

    run(work())


def test_a_flood_of_unknown_numbers_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "MOST_UNKNOWN", 10)

    class Nothing:
        url = "http://nothing"

        async def schemas(self, numbers: Any) -> AsyncIterator[tuple[int, list[str] | None]]:
            for number in numbers:
                yield number, None

    async def work() -> None:
        one = SchemaRegistry("telemetry", Nothing(), tmp_path / "a.json", clock=ManualClock(10**12))
        await one.ready(range(100))
        assert len(json.loads((tmp_path / "a.json").read_text())["unknown"]) == 10

    run(work())


@pytest.mark.parametrize(
    "config",
    [
        {"url": "http://me:secret@registry"},
        {"url": "registry:8081"},
        {"url": "http://r", "ssl_ca_file": "ca.pem"},
        {"url": "https://r", "ssl_cert_file": "cert.pem"},
        {"url": "http://r", "timeout": 0},
    ],
)
def test_settings_that_cannot_be(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as refused:
        SchemaRegistryConfig(**config)
    assert "secret" not in str(refused.value)


def test_the_decoder_reads_by_what_the_registry_said(fake: FakeRegistry, tmp_path: Path) -> None:
    fields = [{"name": "name", "type": "string"}, {"name": "value", "type": "int"}]
    fake.schemas[9] = {"schema": json.dumps(SCHEMA | {"fields": fields})}

    async def work() -> None:
        async with fake.listening() as url:
            one = registry(url, tmp_path / "a.json")
            decoder = AvroDecoder(AvroDecoder.Config(), Limits(), 60_000)
            decoder.schemas = one.schemas
            payloads: Payloads = payload_of("t", "avro", b"\0\0\0\0\x09\2a\6", arrival_ms=10**12)
            assert decoder.decode(payloads).refused == [(0, "unknown_schema")]
            await one.ready([9])
            assert decoder.decode(payloads).batch.value.tolist() == [3.0]

    run(work())
