"""Kafka's past once more, against a broker: from a time on, up to an offset, and in order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from broker import Broker, until

from sentinel.ingest import kafka_past, kafka_raw
from sentinel.ingest.kafka import KafkaConfig
from sentinel.ingest.kafka_past import AHEAD_MS, KafkaPast
from sentinel.ingest.past import Past, RefillConfig
from sentinel.model import Payloads

BEGIN_MS, SECOND_MS = int(time.time()) * 1000 - 3_600_000, 1000
"""An hour ago: what is much older no broker keeps."""


class Taker:
    """Takes payloads in, and knows how far; while it is `slow`, it takes none."""

    def __init__(self) -> None:
        self.got: list[Payloads] = []
        self.known: dict[str, dict[str, int]] = {}
        self.slow = False

    async def put(self, payloads: Payloads) -> None:
        self.got.append(payloads)
        if not self.slow:
            self.known.setdefault(payloads.source, {})[payloads.partition] = payloads.next_offset

    async def put_synced(self, payloads: Payloads) -> None:
        raise AssertionError("Kafka keeps the past")

    def positions(self, source: str) -> Mapping[str, int]:
        return dict(self.known.get(source, {}))

    def offsets(self, partition: str) -> list[int]:
        return [offset for each in self.got if each.partition == partition for offset in each.offset.tolist()]


@contextlib.asynccontextmanager
async def reading(broker: Broker, topic: str, taker: Taker, **limits: int) -> AsyncIterator[KafkaPast]:
    config = KafkaConfig(bootstrap_servers=broker.address, topics=[topic], group_id="g")
    past = KafkaPast("kafka", config, taker, RefillConfig(**limits))
    task = asyncio.create_task(past.run())
    try:
        yield past
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def fill(broker: Broker, topic: str, count: int, partitions: int = 1) -> None:
    """A record a second in each partition; the broker cannot tell it from the past."""
    await broker.create(topic, partitions)
    async with AIOKafkaProducer(bootstrap_servers=broker.address, max_batch_size=500) as producer:
        for number in range(count):
            for partition in range(partitions):
                at = BEGIN_MS + number * SECOND_MS
                await producer.send(topic, b"%d" % number, partition=partition, timestamp_ms=at)
        await producer.flush()


def past_of(topic: str, from_second: int, **until_: int) -> Past:
    """`from_second` less what clocks may differ."""
    ends = {f"{topic}/{name[1:]}": end for name, end in until_.items()}
    return Past("kafka (past 1)", BEGIN_MS + from_second * SECOND_MS + AHEAD_MS, ends)


@pytest.mark.parametrize("path", ["raw", "public"])
def test_from_a_time_up_to_an_offset_in_order(
    broker: Broker, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "public":
        monkeypatch.setattr(kafka_raw, "VERSION", "another")
    monkeypatch.setattr(kafka_past, "PIECE_RECORDS", 7)
    topic, taker = f"past-{path}", Taker()

    async def run() -> int:
        await fill(broker, topic, 100, partitions=2)
        past = past_of(topic, 30, p0=90, p1=80)
        async with reading(broker, topic, taker) as reader:
            reader.begin(past)
            await until(lambda: taker.positions(past.name) == past.until)
            assert reader.assigned and reader.connected(past.from_ms)
        return past.begins_ms

    assert asyncio.run(run()) == 0, "everything asked for was there"
    assert taker.offsets(f"{topic}/0") == list(range(30, 90))
    assert taker.offsets(f"{topic}/1") == list(range(30, 80))
    partitions = [each.partition[-1] for each in taker.got if len(each)]
    assert partitions == sorted(partitions) and max(map(len, taker.got)) == 7


def test_what_retention_has_taken_is_said(broker: Broker) -> None:
    taker = Taker()

    async def run() -> int:
        await fill(broker, "deleted", 50)
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
        await admin.start()
        await admin.delete_records({TopicPartition("deleted", 0): RecordsToDelete(before_offset=20)})
        await admin.close()
        past = past_of("deleted", 5, p0=50)
        async with reading(broker, "deleted", taker) as reader:
            reader.begin(past)
            await until(lambda: taker.positions(past.name) == past.until)
        return past.begins_ms

    assert asyncio.run(run()) == BEGIN_MS + 20 * SECOND_MS
    assert taker.offsets("deleted/0") == list(range(20, 50))


def test_of_more_records_than_allowed_the_newest_are_read(broker: Broker) -> None:
    taker = Taker()

    async def run() -> int:
        await fill(broker, "much", 50)
        past = past_of("much", 0, p0=50)
        async with reading(broker, "much", taker, max_records=10) as reader:
            reader.begin(past)
            await until(lambda: taker.positions(past.name) == past.until)
        return past.begins_ms

    assert asyncio.run(run()) == BEGIN_MS + 40 * SECOND_MS
    assert taker.offsets("much/0") == list(range(40, 50))


def test_it_goes_on_where_the_sink_is(broker: Broker) -> None:
    taker = Taker()

    async def run() -> None:
        await fill(broker, "again", 50, partitions=2)
        past = past_of("again", 0, p0=50, p1=50)
        taker.known[past.name] = {"again/0": 50, "again/1": 33}
        async with reading(broker, "again", taker) as reader:
            reader.begin(past)
            await until(lambda: taker.positions(past.name) == past.until)

    asyncio.run(run())
    assert taker.offsets("again/0") == [] and taker.offsets("again/1") == list(range(33, 50))


def test_it_waits_for_the_sink_stands_still_when_told_and_gives_way_to_another(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_past, "PIECE_RECORDS", 7)
    taker = Taker()

    async def run() -> None:
        await fill(broker, "wait", 50)
        past = past_of("wait", 0, p0=50)
        taker.known[past.name] = {"wait/0": 0}
        async with reading(broker, "wait", taker) as reader:
            reader.paused, taker.slow = True, True
            reader.begin(past)
            await asyncio.sleep(0.5)
            assert taker.got == []
            reader.paused = False
            await until(lambda: taker.offsets("wait/0"))
            await asyncio.sleep(0.1)
            assert taker.offsets("wait/0") == list(range(7)), "one piece, and no more"
            other = past_of("wait", 30, p0=49)
            other.name, taker.slow = "kafka (past 2)", False
            reader.begin(other)
            await until(lambda: taker.positions(other.name) == other.until)
        assert taker.offsets("wait/0") == [*range(7), *range(30, 49)]

    asyncio.run(run())


def test_a_broker_that_goes_away_is_waited_for(own_broker: Broker) -> None:
    taker = Taker()

    async def run() -> None:
        await fill(own_broker, "away", 50)
        past = past_of("away", 0, p0=50)
        own_broker.stop()
        async with reading(own_broker, "away", taker) as reader:
            reader.begin(past)
            await asyncio.sleep(0.5)
            own_broker.start()
            await until(lambda: taker.positions(past.name) == past.until, 40)

    asyncio.run(run())
    assert taker.offsets("away/0") == list(range(50))


@pytest.mark.parametrize(("begins_anew", "left"), [(False, range(20, 50)), (True, range(0))])
def test_what_goes_under_way_is_stepped_over(broker: Broker, begins_anew: bool, left: range) -> None:
    """Retention takes the next records, or the topic is another one: it ends before our position."""
    topic, taker = f"gone-{begins_anew}", Taker()

    async def run() -> None:
        await fill(broker, topic, 50)
        past = past_of(topic, 0, p0=500 if begins_anew else 50)
        taker.known[past.name] = {f"{topic}/0": 400 if begins_anew else 3}
        if not begins_anew:
            admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
            await admin.start()
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=20)})
            await admin.close()
        async with reading(broker, topic, taker) as reader:
            reader.begin(past)
            await until(lambda: taker.positions(past.name) == past.until)

    asyncio.run(run())
    assert taker.offsets(f"{topic}/0") == list(left)
