"""Records into and out of topics, and the JSON sample that the daemon's `json` format reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


def sample(name: str, labels: Mapping[str, str], value: float, timestamp_ms: int) -> bytes:
    """One JSON sample as services write it."""
    return json.dumps({"name": name, "labels": labels, "value": value, "timestamp": timestamp_ms}).encode()


async def produce(bootstrap: str, topic: str, values: Iterable[bytes]) -> None:
    """Writes the values, acknowledged by the broker on return."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5, max_request_size=4 << 20
    ) as producer:
        sent = [await producer.send(topic, value) for value in values]
        for acknowledged in sent:
            await acknowledged


async def consume(bootstrap: str, topic: str) -> list[Any]:
    """Every record that the topic holds now, partition after partition."""
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[Any] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                records.extend(batch)
    return sorted(records, key=lambda record: (record.partition, record.offset))
