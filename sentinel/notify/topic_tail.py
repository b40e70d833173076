"""What the alert topic holds already: read at a start, so that an event is not published twice.

Also makes the topic where there is none. Only `topic.py` imports this, and only once Kafka is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from sentinel.telemetry import logger

_LOG = logger("notify")
_PATIENCE_SECONDS: Final = 30.0


async def ensure_topic(options: Mapping[str, Any], topic: str) -> None:
    """Creates the topic with the broker's default partitions and replicas. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        if topic in await admin.list_topics():
            return
        new = NewTopic(topic, -1, -1, replica_assignments={}, topic_configs={"cleanup.policy": "delete"})
        made = await admin.create_topics([new])
        for _, code, message in made.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(message)
    finally:
        await admin.close()


async def ids_at_the_end(options: Mapping[str, Any], topic: str, source: str, records: int) -> set[str]:
    """`ce_id` of what `source` wrote among the last `records` of each partition. Raises KafkaError."""
    consumer = AIOKafkaConsumer(topic, **options, enable_auto_commit=False)
    found: set[str] = set()
    try:
        await consumer.start()
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, max(starts[partition], ends[partition] - records))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while await _behind(consumer, ends):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    headers = [dict(record.headers) for record in batch]
                    found |= {h["ce_id"].decode() for h in headers if h.get("ce_source") == source.encode()}
    except TimeoutError:
        _LOG.warning("alert_topic_tail_not_read", topic=topic, found=len(found))
    finally:
        await consumer.stop()
    return found


async def _behind(consumer: Any, ends: Mapping[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return True
    return False
