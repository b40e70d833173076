"""What the host must know of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from sentinel.ingest.past import PastReader
from sentinel.ingest.source import PartitionStatus
from sentinel.model import Decoded, Payloads


class Decoder(Protocol):
    def decode(self, payloads: Payloads) -> Decoded: ...


class Upstream(Protocol):
    """The part of a source that the host asks."""

    def partitions(self) -> Mapping[str, PartitionStatus]: ...

    def connected(self, now_ms: int) -> bool: ...

    @property
    def assigned(self) -> bool: ...


Refused = Callable[[Payloads, list[tuple[int, str]]], None]
"""Told of refused records, as (row, reason); called on the engine's thread."""


Hold = Callable[[frozenset[str]], None]
"""Read these partitions no further, and all others on; called on the engine's thread."""


class Feed(msgspec.Struct, frozen=True):
    """A source as the engine's thread sees it."""

    name: str
    upstream: Upstream
    decoders: Mapping[str, Decoder]
    """By the format of the payloads."""
    replayable: bool
    """Read again from Kafka after a crash; otherwise the journal keeps what came."""
    series_limit: int = 1_000_000
    delay_ms: int = 0
    max_wait_ms: int = 300_000
    refused: Refused | None = None
    hold: Hold = lambda partitions: None
    past: PastReader | None = None
    """Reads again what is older than all that is kept; None: it cannot be had again."""
