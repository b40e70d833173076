"""Paging never waits for Kafka: the cluster being watched may be gone when its alert is due."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .alert_topic import TopicEvent, once_by_id, read_alert_topic
from .configuration import alert, alerts_to, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .exporter import Exporter
from .kafka_broker import Broker
from .receiver import Receiver
from .records import produce, sample
from .waiting import listens, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

RULES = rule_group(
    "mixed",
    alert("LoadHigh", "load > 100"),
    alert("QueueLong", "queue_length > 10"),
    alert("DiskHot", "disk_celsius > 70"),
)
"""One group over all three sources: what Kafka feeds must not hold back the others."""


@dataclass
class Scene:
    """A daemon over telemetry from Kafka, pushed samples and a scraped exporter."""

    broker: Broker
    daemon: Daemon
    receiver: Receiver
    exporter: Exporter
    topic: str
    events: str

    def load(self, value: float) -> None:
        now_ms = int(time.time() * 1000)
        asyncio.run(
            produce(self.broker.bootstrap, self.topic, [sample("load", {"host": "a"}, value, now_ms)])
        )

    def queue(self, length: float) -> None:
        body = sample("queue_length", {"queue": "orders"}, length, int(time.time() * 1000))
        status, text = self.daemon.post("/api/v1/push", body + b"\n")
        assert 200 <= status < 300, f"push was answered {status}: {text}"

    def await_page(self, status: str, *names: str, timeout: float = 15) -> None:
        """Until exactly these alerts were paged in this state."""
        wait_until(
            lambda: {page.name for page in self.receiver.pages(status)} >= set(names),
            timeout=timeout,
            what=f"{status} {names}",
            why=lambda: f"{self.receiver.pages()}\n{self.daemon.log()}",
        )
        assert Counter(page.name for page in self.receiver.pages(status)) == Counter(names)

    def await_topic(self, **counts: int) -> None:
        """Until the alert topic holds so many `firing` and `resolved` events, each id once."""
        expected = {f"sentinel.alert.{state}": count for state, count in counts.items()}

        def read() -> list[TopicEvent]:
            return once_by_id(read_alert_topic(self.broker.bootstrap, self.events))

        wait_until(
            lambda: Counter(event.type for event in read()) == expected,
            timeout=60,
            poll=1,
            what=f"alert topic with {counts}",
            why=lambda: f"{read()}\n{self.daemon.log()}",
        )
        assert Counter((event.type, event.key) for event in read()).most_common(1)[0][1] == 1


@pytest.fixture
def scene(fresh_kafka: Broker, topic: str, tmp_path: Path) -> Iterator[Scene]:
    fresh_kafka.create_topic(topic, partitions=3)
    events = fresh_kafka.create_topic(f"{topic}-alerts")
    with Exporter("disk_celsius", 40) as exporter, Receiver() as receiver:
        scrape = {"interval": "1s", "timeout": "1s", "targets": [exporter.target]}
        config = configuration(
            kafka_source(fresh_kafka, topic),
            {"name": "push", "http": {}},
            {"name": "disks", "scrape": scrape},
            alert_topic=alerts_to(fresh_kafka, events),
        )
        daemon = Daemon(tmp_path, config)
        daemon.write("rules/mixed.yml", RULES)
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        yield Scene(fresh_kafka, daemon, receiver, exporter, topic, events)
        daemon.kill()


@contextmanager
def outage(broker: Broker, seconds: float, end: str) -> Iterator[None]:
    """The broker is down for the block, and for at least so long."""
    getattr(broker, end)()
    until = time.monotonic() + seconds
    yield
    assert not listens(broker.port)
    time.sleep(max(0.0, until - time.monotonic()))
    broker.start()


@pytest.mark.parametrize(("seconds", "end"), [(20, "stop"), (60, "kill")], ids=["stop", "kill"])
def test_pages_go_out_while_kafka_is_down(scene: Scene, seconds: float, end: str) -> None:
    """An alert over Kafka telemetry holds through the outage; pushed and scraped ones fire inside it."""
    with scene.daemon:
        scene.queue(1)
        scene.load(150)
        scene.await_page("firing", "LoadHigh")
        with outage(scene.broker, seconds, end):
            wait_until(
                lambda: scene.daemon.metric("sentinel_source_up", source="telemetry") == 0,
                timeout=seconds,
                what="source reported as down",
                why=scene.daemon.log,
            )
            scene.queue(50)
            scene.exporter.value = 90
            scene.await_page("firing", "LoadHigh", "QueueLong", "DiskHot", timeout=10)
            assert scene.receiver.pages("resolved") == []
            assert scene.daemon.get("/-/healthy")[0] == 200
        scene.await_topic(firing=3)
        scene.load(50)
        scene.queue(1)
        scene.exporter.value = 40
        scene.await_page("resolved", "LoadHigh", "QueueLong", "DiskHot", timeout=40)
        scene.await_topic(firing=3, resolved=3)
        assert scene.daemon.metric("sentinel_ingest_samples_total", source="telemetry") == 2
        assert scene.daemon.metric("sentinel_source_up", source="telemetry") == 1


def test_a_daemon_started_while_kafka_is_down_pages(scene: Scene) -> None:
    """Killed in the outage as well: acknowledged pushes are still known, and nothing is paged twice."""
    with scene.daemon:
        scene.queue(50)
        scene.await_page("firing", "QueueLong")
        with outage(scene.broker, 5, "kill"):
            scene.daemon.kill()
            scene.daemon.launch()  # not ready: that takes its partitions
            scene.exporter.value = 90
            scene.await_page("firing", "QueueLong", "DiskHot", timeout=30)
            scene.queue(1)
            scene.await_page("resolved", "QueueLong")
        scene.await_topic(firing=2, resolved=1)
