"""A rule that comes with a reload has the past in its window that only the topic still holds."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.parse
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from .configuration import configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .kafka_broker import Broker
from .receiver import Receiver
from .records import sample
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PARTITIONS, SERIES, ROUNDS, PERIOD_MS = 3, 30, 400, 5_000
RECORDS = (SERIES + 1) * ROUNDS
NOW_ONLY = rule_group("load", {"record": "other:max", "expr": "max(other)"})
FAR_BACK = rule_group(
    "load",
    {"record": "other:max", "expr": "max(other)"},
    {"record": "load:rounds", "expr": "count_over_time(load[30m])"},
)


async def _fill(bootstrap: str, topic: str, begin_ms: int) -> None:
    """Half an hour and more, each record stamped with the time of its sample."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20) as producer:
        for number in range(ROUNDS):
            at = begin_ms + number * PERIOD_MS
            for host in range(SERIES):
                value = sample("load", {"host": f"h{host}"}, float(number), at)
                await producer.send(topic, value, partition=host % PARTITIONS, timestamp_ms=at)
            await producer.send(topic, sample("other", {}, 1.0, at), partition=0, timestamp_ms=at)
        await producer.flush()


def _rounds(daemon: Daemon, at_ms: int) -> dict[float, int]:
    """How many series have how many samples in half an hour before a time."""
    asked = urllib.parse.urlencode({"query": "count_over_time(load[28m])", "time": at_ms / 1000})
    status, body = daemon.get(f"/api/v1/query?{asked}")
    assert status == 200, body
    counts = [float(each["value"][1]) for each in json.loads(body)["data"]["result"]]
    return {count: counts.count(count) for count in set(counts)}


def _evaluated(daemon: Daemon) -> bool:
    ago = time.time() - daemon.metric("sentinel_rule_group_last_evaluation_timestamp_seconds")
    return ago < 15 and daemon.metric("sentinel_ingest_records_total", source="telemetry") == RECORDS


@pytest.mark.parametrize(
    "killed", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["reload", "killed-under-way"]
)
def test_windows_are_filled_again(kafka: Broker, topic: str, tmp_path: Path, killed: bool) -> None:
    kafka.create_topic(topic, PARTITIONS)
    begin_ms = int(time.time() * 1000) - ROUNDS * PERIOD_MS
    asyncio.run(_fill(kafka.bootstrap, topic, begin_ms))
    source = kafka_source(kafka, topic, refill={"records_per_second": 3000})
    daemon = Daemon(tmp_path, configuration(source, interval="5s"))
    daemon.write("rules/load.yml", NOW_ONLY)
    end_ms = begin_ms + (ROUNDS - 1) * PERIOD_MS
    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        with daemon:
            wait_until(lambda: _evaluated(daemon), timeout=60, what="evaluation of now", why=daemon.log)
            assert _rounds(daemon, end_ms) == {1: SERIES}, "nobody asked for more than the newest"
            daemon.write("rules/load.yml", FAR_BACK)
            assert daemon.post("/-/reload")[0] == 200
            assert daemon.metric("sentinel_rules_short") == 1
            if killed:
                wait_until(
                    lambda: daemon.metric("sentinel_refill_records_total") > RECORDS // 4,
                    timeout=30,
                    what="half of the past",
                    why=daemon.log,
                )
                daemon.kill()
                daemon.start()
            wait_until(lambda: "windows filled" in daemon.log(), timeout=60, what="filled", why=daemon.log)
            assert _rounds(daemon, end_ms) == {28 * 12: SERIES}
            assert daemon.metric("sentinel_refill_pending_records") == 0
            assert daemon.metric("sentinel_ingest_records_total", source="telemetry") == RECORDS
            if not killed:  # what is counted here is counted by a process
                read = daemon.metric("sentinel_refill_records_total")
                assert 30 * 12 * SERIES < read < RECORDS, "half an hour of it, and not all"
            wait_until(
                lambda: daemon.metric("sentinel_rules_short") == 0, timeout=30, what="whole", why=daemon.log
            )
