"""The Kafka source against a broker: positions, gaps, rebalances, pauses, and brokers that go away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from broker import Broker, until
from conftest import MemorySink

from sentinel.clock import SystemClock
from sentinel.ingest import kafka, kafka_raw
from sentinel.ingest.kafka import KafkaConfig, KafkaSource
from sentinel.ingest.source import FAILURES, SKIPPED

CLOCK = SystemClock()


@contextlib.asynccontextmanager
async def running(broker: Broker, topic: str, sink: Any, **options: Any) -> AsyncIterator[KafkaSource]:
    options = {"group_id": f"group-{topic}", **options}
    config = KafkaConfig(bootstrap_servers=broker.address, topics=[topic], **options)
    source = KafkaSource("kafka", config, sink)
    task = asyncio.create_task(source.run())
    try:
        yield source
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def current(source: KafkaSource) -> bool:
    """Assigned, and read to the end."""
    statuses = source.partitions().values()
    return bool(statuses) and all(s.end >= 0 and s.position >= s.end for s in statuses)


@pytest.mark.parametrize("path", ["raw", "public"])
def test_everything_is_read_once(
    broker: Broker, sink: MemorySink, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "public":
        monkeypatch.setattr(kafka_raw, "VERSION", "another")
    topic = f"all-{path}"
    values = {p: [b"%d-%d" % (p, i) for i in range(700)] for p in range(3)}

    async def run() -> None:
        await broker.create(topic, 3)
        for p, codec in enumerate([None, "lz4", "zstd"]):
            await broker.produce(topic, values[p], p, compression_type=codec)
        async with running(broker, topic, sink) as source:
            await until(lambda: current(source))
            assert source.assigned and source.connected(CLOCK.now_ms())
            assert {name: s.position for name, s in source.partitions().items()} == {
                f"{topic}/{p}": 700 for p in range(3)
            }

    asyncio.run(run())
    for p in range(3):
        assert sink.values(f"{topic}/{p}") == values[p]
    last = [payloads for payloads in sink.got if payloads.partition == f"{topic}/0"][-1]
    assert last.next_offset == 700 and last.source == "kafka" and last.format == "json"
    assert abs(last.arrival_ms - last.record_ms[-1]) < 60_000


def test_positions_of_the_sink_come_first_then_those_of_the_group(broker: Broker) -> None:
    async def run() -> None:
        await broker.create("pos", 2)
        for p in range(2):
            await broker.produce("pos", [b"%d" % i for i in range(10)], p)
        first = MemorySink()
        async with running(broker, "pos", first) as source:
            await until(lambda: len(first.values()) == 20)
            await source.commit({"pos/0": 4, "pos/1": 8, "other/0": 1})
        second = MemorySink()
        second.known = {"pos/0": 6}
        async with running(broker, "pos", second) as source:
            await until(lambda: current(source))
        assert second.values("pos/0") == [b"6", b"7", b"8", b"9"]
        assert second.values("pos/1") == [b"8", b"9"]

    asyncio.run(run())


def test_a_quiet_partition_is_known_to_be_current(broker: Broker, sink: MemorySink) -> None:
    async def run() -> None:
        await broker.create("quiet")
        await broker.produce("quiet", [b"old"])
        async with running(broker, "quiet", sink, auto_offset_reset="latest") as source:
            await until(lambda: current(source))
            await broker.produce("quiet", [b"new"])
            await until(lambda: sink.values() == [b"new"])
        assert sink.got[0].next_offset == 1 and len(sink.got[0]) == 0

    asyncio.run(run())


def test_records_that_the_broker_dropped_are_counted(broker: Broker, sink: MemorySink) -> None:
    counter = SKIPPED.labels("kafka", "out_of_range")

    async def run() -> None:
        await broker.create("gap")
        await broker.produce("gap", [b"%d" % i for i in range(10)])
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
        await admin.start()
        await admin.delete_records({TopicPartition("gap", 0): RecordsToDelete(before_offset=7)})
        await admin.close()
        sink.known = {"gap/0": 2}
        before = counter._value.get()
        async with running(broker, "gap", sink):
            await until(lambda: sink.values() == [b"7", b"8", b"9"])
        assert counter._value.get() - before == 5

    asyncio.run(run())


def test_members_share_and_take_over_without_loss(broker: Broker) -> None:
    async def run() -> None:
        await broker.create("group", 4)
        left, right = MemorySink(), MemorySink()
        async with running(broker, "group", left) as first:
            await until(lambda: len(first.partitions()) == 4)
            async with running(broker, "group", right) as second:
                await until(lambda: len(first.partitions()) == len(second.partitions()) == 2)
                for p in range(4):
                    await broker.produce("group", [b"a%d" % p], p)
                await until(lambda: len(left.values()) + len(right.values()) == 4)
            await until(lambda: len(first.partitions()) == 4)
            for p in range(4):
                await broker.produce("group", [b"b%d" % p], p)
            await until(lambda: {b"b0", b"b1", b"b2", b"b3"} <= set(left.values()))
        assert len(left.values()) == len(set(left.values()))

    asyncio.run(run())


def test_paused_partitions_wait_and_then_go_on(broker: Broker, sink: MemorySink) -> None:
    async def run() -> None:
        await broker.create("pause", 2)
        async with running(broker, "pause", sink) as source:
            await until(lambda: current(source))
            source.hold(["pause/0"])
            for p in range(2):
                await broker.produce("pause", [b"%d" % p], p)
            await until(lambda: sink.values() == [b"1"])
            await asyncio.sleep(0.5)
            assert sink.values() == [b"1"] and source.connected(CLOCK.now_ms())
            source.hold([])
            await until(lambda: sink.values() == [b"1", b"0"])

    asyncio.run(run())


def test_a_full_inbox_holds_the_source_but_does_not_disconnect_it(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "SILENT_MS", 500)
    gate = asyncio.Event()

    class Slow(MemorySink):
        async def put(self, payloads: Any) -> None:
            if len(payloads):
                await gate.wait()
            await super().put(payloads)

    async def run() -> None:
        sink = Slow()
        await broker.create("slow")
        await broker.produce("slow", [b"x"])
        async with running(broker, "slow", sink) as source:
            await until(lambda: source._handing is not None)
            await asyncio.sleep(1)
            status = source.partitions()["slow/0"]
            assert source.connected(CLOCK.now_ms()) and status.position < status.end == 1
            gate.set()
            await until(lambda: current(source))
        assert sink.values() == [b"x"]

    asyncio.run(run())


def test_a_broker_that_goes_away_comes_back_by_itself(
    own_broker: Broker, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "SILENT_MS", 1500)

    async def run() -> None:
        own_broker.stop()
        async with running(own_broker, "away", sink) as source:
            await until(lambda: FAILURES.labels("kafka", "KafkaConnectionError")._value.get() > 0)
            assert not source.connected(CLOCK.now_ms()) and not source.assigned
            own_broker.start()
            await own_broker.create("away")
            await own_broker.produce("away", [b"before"])
            await until(lambda: sink.values() == [b"before"], 40)
            own_broker.stop()
            await until(lambda: not source.connected(CLOCK.now_ms()))
            own_broker.start()
            await own_broker.produce("away", [b"after"])
            await until(lambda: sink.values() == [b"before", b"after"], 40)
            assert source.connected(CLOCK.now_ms())

    asyncio.run(run())


def test_stopping_leaves_the_group_and_no_task_behind(broker: Broker, sink: MemorySink) -> None:
    async def run() -> None:
        await broker.create("stop")
        async with running(broker, "stop", sink) as source:
            await until(lambda: current(source))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        consumer = AIOKafkaConsumer("stop", bootstrap_servers=broker.address, group_id="group-stop")
        async with asyncio.timeout(5):  # a member that had not left would hold us up for its session time-out
            await consumer.start()
        assert consumer.assignment()
        await consumer.stop()

    asyncio.run(run())
