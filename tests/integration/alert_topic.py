"""The alert topic as a consumer sees it: CloudEvents in binary mode."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from .records import consume


@dataclass(frozen=True)
class TopicEvent:
    """One record. `id` and `type` are its `ce_id` and `ce_type`; `key` is the alert's fingerprint."""

    id: str
    type: str
    key: str
    data: dict[str, Any]


def read_alert_topic(bootstrap: str, topic: str) -> list[TopicEvent]:
    """Every record in the topic now, repeats included."""
    return [_event(record) for record in asyncio.run(consume(bootstrap, topic))]


def once_by_id(events: list[TopicEvent]) -> list[TopicEvent]:
    """What is left after a consumer has dropped the ids that it has seen."""
    return list({event.id: event for event in reversed(events)}.values())[::-1]


def _event(record: Any) -> TopicEvent:
    headers = {name: value.decode() for name, value in record.headers}
    return TopicEvent(headers["ce_id"], headers["ce_type"], record.key.decode(), json.loads(record.value))
