"""Results as JSON, written as Prometheus writes them: sample values are strings, times are numbers."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from sentinel.api.prometheus.results import Table
from sentinel.model import Histogram
from sentinel.template.gonumber import digits_of, plain, scientific

_SMALL, _LARGE = 1e-6, 1e21
_SPECIAL: Final = {math.inf: "+Inf", -math.inf: "-Inf"}


def number(value: float) -> str:
    """The fewest digits that read back as the same number; an exponent below 1e-6 and from 1e21 on."""
    text = repr(value)
    if "e" not in text and "n" not in text:
        return text.removesuffix(".0")
    if not math.isfinite(value):
        return _SPECIAL.get(value, "NaN")
    digits, point = digits_of(abs(value))
    write = plain if _SMALL <= abs(value) < _LARGE else scientific
    return ("-" if value < 0 else "") + write(digits, point)


def exponent(value: float) -> str:
    """Always with an exponent, as values of alerts are shown: `1.5e+00`."""
    if not math.isfinite(value):
        return _SPECIAL.get(value, "NaN")
    sign = "-" if math.copysign(1, value) < 0 else ""
    return sign + scientific(*digits_of(abs(value)))


def seconds(time_ms: int) -> str:
    """A time as a JSON number."""
    whole, fraction = divmod(abs(time_ms), 1000)
    return f"{'-' if time_ms < 0 else ''}{whole}" + (f".{fraction:03d}" if fraction else "")


def point(at_ms: int, text: str) -> msgspec.Raw:
    """A scalar or a string at its time."""
    return msgspec.Raw(f"[{seconds(at_ms)},{msgspec.json.encode(text).decode()}]")


def vector(table: Table) -> msgspec.Raw:
    """Each row is one sample."""
    times = {at: seconds(at) for at in set(table.timestamp_ms[: len(table)].tolist())}
    rows = zip(table.metrics, table.timestamp_ms.tolist(), table.value.tolist(), strict=False)
    parts = []
    for row, (metric, at, value) in enumerate(rows):
        histogram = table.histograms.get(row)
        name, text = ("value", f'"{number(value)}"') if histogram is None else ("histogram", _json(histogram))
        parts.append(f'{{"metric":{metric},"{name}":[{times[at]},{text}]}}')
    return msgspec.Raw("[" + ",".join(parts) + "]")


def matrix(table: Table) -> msgspec.Raw:
    """Each row a series; its floats and its histograms are told apart."""
    end = table.last[-1] if len(table) else 0
    times = {at: seconds(at) for at in set(table.timestamp_ms[:end].tolist())}
    return msgspec.Raw("[" + ",".join(_series(table, row, times) for row in range(len(table))) + "]")


def histogram(value: Histogram) -> dict[str, Any]:
    """Empty buckets are left out, and `buckets` where there is none."""
    from sentinel.promql.histograms import buckets

    table = buckets(value)
    rows = zip(table.boundaries, table.lower, table.upper, table.count, strict=True)
    filled = [
        [int(rule), number(float(lower)), number(float(upper)), number(float(count))]
        for rule, lower, upper, count in rows
        if count
    ]
    found: dict[str, Any] = {"count": number(value.count), "sum": number(value.sum)}
    return found | ({"buckets": filled} if filled else {})


def _series(table: Table, row: int, times: dict[int, str]) -> str:
    first, last = table.first[row], table.last[row]
    at = [times[each] for each in table.timestamp_ms[first:last].tolist()]
    values = table.value[first:last].tolist()
    parts = [f'"metric":{table.metrics[row]}']
    native = [place for place in range(first, last) if place in table.histograms] if table.histograms else []
    if len(native) < len(values):
        mine = set(native)
        pairs = zip(range(first, last), at, values, strict=True)
        floats = [f'[{when},"{number(value)}"]' for place, when, value in pairs if place not in mine]
        parts.append(f'"values":[{",".join(floats)}]')
    if native:
        boxes = [f"[{at[place - first]},{_json(table.histograms[place])}]" for place in native]
        parts.append(f'"histograms":[{",".join(boxes)}]')
    return "{" + ",".join(parts) + "}"


def _json(value: Histogram) -> str:
    return msgspec.json.encode(histogram(value)).decode()
