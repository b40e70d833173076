"""Numbers for people: four significant digits and a prefix. The same in rules and notifications."""

from __future__ import annotations

import math
from typing import Any, Final

from sentinel.template.gonumber import shortest
from sentinel.template.gotime import SECOND, Duration, Time
from sentinel.template.limits import CallError
from sentinel.template.numbers import parse_float
from sentinel.template.values import SafeHtml, kind, type_name

_LARGE: Final = "kMGTPEZY"
_SMALL: Final = "munpfazy"


def to_float(value: Any) -> float:
    """A number, a duration in seconds, or a text that is a number. Raises CallError."""
    if isinstance(value, Duration):
        return value / SECOND
    if isinstance(value, str) and not isinstance(value, SafeHtml):
        try:
            return parse_float(value)
        except ValueError as error:
            raise CallError(str(error)) from None
    if kind(value) not in ("int", "uint", "float"):
        shown = "<nil>" if kind(value) in ("nil", "invalid") else type_name(value)
        raise CallError(f"can't convert {shown} to float")
    return float(value)


def four_digits(value: float) -> str:
    """`%.4g`."""
    return f"{value:.4g}" if math.isfinite(value) else shortest(value)


def humanize(value: Any) -> str:
    """`1.235M`, `120m`."""
    number = to_float(value)
    if number == 0 or not math.isfinite(number):
        return four_digits(number)
    if abs(number) < 1:
        return _small(number)
    prefix = ""
    for prefix_at in _LARGE:
        if abs(number) < 1000:
            break
        prefix, number = prefix_at, number / 1000
    return four_digits(number) + prefix


def humanize1024(value: Any) -> str:
    """`1.177Mi`; nothing is scaled below 1."""
    number = to_float(value)
    if not math.isfinite(number):
        return four_digits(number)
    prefix = ""
    for prefix_at in _LARGE:
        if abs(number) < 1024:
            break
        prefix, number = prefix_at + "i", number / 1024
    return four_digits(number) + prefix


def humanize_duration(value: Any) -> str:
    """Seconds as `1d 2h 3m 4s`, truncated from a minute up; `12.35s` and `100ms` below."""
    number = to_float(value)
    if not math.isfinite(number):
        return four_digits(number)
    if 0 < abs(number) < 1:
        return _small(number) + "s"
    minutes, seconds = divmod(int(abs(number)), 60)
    if not minutes:
        return four_digits(number) + "s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    head = f"{days}d {hours}h " if days else f"{hours}h " if hours else ""
    return f"{'-' if number < 0 else ''}{head}{minutes}m {seconds}s"


def humanize_percentage(value: Any) -> str:
    return four_digits(to_float(value) * 100) + "%"


def time_of(number: float) -> Time:
    """Seconds since 1970, kept to the millisecond. Raises CallError out of Go's range."""
    nanoseconds = number * 1e9
    if not -(2.0**63) <= nanoseconds <= 2.0**63:
        raise CallError(
            f"{shortest(number)} cannot be represented as a nanoseconds timestamp since it overflows int64"
        )
    return Time(math.trunc(min(int(nanoseconds), 2**63 - 1) / 1_000_000) * 1_000_000)


def _small(number: float) -> str:
    prefix = ""
    for prefix_at in _SMALL:
        if abs(number) >= 1:
            break
        prefix, number = prefix_at, number * 1000
    return four_digits(number) + prefix
