"""Avro records on Kafka: they wait for their schemas, page, and outlive a kill without a registry."""

from __future__ import annotations

import asyncio
import io
import json
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from .configuration import alert, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .kafka_broker import Broker
from .receiver import Receiver
from .records import consume, produce, sample
from .schema_registry import Registry
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
TIME = {"type": "long", "logicalType": "timestamp-micros"}
HOST = {"type": "record", "name": "Host", "fields": [{"name": "name", "type": "string"}]}
SCHEMA = {
    "type": "record",
    "name": "Measured",
    "namespace": "test",
    "fields": [
        {"name": "event", "type": "string"},
        {"name": "host", "type": HOST},
        {"name": "rack", "type": ["null", "int"], "default": None},
        {"name": "values", "type": {"type": "map", "values": ["null", "double", "boolean", "string"]}},
        {"name": "at", "type": TIME},
    ],
}
LATER = SCHEMA | {"fields": [*SCHEMA["fields"], {"name": "note", "type": "string"}]}  # type: ignore[misc]
AVRO = {"name": "event", "labels": ["host.name", "rack"], "fields": "values", "timestamp": "at"}
OTHER = {"name": "other", "http": {}}


def written(number: int, schema: Any, host: str, load: float) -> bytes:
    """A record as Confluent's serializer writes it."""
    value = {
        "event": "node",
        "host": {"name": host},
        "rack": 7,
        "values": {"load": load, "up": True, "state": "well", "gone": None},
        "at": time.time_ns() // 1000,
        "note": "new",
    }
    plain = json.loads(json.dumps(schema).replace("logicalType", "as"))
    out = io.BytesIO()
    out.write(b"\0" + number.to_bytes(4, "big"))
    schemaless_writer(out, parse_schema(plain), value)
    return out.getvalue()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def registry() -> Iterator[Registry]:
    one = Registry()
    one.schemas = {1: SCHEMA, 300_000: LATER}
    yield one
    one.stop()


@pytest.fixture
def daemon(
    kafka: Broker, topic: str, tmp_path: Path, receiver: Receiver, registry: Registry
) -> Iterator[Daemon]:
    kafka.create_topic(topic, 1)
    more = {"format": "avro", "avro": AVRO, "schema_registry": {"url": registry.url}}
    source = kafka_source(kafka, topic, **more, dead_letter_topic=f"{topic}-dead")
    one = Daemon(tmp_path, configuration(source, OTHER) | {"store": {"retention": "10m"}})
    one.write("alertmanager.yml", one_webhook(receiver.url))
    one.write("rules/load.yml", rule_group("load", alert("High", 'node_load{rack="7"} > 100')))
    with one:
        yield one


def loads(daemon: Daemon) -> dict[str, float]:
    """By host, in the order of their names."""
    _, text = daemon.get(
        "/api/v1/query?" + urllib.parse.urlencode({"query": "last_over_time(node_load[10m])"})
    )
    found: list[Any] = json.loads(text)["data"]["result"]
    return {one["metric"]["name"]: float(one["value"][1]) for one in found}


def waiting(daemon: Daemon) -> float:
    return daemon.metric("sentinel_schema_registry_waiting", source="telemetry")


def await_loads(daemon: Daemon, expected: dict[str, float]) -> None:
    wait_until(lambda: loads(daemon) == expected, timeout=40, what=f"{expected}", why=daemon.log)


def test_records_wait_for_their_schemas(
    daemon: Daemon, kafka: Broker, topic: str, receiver: Receiver, registry: Registry
) -> None:
    """While the registry is away nothing is lost, and other sources go on."""
    records = [written(1, SCHEMA, "a", 5.0), written(1, SCHEMA, "b", 500.0)]
    asyncio.run(produce(kafka.bootstrap, topic, records))
    wait_until(lambda: waiting(daemon) == 1, timeout=30, what="waiting", why=daemon.log)
    pushed = sample("pushed", {}, 1.0, int(time.time() * 1000))
    assert daemon.post("/api/v1/push", pushed)[0] == 202
    wait_until(
        lambda: daemon.metric("sentinel_ingest_samples_total", source="other") == 1,
        timeout=30,
        what="the other source's sample",
        why=daemon.log,
    )
    assert loads(daemon) == {}
    registry.start()
    await_loads(daemon, {"a": 5.0, "b": 500.0})
    assert waiting(daemon) == 0
    asyncio.run(produce(kafka.bootstrap, topic, [written(1, SCHEMA, "a", 5.0)]))  # producers go on as well
    wait_until(lambda: receiver.pages("firing"), timeout=30, what="page", why=daemon.log)
    assert [page.labels["name"] for page in receiver.pages("firing")] == ["b"]


@pytest.mark.slow
def test_bad_records_a_new_schema_and_a_kill_without_a_registry(
    daemon: Daemon, kafka: Broker, topic: str, registry: Registry
) -> None:
    registry.start()
    bad = [b"no avro", written(2, SCHEMA, "x", 1.0), written(1, SCHEMA, "x", 1.0)[:-1]]
    good = [written(1, SCHEMA, "a", 5.0), written(300_000, LATER, "c", 6.0)]
    asyncio.run(produce(kafka.bootstrap, topic, [*bad, *good]))
    expected = {"a": 5.0, "c": 6.0}
    await_loads(daemon, expected)
    wait_until(
        lambda: daemon.metric("sentinel_dead_letters_total", source="telemetry") == 3,
        timeout=30,
        what="dead letters",
        why=daemon.log,
    )
    letters = asyncio.run(consume(kafka.bootstrap, f"{topic}-dead"))
    reasons = [dict(letter.headers)["sentinel-reason"].decode() for letter in letters]
    assert sorted(reasons) == ["invalid_avro", "invalid_header", "unknown_schema"]
    assert sorted(letter.value for letter in letters) == sorted(bad)

    registry.stop()
    daemon.kill()
    daemon.start()
    await_loads(daemon, expected)
    asyncio.run(produce(kafka.bootstrap, topic, [written(1, SCHEMA, "d", 7.0)]))
    await_loads(daemon, expected | {"d": 7.0})
    assert waiting(daemon) == 0
    assert sorted(registry.asked) == [f"/schemas/ids/{number}" for number in (1, 2, 300_000)]
