"""Alert events, and telling of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from sentinel.model.labels import Labels

AlertState = Literal["firing", "resolved"]


class AlertEvent(msgspec.Struct, frozen=True):
    """One change of one alert. `labels` are final: external labels included. Times in ms; ends 0 = open."""

    id: str
    rule: str
    """Which rule made it: `file;group;alertname`."""
    labels: Labels
    annotations: dict[str, str]
    state: AlertState
    starts_at_ms: int
    ends_at_ms: int
    value: float
    evaluated_at_ms: int
    generator_url: str = ""
    incomplete: bool = False
    """Decided without a source that was behind for longer than its `max_wait`."""


class Notification(msgspec.Struct, frozen=True):
    """What a receiver is given: one flush of one group. `id` is the same on every retry of it."""

    id: str
    receiver: str
    status: AlertState
    group_key: str
    group_labels: Labels
    alerts: tuple[AlertEvent, ...]
    external_url: str
    reason: str
    now_ms: int


DeliveryReason = Literal["", "auth", "rate_limited", "client", "server", "timeout", "network", "other"]


class Delivery(msgspec.Struct, frozen=True):
    """What came of one attempt. `retry_after_seconds` is the receiver's wish, 0 if it has none."""

    delivered: bool
    retryable: bool = False
    reason: DeliveryReason = ""
    detail: str = ""
    retry_after_seconds: float = 0.0
