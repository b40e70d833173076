"""Resident memory per active series: how it grows with the series, windows full and rules evaluated."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import product, pushing
from benchmarks.clients import peak_mb, resident_mb
from benchmarks.report import Curve, Figure, Section, table
from tests.integration.configuration import configuration, one_webhook, rule_group
from tests.integration.daemon import Daemon
from tests.integration.waiting import wait_until

STEP_MS = 15_000
MARGIN_MS = 60_000
"""A window is filled up to so much of its length: while it is being filled, time goes on."""
SETTLE_SECONDS = 20.0
SOURCE = "pushed"


class Settings(msgspec.Struct, frozen=True):
    short: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Series with a window of 5 minutes."""
    long: tuple[int, ...] = (2_000, 20_000)
    """Series with a window of 6 hours."""


QUICK = Settings((10_000, 100_000), (500, 5_000))


class Size(msgspec.Struct, frozen=True):
    """The daemon at so many series."""

    series: int
    resident_mb: float
    peak_mb: float
    window_mb: float


def run(given: Settings) -> Section:
    with tempfile.TemporaryDirectory() as name:
        short = sizes(Path(name) / "short", "5m", 300_000, given.short)
        long = sizes(Path(name) / "long", "6h", 21_600_000, given.long)
    return describe(short, long)


def sizes(folder: Path, window: str, window_ms: int, counts: tuple[int, ...]) -> list[Size]:
    """One daemon that is given more and more series, each with all samples of a window."""
    daemon, found, begin, pushed = rated(folder, window), list[Size](), 0, 0
    with daemon:
        for count in counts:
            now_ms = int(time.time() * 1000)
            timestamps = np.arange(now_ms - window_ms + MARGIN_MS, now_ms, STEP_MS)
            pushing.push(daemon.port, pushing.requests(begin, count, pushing.courses(timestamps)))
            pushed, begin = pushed + (count - begin) * len(timestamps), count
            settle(daemon, pushed)
            found.append(look(daemon, count))
            print(f"{window}: {found[-1]}", flush=True)
    return found


def rated(folder: Path, window: str) -> Daemon:
    """A daemon that takes pushes, with a rate over the window and everything by job."""
    source: dict[str, Any] = {"name": SOURCE, "http": {}, "limits": {"series": 4_000_000}}
    daemon = Daemon(folder, configuration(source, interval="15s"))
    rate = f"sum by (job) (rate({pushing.METRIC}[{window}]))"
    daemon.write("rules/rate.yml", rule_group("rate", {"record": "job:requests:rate", "expr": rate}))
    daemon.write("alertmanager.yml", one_webhook("http://127.0.0.1:9/"))
    return daemon


def settle(daemon: Daemon, pushed: int) -> None:
    """All is stored, none dropped, at least one evaluation saw it, and a snapshot: then what was needed for a
    moment goes back to the system."""
    wait_until(
        lambda: taken(daemon) >= pushed, timeout=900, what="last pushed sample", poll=0.5, why=daemon.log
    )
    dropped = daemon.metric("sentinel_ingest_samples_dropped_total", source=SOURCE)
    assert (product.stored(daemon, SOURCE), dropped) == (pushed, 0), daemon.log()
    time.sleep(SETTLE_SECONDS)
    product.wait_answer(daemon)
    now, last = time.time(), "sentinel_snapshot_last_success_timestamp_seconds"
    wait_until(lambda: daemon.metric(last) > now, timeout=120, what="snapshot", poll=0.5, why=daemon.log)


def taken(daemon: Daemon) -> float:
    """Stored or dropped."""
    return product.stored(daemon, SOURCE) + daemon.metric(
        "sentinel_ingest_samples_dropped_total", source=SOURCE
    )


def look(daemon: Daemon, series: int) -> Size:
    assert daemon.process
    known = daemon.metric("sentinel_source_series", source=SOURCE)
    assert known == series, f"{known:,.0f} series, not {series:,}"
    pid, windows = daemon.process.pid, daemon.metric("sentinel_store_window_bytes")
    return Size(series, resident_mb(pid), peak_mb(pid), windows / (1 << 20))


def slope_bytes(found: list[Size]) -> float:
    """Of resident memory per series, from the last but one size to the last."""
    less, more = found[-2:]
    return (more.resident_mb - less.resident_mb) * (1 << 20) / (more.series - less.series)


def describe(short: list[Size], long: list[Size]) -> Section:
    rows = [
        [
            f"{each.series:,} series, {window}",
            f"{each.resident_mb:,.0f}",
            f"{each.peak_mb:,.0f}",
            f"{each.window_mb:,.0f}",
            f"{slope_bytes(found[: place + 1]):,.0f}" if place else "",
        ]
        for window, found in (("5 min", short), ("6 h", long))
        for place, each in enumerate(found)
    ]
    text = (
        "A sample every 15 s with five labels, whole windows pushed by remote write with past"
        " timestamps; a rate over the window of every series each 15 s. MB; the slope is resident"
        " memory per added series. Nothing was dropped.\n\n"
        + table(["", "resident", "peak", "windows", "slope, B per series"], rows)
    )
    figures = [
        Figure(f"bytes per series, {name} at 15 s", slope_bytes(found), most, unit="B", most=True)
        for name, found, most in (("5 min", short, 1024.0), ("6 h", long, 6656.0))
    ]
    curve = Curve(
        "Resident memory by series, window of 5 min", "MB", [(f"{s.series:,}", s.resident_mb) for s in short]
    )
    return Section("Memory per series", text, figures, [curve])
