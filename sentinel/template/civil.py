"""The proleptic Gregorian calendar for any year; `datetime` knows only 1 to 9999.

Days count from 1970-01-01. Source: Howard Hinnant, "chrono-compatible low-level date algorithms".
"""

from __future__ import annotations

from typing import Final

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def days_of(year: int, month: int, day: int) -> int:
    """Days of a date; a month or day out of range carries over, as Go's `time.Date` does."""
    carry, month = divmod(month - 1, 12)
    year += carry - (month < 2)
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month - 2) % 12) + 2) // 5
    return (
        era * 146_097
        + year_of_era * 365
        + year_of_era // 4
        - year_of_era // 100
        + day_of_year
        + day
        - 719_469
    )


def date_of(days: int) -> tuple[int, int, int]:
    """Year, month and day."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def days_in(year: int, month: int) -> int:
    return days_of(year, month + 1, 1) - days_of(year, month, 1)
