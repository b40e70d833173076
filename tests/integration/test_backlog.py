"""Catching up: what piled up while nobody looked is evaluated in event time, as if it had been read live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from .alert_topic import read_alert_topic
from .configuration import alert, alerts_to, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .kafka_broker import Broker
from .receiver import Receiver
from .records import sample
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

PARTITIONS, SERIES, ROUNDS, PERIOD_MS = 3, 300, 120, 250
HIGH = range(40, 60)
RULES = rule_group(
    "load",
    alert("Partial", f"count(load) != {SERIES}"),
    alert("Passed", 'load{host="h7"} > 100'),
    alert("Lasting", 'load{host="h8"} > 100'),
)


def backlog(begin_ms: int) -> Iterator[tuple[int, bytes]]:
    """(partition, record): every series in every round; one is high for a while, one from then on."""
    for number in range(ROUNDS):
        for host in range(SERIES):
            high = (host == 7 and number in HIGH) or (host == 8 and number >= HIGH.start)
            labels, value = {"host": f"h{host}"}, 150.0 if high else 50.0
            yield host % PARTITIONS, sample("load", labels, value, begin_ms + number * PERIOD_MS)


async def _fill(bootstrap: str, topic: str) -> None:
    begin_ms = int(time.time() * 1000) - ROUNDS * PERIOD_MS
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for partition, record in backlog(begin_ms):
            await producer.send(topic, record, partition=partition)
        await producer.flush()


def test_a_backlog_is_evaluated_with_all_partitions(kafka: Broker, topic: str, tmp_path: Path) -> None:
    """No evaluation sees one partition ahead of another; only what still holds at the end is paged."""
    kafka.create_topic(topic, PARTITIONS)
    events = kafka.create_topic(f"{topic}-alerts")
    asyncio.run(_fill(kafka.bootstrap, topic))
    config = configuration(
        kafka_source(kafka, topic), interval=f"{PERIOD_MS}ms", alert_topic=alerts_to(kafka, events)
    )
    daemon = Daemon(tmp_path, config)
    daemon.write("rules/load.yml", RULES)
    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        with daemon:
            wait_until(lambda: receiver.pages(), timeout=30, what="page", why=daemon.log)
            assert daemon.metric("sentinel_ingest_samples_total", source="telemetry") == SERIES * ROUNDS
            time.sleep(2)  # for what should not come
            happened = [
                (event.data["labels"]["alertname"], event.type.rpartition(".")[2])
                for event in read_alert_topic(kafka.bootstrap, events)
            ]
        assert sorted(happened) == [("Lasting", "firing"), ("Passed", "firing"), ("Passed", "resolved")]
        assert [(page.name, page.status) for page in receiver.pages()] == [("Lasting", "firing")]
