"""Names as OpenTelemetry has them to names as Prometheus has them.

The rules are those of the OpenTelemetry specification ("Prometheus and OpenMetrics Compatibility") in the
four translation strategies of Prometheus 3: names may be escaped to `[a-zA-Z0-9_:]` or stay as they are, and
may get suffixes for their unit and type or not.
"""

from __future__ import annotations

import functools
import re
from typing import Final, Literal

from sentinel.decode.otlp_config import Strategy

Kind = Literal["gauge", "counter", "other"]
"""What a metric is, as far as its name tells: a counter is a monotonic sum."""

_UNITS: Final = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
"""UCUM's case-sensitive codes, as far as instruments use them."""
_PER: Final = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
_GO_SPACE: Final = "\t\n\v\f\r \x85\xa0"
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_NAMES_OR_UNDERSCORE: Final = re.compile(r"[^a-zA-Z0-9:_]+")
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9]")
_DIGITS: Final = frozenset("0123456789")


def escapes(strategy: Strategy) -> bool:
    return strategy.startswith("Underscore")


@functools.lru_cache(maxsize=8192)
def metric_name(name: str, unit: str, kind: Kind, strategy: Strategy) -> str:
    """The name of a metric's series, before `_bucket` and the like; "" if nothing is left of it."""
    if not escapes(strategy):
        return _suffixed(name, unit, kind) if strategy == "NoUTF8EscapingWithSuffixes" else name
    if strategy == "UnderscoreEscapingWithSuffixes":
        found = "_".join(_tokens(name, unit, kind))
    else:
        found = "_".join(filter(None, _NOT_IN_NAMES_OR_UNDERSCORE.split(name)))
    if found[:1] in _DIGITS:
        found = f"_{found}"
    return found if found == name or found.strip("_") else ""


@functools.lru_cache(maxsize=8192)
def label_name(key: str, strategy: Strategy) -> str:
    """The name of an attribute's label; "" if it cannot have one."""
    if not escapes(strategy):
        return key
    key = _NOT_IN_LABELS.sub("_", key)
    if key[:1] in _DIGITS:
        key = f"key_{key}"
    elif key.startswith("_") and not key.startswith("__"):
        key = f"key{key}"
    return key if key.strip("_") else ""


def _tokens(name: str, unit: str, kind: Kind) -> list[str]:
    """The words of a name with its suffixes: each at the end, and nowhere else."""
    tokens = [token for token in _NOT_IN_NAMES.split(name) if token]
    main, per = (_clean(part) for part in _unit_words(unit))
    main = "" if main in tokens else main
    per = "" if per == "per_" else per.removesuffix("_")
    per = "" if per in tokens else per
    if per:
        main = main.removesuffix("_")
    tokens += [word for word in (main, per) if word]
    last = "total" if kind == "counter" else "ratio" if kind == "gauge" and unit == "1" else ""
    return [*(token for token in tokens if token != last), last] if last else tokens


def _suffixed(name: str, unit: str, kind: Kind) -> str:
    """The name as it is, with suffixes that it has already moved to the end."""
    behind = []
    if unit == "1" and kind == "gauge":
        name = _without(name, "ratio")
        behind.append("_ratio")
    if kind == "counter":
        name = _without(name, "total")
        behind.append("_total")
    main, per = _unit_words(unit)
    if per:
        name = _without(name, per)
        behind.append(f"_{per}")
    if main and not name.endswith(main):
        name = f"{name}_{main}"
    return name + "".join(reversed(behind))


def _without(name: str, suffix: str) -> str:
    """Without the suffix and what delimits it."""
    longer = name.endswith(suffix) and len(name) > len(suffix) + 1
    return name[: -len(suffix) - 1] if longer else name


def _unit_words(unit: str) -> tuple[str, str]:
    """`By/s` is ("bytes", "per_second"); what stands in braces is a remark."""
    before, _, behind = unit.partition("/")
    main, per = (_word(part.strip(_GO_SPACE)) for part in (before, behind))
    per = _PER.get(per, per)
    return _UNITS.get(main, main), f"per_{per}" if per else ""


def _word(part: str) -> str:
    return "" if "{" in part or "}" in part else part


def _clean(word: str) -> str:
    return re.sub("__+", "_", re.sub("[^a-zA-Z0-9:]", "_", word)).removeprefix("_")
