"""The low-latency path: a group that is evaluated when its samples arrive, not when its interval is over."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from .configuration import alert, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .kafka_broker import Broker
from .receiver import Receiver
from .records import produce, sample
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def test_pages_without_waiting_for_the_interval(kafka: Broker, topic: str, tmp_path: Path) -> None:
    """The interval is an hour; only the group that asks for it is evaluated on arrival."""
    kafka.create_topic(topic, partitions=2)
    daemon = Daemon(tmp_path, configuration(kafka_source(kafka, topic), interval="1h"))
    daemon.write("rules/now.yml", rule_group("now", alert("Now", "load > 100"), on_arrival=True))
    daemon.write("rules/later.yml", rule_group("later", alert("Later", "load > 100")))
    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        with daemon:
            for number in range(5):
                high = sample("load", {"host": f"h{number}"}, 150.0, int(time.time() * 1000))
                asyncio.run(produce(kafka.bootstrap, topic, [high]))
                wait_until(
                    lambda: len(receiver.pages("firing")) > number,  # noqa: B023
                    timeout=5,
                    poll=0.02,
                    what=f"page {number + 1}",
                    why=lambda: f"{receiver.pages()}\n{daemon.log()}",
                )
            pages = [(page.name, page.labels["host"]) for page in receiver.pages()]
            assert pages == [("Now", f"h{number}") for number in range(5)]
