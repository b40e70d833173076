"""What numbers that stand for times may count."""

from __future__ import annotations

from typing import Final

from sentinel.decode.timestamps import FAR_MS

UNITS: Final = {
    "ns": (1, 1_000_000),
    "us": (1, 1000),
    "ms": (1, 1),
    "s": (1000, 1),
    "m": (60_000, 1),
    "h": (3_600_000, 1),
}
"""By unit, so many milliseconds divided by so many."""


def ms_of_count(text: str, times: int, per: int) -> int:
    """Of a whole number; out of int64's range, something on the same side of every bound."""
    if len(text) > 20:
        return -FAR_MS if text.startswith("-") else FAR_MS
    return int(text) * times // per
