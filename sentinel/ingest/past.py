"""Reading a stretch of a source's past once more, beside the present."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Protocol

import msgspec

from sentinel.ingest.source import PartitionStatus

Count = Annotated[int, msgspec.Meta(ge=0)]


class RefillConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How windows that rules ask for anew are filled from Kafka; `max_records` of 0 is not at all."""

    max_records: Count = 50_000_000
    records_per_second: Annotated[int, msgspec.Meta(ge=1)] = 200_000


class Past(msgspec.Struct):
    """What is to be read again, under a name of its own: from a time on, up to offsets read already."""

    name: str
    from_ms: int
    until: dict[str, int]
    """By partition `topic/3`, the offset before which reading again ends."""
    begins_ms: int = 0
    """Set by the reader where less is left: since when records are there. 0: all that was asked for."""


class PastReader(Protocol):
    """Puts the payloads of a past into the sink, in the order of partitions and offsets, none ahead of the
    sink's positions by more than a piece: who goes on after a crash needs them in that order.
    """

    paused: bool
    """Read no further while this is set; from any thread."""

    @property
    def assigned(self) -> bool:
        """Whether there is a past to read."""
        ...

    def partitions(self) -> Mapping[str, PartitionStatus]: ...

    def connected(self, now_ms: int) -> bool: ...

    def begin(self, past: Past | None) -> None:
        """Read this one, and no other any more; from any thread."""
        ...
