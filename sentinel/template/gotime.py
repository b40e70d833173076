"""Go's time.Time and time.Duration, as far as templates can reach them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import ClassVar, Final

from sentinel.template import civil
from sentinel.template.limits import CallError
from sentinel.template.values import Function, function

SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * SECOND
ZERO_NS: Final = civil.days_of(1, 1, 1) * _DAY
"""The first instant of year 1 in UTC: the time that `IsZero`."""


class Duration(int):
    """Nanoseconds."""

    go_type: ClassVar[str] = "time.Duration"
    methods: ClassVar[Mapping[str, Function]] = {}

    def text(self) -> str:
        """`1h2m5.5s`, `1.5ms`."""
        sign, size = "-" if self < 0 else "", abs(self)
        for unit, limit in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
            if 0 < size < limit * 1000:
                return sign + _decimal(size, limit) + unit
        minutes, rest = divmod(size, 60 * SECOND)
        hours, minutes = divmod(minutes, 60)
        head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        return f"{sign}{head}{_decimal(rest, SECOND)}s"

    def truncate(self, unit: int) -> Duration:
        """Towards zero."""
        if unit <= 0:
            return self
        return Duration((abs(self) // unit) * unit * (-1 if self < 0 else 1))

    def round(self, unit: int) -> Duration:
        """Halves go away from zero."""
        if unit <= 0:
            return self
        return Duration((abs(self) + unit // 2) // unit * unit * (-1 if self < 0 else 1))


class _Name(int):
    """A number that prints as a name: a month or a weekday."""

    names: ClassVar[tuple[str, ...]]
    first: ClassVar[int] = 0
    methods: ClassVar[Mapping[str, Function]] = {
        "String": function(lambda self: self.names[self - self.first]),
    }


class Month(_Name):
    go_type: ClassVar[str] = "time.Month"
    names, first = civil.MONTHS, 1


class Weekday(_Name):
    go_type: ClassVar[str] = "time.Weekday"
    names = civil.WEEKDAYS


class Time:
    """An instant in nanoseconds since 1970, seen from a zone (None is UTC)."""

    __slots__ = ("ns", "zone")
    go_type: ClassVar[str] = "time.Time"
    methods: ClassVar[Mapping[str, Function]] = {}

    def __init__(self, ns: int, zone: tzinfo | None = None) -> None:
        self.ns, self.zone = ns, zone

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and (self.ns, self.zone) == (other.ns, other.zone)

    def __hash__(self) -> int:
        return hash(self.ns)

    def offset(self) -> tuple[int, str]:
        """Seconds east of UTC, and the zone's name at this instant."""
        if self.zone is None:
            return 0, "UTC"
        try:
            local = datetime.fromtimestamp(self.ns // SECOND, self.zone)
        except (OverflowError, ValueError, OSError):
            return 0, "UTC"  # outside the years a zone's rules are known for
        shift = local.utcoffset()
        return (int(shift.total_seconds()) if shift else 0), local.tzname() or "UTC"

    def local(self) -> tuple[int, int]:
        """Days since 1970 and nanoseconds of the day, on the zone's clock."""
        return divmod(self.ns + self.offset()[0] * SECOND, _DAY)

    def date(self) -> tuple[int, int, int]:
        return civil.date_of(self.local()[0])

    def year_day(self) -> int:
        return self.local()[0] - civil.days_of(self.date()[0], 1, 1) + 1

    def clock(self) -> tuple[int, int, int]:
        seconds = self.local()[1] // SECOND
        return seconds // 3600, seconds // 60 % 60, seconds % 60

    def add(self, duration: int) -> Time:
        return Time(self.ns + duration, self.zone)

    def add_date(self, years: int, months: int, days: int) -> Time:
        """31 January and a month is 3 March: what is over carries on."""
        if max(abs(years), abs(months), abs(days)) > 1 << 32:
            raise CallError("date is out of range")
        year, month, day = self.date()
        moved = civil.days_of(year + years, month + months, day + days) - civil.days_of(year, month, day)
        return Time(self.ns + moved * _DAY, self.zone)

    def truncate(self, unit: int) -> Time:
        """Down to a multiple of `unit` since the year 1."""
        return Time(self.ns - (self.ns - ZERO_NS) % unit, self.zone) if unit > 0 else self


def _decimal(number: int, unit: int) -> str:
    whole, part = divmod(number, unit)
    fraction = f"{part:0{len(str(unit)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


Duration.methods = {
    "String": function(Duration.text),
    "Hours": function(lambda d: d / (3600 * SECOND)),
    "Minutes": function(lambda d: d / (60 * SECOND)),
    "Seconds": function(lambda d: d / SECOND),
    "Milliseconds": function(lambda d: int(d.truncate(1_000_000)) // 1_000_000),
    "Microseconds": function(lambda d: int(d.truncate(1000)) // 1000),
    "Nanoseconds": function(int),
    "Abs": function(lambda d: Duration(abs(d))),
    "Round": function(Duration.round, "time.Duration"),
    "Truncate": function(Duration.truncate, "time.Duration"),
}
Time.methods = {
    "Year": function(lambda t: t.date()[0]),
    "Month": function(lambda t: Month(t.date()[1])),
    "Day": function(lambda t: t.date()[2]),
    "YearDay": function(Time.year_day),
    "Weekday": function(lambda t: Weekday((t.local()[0] + 4) % 7)),
    "Hour": function(lambda t: t.clock()[0]),
    "Minute": function(lambda t: t.clock()[1]),
    "Second": function(lambda t: t.clock()[2]),
    "Nanosecond": function(lambda t: t.ns % SECOND),
    "Unix": function(lambda t: t.ns // SECOND),
    "UnixMilli": function(lambda t: t.ns // 1_000_000),
    "UnixMicro": function(lambda t: t.ns // 1000),
    "UnixNano": function(lambda t: t.ns),
    "IsZero": function(lambda t: t.ns == ZERO_NS),
    "UTC": function(lambda t: Time(t.ns)),
    "Add": function(Time.add, "time.Duration"),
    "AddDate": function(Time.add_date, "int", "int", "int"),
    "Sub": function(lambda t, other: Duration(t.ns - other.ns), "time.Time"),
    "After": function(lambda t, other: t.ns > other.ns, "time.Time"),
    "Before": function(lambda t, other: t.ns < other.ns, "time.Time"),
    "Equal": function(lambda t, other: t.ns == other.ns, "time.Time"),
    "Compare": function(lambda t, other: (t.ns > other.ns) - (t.ns < other.ns), "time.Time"),
    "Truncate": function(Time.truncate, "time.Duration"),
}
