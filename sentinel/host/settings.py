"""What the host is given besides its sources: settings, and the alert log to write to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from sentinel.model import AlertEvent


class EventLog(Protocol):
    """The alert log as the host writes it."""

    @property
    def end(self) -> int: ...

    def add(self, events: Sequence[AlertEvent], entry: int) -> None: ...

    def show(self) -> None: ...

    def remember(self, since: int, entry: int) -> None: ...

    def forget(self) -> None: ...


class HostSettings(msgspec.Struct, frozen=True):
    folder: Path
    snapshot_interval_ms: int = 60_000
    spread: bool = True
    """Spread groups over their interval; off, all evaluate at multiples of it."""
