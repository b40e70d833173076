"""When a sample was taken: units, RFC 3339, and the bounds that keep one wrong clock from doing harm."""

from __future__ import annotations

import datetime
import math
import re
from typing import Final, NamedTuple

import numpy as np

from sentinel.model import Int64s, Payloads

_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH_DAY: Final = datetime.date(1970, 1, 1).toordinal()
FAR_MS: Final = 1 << 60
"""Stands for every time too far away to count in int64 milliseconds."""
EARLIEST_MS: Final = 100_000_000_000
"""In March 1973. Seconds written where milliseconds are due come before it, and no telemetry does."""


def ms_of_integer(text: str) -> int:
    """Milliseconds as written; out of int64's range, something on the same side of every bound."""
    if len(text) < 19:
        return int(text)
    return -FAR_MS if text.startswith("-") else FAR_MS


def ms_of_seconds(seconds: float) -> int:
    """The nearest millisecond. Raises ValueError if `seconds` is not finite."""
    if not math.isfinite(seconds):
        raise ValueError("not a finite time")
    if abs(seconds) > 1e15:
        return FAR_MS if seconds > 0 else -FAR_MS
    return math.floor(seconds * 1000 + 0.5)


def ms_of_rfc3339(text: str) -> int:
    """`2026-01-31T12:00:00.5+01:00`; cut off below the millisecond, a leap second is the next minute's first.

    Raises ValueError for anything else.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 3339 time")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, sign, east_hours, east_minutes = found.groups()[6:]
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("no such time of day")
    east = 0
    if sign:
        if int(east_hours) > 23 or int(east_minutes) > 59:
            raise ValueError("no such offset")
        east = (int(east_hours) * 60 + int(east_minutes)) * (-1 if sign == "-" else 1)
    days = datetime.date(year, month, day).toordinal() - _EPOCH_DAY
    minutes = (days * 24 + hour) * 60 + minute - east
    return (minutes * 60 + second) * 1000 + int(((fraction or "") + "000")[:3])


def refusal(timestamp_ms: int, latest_ms: int) -> str:
    """The reason to refuse a sample of this time, or the empty string."""
    if timestamp_ms < EARLIEST_MS:
        return "timestamp_past"
    return "timestamp_future" if timestamp_ms > latest_ms else ""


class Times(NamedTuple):
    """By record: the time of samples that have none of their own, and the latest that is believed."""

    usual_ms: Int64s
    latest_ms: Int64s


def bounds(payloads: Payloads, max_future_ms: int) -> Times:
    """A record's own time is its producer's more often than the broker's, so arrival bounds it as well."""
    usual_ms = np.where(payloads.record_ms >= 0, payloads.record_ms, payloads.arrival_ms)
    return Times(usual_ms, np.minimum(usual_ms, payloads.arrival_ms) + max_future_ms)
