"""What a source is, and what the host gives it: the border between the outside world and the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec
from prometheus_client import Counter

from sentinel.model import Payloads
from sentinel.telemetry import REGISTRY

SKIPPED = Counter(
    "sentinel_ingest_skipped_total",
    "Batches, records or offsets that a source could not read and went past.",
    ["source", "reason"],
    registry=REGISTRY,
)
FAILURES = Counter(
    "sentinel_ingest_failures_total",
    "Attempts to reach a source that failed.",
    ["source", "reason"],
    registry=REGISTRY,
)


class Sink(Protocol):
    """Where payloads go: the host's bounded inbox."""

    async def put(self, payloads: Payloads) -> None:
        """Waits while the inbox is full: back-pressure."""
        ...

    async def put_synced(self, payloads: Payloads) -> None:
        """Returns when the payloads are in the journal and synced.

        Raises SourceError(reason="overloaded") if that takes too long.
        """
        ...

    def positions(self, source: str) -> Mapping[str, int]:
        """Where to read on, by partition `topic/3`; empty if unknown."""
        ...


class PartitionStatus(msgspec.Struct, frozen=True):
    """How far one partition is read. Offsets are Kafka's."""

    position: int
    """The next offset that the sink will be given; -1 while it is not known."""
    end: int
    """The broker's high watermark (the last stable offset for read_committed); -1 while it is not known."""
    heard_ms: int
    """When the leader last answered a fetch, be it with nothing; 0 for never."""


class Source(Protocol):
    """A source runs on the event loop until it is cancelled, and never fails for good."""

    name: str
    assigned: bool
    """Ready: it has an assignment (Kafka) or has started (others)."""

    async def run(self) -> None:
        """Until cancelled; retries for ever with back-off."""
        ...

    def partitions(self) -> Mapping[str, PartitionStatus]:
        """The assigned partitions; empty for push and scrape."""
        ...

    def connected(self, now_ms: int) -> bool:
        """Whether the outside world still answers."""
        ...
