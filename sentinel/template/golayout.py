"""Formatting and reading times by Go's layouts: the reference time `Mon Jan 2 15:04:05 MST 2006`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sentinel.template import civil
from sentinel.template.goquote import quote
from sentinel.template.gotime import SECOND, Time
from sentinel.template.values import function

_CHUNK: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|0[1-6]|15|[12345]|PM|pm"
    r"|[-Z]07(?::00:00|0000|:00|00)?|[.,](?:0+|9+)(?![0-9])"
)
_STRING: Final = "2006-01-02 15:04:05.999999999 -0700 MST"
_ZONE_FORMS: Final = {
    "": "{h}",
    "00": "{h}{m}",
    ":00": "{h}:{m}",
    "0000": "{h}{m}{s}",
    ":00:00": "{h}:{m}:{s}",
}

_FORMATS: Final[dict[str, Callable[[Time], str]]] = {
    "January": lambda t: civil.MONTHS[t.date()[1] - 1],
    "Jan": lambda t: civil.MONTHS[t.date()[1] - 1][:3],
    "1": lambda t: str(t.date()[1]),
    "01": lambda t: f"{t.date()[1]:02d}",
    "Monday": lambda t: civil.WEEKDAYS[(t.local()[0] + 4) % 7],
    "Mon": lambda t: civil.WEEKDAYS[(t.local()[0] + 4) % 7][:3],
    "2": lambda t: str(t.date()[2]),
    "_2": lambda t: f"{t.date()[2]:2d}",
    "02": lambda t: f"{t.date()[2]:02d}",
    "__2": lambda t: f"{t.year_day():3d}",
    "002": lambda t: f"{t.year_day():03d}",
    "15": lambda t: f"{t.clock()[0]:02d}",
    "3": lambda t: str(t.clock()[0] % 12 or 12),
    "03": lambda t: f"{t.clock()[0] % 12 or 12:02d}",
    "4": lambda t: str(t.clock()[1]),
    "04": lambda t: f"{t.clock()[1]:02d}",
    "5": lambda t: str(t.clock()[2]),
    "05": lambda t: f"{t.clock()[2]:02d}",
    "2006": lambda t: f"{t.date()[0]:04d}",
    "06": lambda t: f"{t.date()[0] % 100:02d}",
    "PM": lambda t: "PM" if t.clock()[0] >= 12 else "AM",
    "pm": lambda t: "pm" if t.clock()[0] >= 12 else "am",
    "MST": lambda t: t.offset()[1],
}
_MONTHS: Final = "|".join(civil.MONTHS)
_DAYS: Final = "|".join(civil.WEEKDAYS)
_READS: Final = {
    "January": f"(?i:{_MONTHS})",
    "Jan": "(?i:" + "|".join(name[:3] for name in civil.MONTHS) + ")",
    "Monday": f"(?i:{_DAYS})",
    "Mon": "(?i:" + "|".join(name[:3] for name in civil.WEEKDAYS) + ")",
    "2006": r"\d{4}",
    "002": r"\d{3}",
    "__2": r"[ \d]{2}\d",
    "_2": r" ?\d{1,2}",
    "15": r"\d{1,2}",
    "PM": "AM|PM",
    "pm": "am|pm",
    "MST": r"UTC|[A-Z]{3,5}|[+-]\d\d",
} | dict.fromkeys(("01", "02", "04", "05", "06"), r"\d\d")  # fmt: skip


def format_time(time: Time, layout: str) -> str:
    return _CHUNK.sub(lambda found: _formatted(time, found[0]), layout)


def _formatted(time: Time, chunk: str) -> str:
    if chunk in _FORMATS:
        return _FORMATS[chunk](time)
    if chunk[0] in ".,":
        return _fraction(time.ns % SECOND, chunk)
    offset = time.offset()[0]
    if chunk[0] == "Z" and offset == 0:
        return "Z"
    minutes, seconds = divmod(abs(offset), 60)
    parts = {"h": f"{minutes // 60:02d}", "m": f"{minutes % 60:02d}", "s": f"{seconds:02d}"}
    return ("-" if offset < 0 else "+") + _ZONE_FORMS[chunk[3:]].format(**parts)


def _fraction(nanoseconds: int, chunk: str) -> str:
    """`.000` keeps its zeros, `.999` drops them, and itself if none is left."""
    digits = f"{nanoseconds:09d}"[: len(chunk) - 1]
    if chunk[1] == "9":
        digits = digits.rstrip("0")
    return chunk[0] + digits if digits else ""


def parse_time(layout: str, text: str) -> Time:
    """A time in UTC unless the text has an offset. Raises ValueError with Go's message."""
    found: dict[str, str] = {}
    rest, end = text, 0
    for chunk in _CHUNK.finditer(layout):
        literal = layout[end : chunk.start()]
        rest = _skip(rest, literal, layout, text)
        end = chunk.end()
        match = re.match(_pattern(chunk[0]) + _unasked(layout, chunk), rest)
        if match is None:
            raise _cannot(text, layout, rest, chunk[0])
        found[chunk[0]] = match[0]
        rest = rest[match.end() :]
    rest = _skip(rest, layout[end:], layout, text)
    if rest:
        raise ValueError(f"parsing time {quote(text)}: extra text: {quote(rest)}")
    return _built(found, text)


