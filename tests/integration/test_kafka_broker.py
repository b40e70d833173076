"""The harness itself: what a broker acknowledged is there after it was stopped or killed."""

from __future__ import annotations

import asyncio

import pytest

from .kafka_broker import Broker
from .records import consume, produce

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


@pytest.mark.slow
def test_acknowledged_records_survive_kill_and_stop(fresh_kafka: Broker, topic: str) -> None:
    """The daemon's durability is tested on this broker, so its own comes first."""
    fresh_kafka.create_topic(topic, partitions=2)
    values = [b"%d" % number for number in range(500)]
    asyncio.run(produce(fresh_kafka.bootstrap, topic, values))
    for end in (fresh_kafka.kill, fresh_kafka.stop):
        end()
        fresh_kafka.start()
        records = asyncio.run(consume(fresh_kafka.bootstrap, topic))
        assert sorted(values) == sorted(record.value for record in records)
