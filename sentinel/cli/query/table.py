"""Results of queries as tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from sentinel.model import Labels


def table(data: dict[str, Any]) -> Table:
    """A row for each sample; a series is named where its samples begin."""
    kind, result = data["resultType"], data["result"]
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ("series", "time", "value") if kind in ("vector", "matrix") else ("time", "value")
    for name in columns:
        drawn.add_column(name, justify="right" if name == "value" else "left", no_wrap=True)
    rows = _rows(result) if kind in ("vector", "matrix") else [(clock(result[0]), printable(result[1]))]
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def series_name(metric: dict[str, str]) -> str:
    return printable(repr(Labels(metric))) if metric else "{}"


def printable(text: str) -> str:
    """What a label holds must not steer the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def clock(seconds: float) -> str:
    """A time, in UTC."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # beyond what a calendar has
        return str(seconds)
    return moment.strftime("%Y-%m-%d %H:%M:%S") + (
        f".{moment.microsecond // 1000:03d}" if seconds % 1 else ""
    )


def _rows(result: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for series in result:
        name = series_name(series["metric"])
        for seconds, value in samples(series):
            yield name, clock(seconds), value if isinstance(value, str) else _histogram(value)
            name = ""


def samples(series: dict[str, Any]) -> list[Any]:
    """Times and values, floats and histograms together, in order of time."""
    single = [series[name] for name in ("value", "histogram") if name in series]
    return sorted(
        [*single, *series.get("values", ()), *series.get("histograms", ())], key=lambda pair: pair[0]
    )


def _histogram(value: dict[str, Any]) -> str:
    return f"count {value['count']}, sum {value['sum']}, {len(value.get('buckets', ()))} buckets"
