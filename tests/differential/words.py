"""The words of random expressions: functions by what they need, labels, numbers."""

from __future__ import annotations

from typing import Final

LABELS: Final = ("job", "instance", "zone", "path", "le", "missing")
NUMBERS: Final = ("0", "1", "2", "3", "0.5", "10", "100", "1e3", "0x1F", ".25", "-1")
ODD_NUMBERS: Final = ("Inf", "-Inf", "NaN", "1e-9", "1e300", "-0")
CLASSIC_RANKS: Final = ("0", "0.137", "0.501", "0.913", "-1", "2", "NaN")
RANKS: Final = ("0", "0.5", "0.9", "0.99", "1", "-1", "2", "NaN", "0.25")
SMOOTH: Final = ("abs", "sqrt", "exp", "deg", "rad", "asinh", "atan")
LOGARITHMS: Final = ("ln", "log2", "log10")
JUMPING: Final = ("ceil", "floor", "sgn")
TRIGONOMETRY: Final = ("sin", "cos", "tan", "acos", "asin", "sinh", "cosh", "tanh", "acosh", "atanh")
CALENDAR: Final = (
    *("day_of_month", "day_of_week", "day_of_year", "days_in_month"),
    *("hour", "minute", "month", "year"),
)
EXACT_RANGES: Final = ("sum", "min", "max", "count", "last", "present", "changes", "resets", "idelta")
ROUGH_RANGES: Final = ("avg", "stddev", "stdvar", "rate", "increase", "delta", "irate", "deriv")
COMPARISONS: Final = ("==", "!=", ">", "<", ">=", "<=")
SETS: Final = ("and", "or", "unless")