def _pattern(chunk: str) -> str:
    if chunk[0] in ".,":
        return rf"[.,]\d{{{len(chunk) - 1}}}" if chunk[1] == "0" else r"(?:[.,]\d+)?"
    if chunk[0] in "-Z":
        digits = re.sub(r"\d", r"\\d", chunk[1:])
        return rf"Z|[+-]{digits}" if chunk[0] == "Z" else rf"[+-]{digits}"
    return _READS.get(chunk, r"\d{1,2}")


def _unasked(layout: str, chunk: re.Match[str]) -> str:
    """A fraction is read behind the seconds even where the layout has none."""
    follower = _CHUNK.match(layout, chunk.end())
    asked = follower is not None and follower[0][0] in ".,"
    return r"(?:[.,]\d+)?" if chunk[0] in ("05", "5") and not asked else ""


def _skip(rest: str, literal: str, layout: str, text: str) -> str:
    if not rest.startswith(literal):
        raise _cannot(text, layout, rest, literal)
    return rest[len(literal) :]


def _cannot(text: str, layout: str, rest: str, wanted: str) -> ValueError:
    return ValueError(
        f"parsing time {quote(text)} as {quote(layout)}: cannot parse {quote(rest)} as {quote(wanted)}"
    )


def _built(found: dict[str, str], text: str) -> Time:
    """The instant of the parts. What the layout lacks is as early as can be, from the year 0 on."""
    year, month, day = _year(found), _month(found), _number(found, 1, "2", "_2", "02")
    hour, minute = _number(found, 0, "15", "3", "03"), _number(found, 0, "4", "04")
    if "PM" in found or "pm" in found:
        afternoon = found.get("PM", found.get("pm", "")).upper() == "PM"
        hour = hour % 12 + 12 * afternoon
    seconds, _, fraction = found.get("05", found.get("5", "0")).replace(",", ".").partition(".")
    fraction = next((part[1:] for chunk, part in found.items() if chunk[0] in ".," and part), fraction)
    limits = (("month", month - 1, 12), ("day", day - 1, civil.days_in(year, month)), ("hour", hour, 24))
    for name, value, limit in (*limits, ("minute", minute, 60), ("second", int(seconds), 60)):
        if not 0 <= value < limit:
            raise ValueError(f"parsing time {quote(text)}: {name} out of range")
    days = civil.days_of(year, month, day)
    if "002" in found or "__2" in found:
        days = civil.days_of(year, 1, _number(found, 1, "002", "__2"))
    whole = days * 86_400 + hour * 3600 + minute * 60 + int(seconds) - _offset(found)
    return Time(whole * SECOND + int(fraction.ljust(9, "0")[:9] or 0))


def _number(found: dict[str, str], default: int, *chunks: str) -> int:
    return next((int(found[chunk]) for chunk in chunks if chunk in found), default)


def _year(found: dict[str, str]) -> int:
    if "06" in found:
        short = int(found["06"])
        return short + (1900 if short >= 69 else 2000)
    return int(found.get("2006", 0))


def _month(found: dict[str, str]) -> int:
    for chunk in ("January", "Jan"):
        if chunk in found:
            return next(
                n for n, name in enumerate(civil.MONTHS, 1) if name[:3].lower() == found[chunk][:3].lower()
            )
    return _number(found, 1, "1", "01")


def _offset(found: dict[str, str]) -> int:
    for chunk, part in found.items():
        if chunk[0] in "-Z" and part != "Z":
            digits = part[1:].replace(":", "").ljust(6, "0")
            seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
            return -seconds if part[0] == "-" else seconds
    return 0


Time.methods = {
    **Time.methods,
    "Format": function(format_time, "string"),
    "String": function(lambda time: format_time(time, _STRING)),
}
