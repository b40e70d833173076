"""The alert topic against the embedded broker."""

from __future__ import annotations

import asyncio
import importlib.resources
import json
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from sentinel.alert.log import AlertLog
from sentinel.model import AlertEvent
from sentinel.notify.topic import TopicWriter, cloud_event_data, cloud_event_headers
from sentinel.telemetry import TOPIC_PENDING
from tests.simulation.world import event


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_broker(port: int, folder: Path) -> subprocess.Popen[bytes]:
    binary = importlib.resources.files("noida_db") / "noida-db"
    command = [str(binary), "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    process.kill()
    raise RuntimeError("the broker did not start")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    pytest.importorskip("noida_db")
    port = free_port()
    process = start_broker(port, tmp_path_factory.mktemp("kafka"))
    yield {"bootstrap_servers": f"127.0.0.1:{port}"}
    process.terminate()
    process.wait(10)


def changes(count: int) -> list[AlertEvent]:
    """Firing and resolved in turn, of three alerts."""
    now = time.time_ns() // 1_000_000
    return [
        event("firing" if n % 6 < 3 else "resolved", now + n, now, alertname="Down", instance=f"i{n % 3}")
        for n in range(count)
    ]


async def topic_content(options: dict[str, Any], topic: str) -> list[Any]:
    consumer = AIOKafkaConsumer(topic, **options, auto_offset_reset="earliest")
    await consumer.start()
    try:
        records: list[Any] = []
        while batches := await consumer.getmany(timeout_ms=500):
            records += [record for batch in batches.values() for record in batch]
        return records
    finally:
        await consumer.stop()


async def run_until(writer: TopicWriter, done: Callable[[], bool]) -> None:
    task = asyncio.create_task(writer.run())
    async with asyncio.timeout(20):
        while not done():
            assert not task.done()
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])


def test_events_arrive_as_cloud_events_in_order(options: dict[str, Any], tmp_path: Path) -> None:
    async def main() -> list[Any]:
        log, sent = AlertLog(tmp_path / "log"), changes(30)
        log.append(sent[:10])
        writer = TopicWriter(log, tmp_path, options, "alerts-order", "sentinel-1")
        task = asyncio.create_task(run_until(writer, lambda: writer.position == log.end and log.end > middle))
        middle = log.end
        await asyncio.sleep(0.1)
        log.append(sent[10:])
        writer.wake()
        await task
        assert TOPIC_PENDING._value.get() in (0, 20)
        records = await topic_content(options, "alerts-order")
        for instance in range(3):
            expected = [one.id for one in sent if one.labels.get("instance") == f"i{instance}"]
            key = f"{sent[instance].labels.fingerprint:016x}".encode()
            assert [dict(r.headers)["ce_id"].decode() for r in records if r.key == key] == expected
        return records

    records = asyncio.run(main())
    assert len(records) == 30
    headers = dict(records[0].headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_source"] == b"sentinel-1"
    assert headers["content-type"] == b"application/json"
    assert headers["ce_subject"] == b"Down"
    assert {dict(record.headers)["ce_type"] for record in records} == {
        b"sentinel.alert.firing",
        b"sentinel.alert.resolved",
    }
    assert json.loads(records[0].value)["labels"]["alertname"] == "Down"


def test_what_the_topic_holds_is_not_sent_again(options: dict[str, Any], tmp_path: Path) -> None:
    """As after a kill between the acknowledgement and the position's write."""
    log, sent = AlertLog(tmp_path / "log"), changes(12)
    log.append(sent[:8])

    async def life() -> int:
        writer = TopicWriter(log, tmp_path, options, "alerts-once", "sentinel-1")
        await run_until(writer, lambda: writer.position == log.end)
        return writer.position

    reached = asyncio.run(life())
    assert TopicWriter(log, tmp_path, options, "alerts-once", "x").position == reached
    (tmp_path / "alert-topic.position").unlink()
    log.append(sent[8:])
    asyncio.run(life())
    records = asyncio.run(topic_content(options, "alerts-once"))
    assert sorted(dict(record.headers)["ce_id"].decode() for record in records) == sorted(
        one.id for one in sent
    )


def test_a_broker_that_is_away_is_waited_for(tmp_path: Path) -> None:
    pytest.importorskip("noida_db")
    port, log, started = free_port(), AlertLog(tmp_path / "log"), []
    options = {"bootstrap_servers": f"127.0.0.1:{port}"}
    log.append(changes(5))

    async def main() -> list[Any]:
        writer = TopicWriter(log, tmp_path, options, "alerts", "sentinel-1")
        task = asyncio.create_task(run_until(writer, lambda: writer.position == log.end))
        await asyncio.sleep(0.3)
        assert writer.position == 0
        assert TOPIC_PENDING._value.get() == 5
        started.append(await asyncio.to_thread(start_broker, port, tmp_path / "kafka"))
        await task
        return await topic_content(options, "alerts")

    try:
        assert len(asyncio.run(main())) == 5
    finally:
        for process in started:
            process.terminate()
            process.wait(10)


def run_quietly(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def test_nothing_touches_kafka_before_there_is_an_event(tmp_path: Path) -> None:
    async def main() -> None:
        writer = TopicWriter(AlertLog(tmp_path / "log"), tmp_path, {"bootstrap_servers": "x:1"}, "t", "s")
        task = asyncio.create_task(writer.run())
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()

    run_quietly(main())


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.25, "0.25"), (float("nan"), "NaN"), (float("-inf"), "-Inf")]
)
def test_values_are_texts(value: float, text: str) -> None:
    import msgspec

    one = msgspec.structs.replace(changes(1)[0], value=value)
    assert json.loads(cloud_event_data(one))["value"] == text


def test_an_oversized_event_goes_without_its_annotations() -> None:
    one = event("firing", 1, 1, {"description": "x" * 1_000_000}, alertname="Big")
    assert json.loads(cloud_event_data(one))["annotations"] == {}


def test_absent_attributes_have_no_header() -> None:
    assert "ce_subject" not in dict(cloud_event_headers(event("firing", 1, 1, job="j"), "s"))


def test_a_client_that_cancels_its_own_futures_does_not_end_the_writer(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen when a broker goes down: a future of the client's is cancelled, and whoever awaits it with it."""
    session, cancelled = TopicWriter._session, []

    async def cancelled_once(writer: TopicWriter) -> None:
        if not cancelled:
            cancelled.append(True)
            raise asyncio.CancelledError
        await session(writer)

    async def run() -> None:
        log = AlertLog(tmp_path / "log")
        log.append(changes(2))
        monkeypatch.setattr(TopicWriter, "_session", cancelled_once)
        writer = TopicWriter(log, tmp_path, options, "cancelled", "s")
        await run_until(writer, lambda: writer.position == log.end)

    asyncio.run(run())
    assert cancelled
