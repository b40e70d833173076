"""Sentinel's own metrics as a source: what `/metrics` shows, so that rules can watch the watcher."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest

from sentinel.clock import Clock, SystemClock
from sentinel.ingest.source import PartitionStatus, Sink
from sentinel.model import Labels, Payloads, payload_of

NAME: Final = "sentinel/self"
INTERVAL_MS: Final = 10_000


class OwnMetrics:
    """One payload at the start and then every interval; `instance` says which Sentinel it is."""

    def __init__(
        self, sink: Sink, registry: CollectorRegistry, instance: str, *, clock: Clock | None = None
    ) -> None:
        self.name, self.assigned = NAME, True
        self._sink, self._registry = sink, registry
        self._target = Labels({"job": "sentinel", "instance": instance})
        self._clock = clock or SystemClock()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            now_ms = self._clock.now_ms()
            await self._sink.put(self._payloads(generate_latest(self._registry), now_ms))
            await asyncio.sleep((INTERVAL_MS - now_ms % INTERVAL_MS) / 1000)

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return {}

    def connected(self, now_ms: int) -> bool:
        """Always: it is we ourselves."""
        return True

    def _payloads(self, body: bytes, now_ms: int) -> Payloads:
        """All in one partition, so that series that are there no longer end."""
        payloads = payload_of(self.name, "openmetrics", body, arrival_ms=now_ms, target=self._target)
        return msgspec.structs.replace(payloads, partition="own")
