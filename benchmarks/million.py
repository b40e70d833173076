"""A million active series for ten minutes: pauses seen from outside, stalls from within, memory.

The flow is that of `benchmarks.latency`, ten times as wide and fast; its alerts are the probe: an alert is
late by as long as ingestion paused. Memory is looked at each half minute once every series is there.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from benchmarks import product
from benchmarks.clients import resident_mb, tree_cpu_seconds
from benchmarks.flow import Flow, Sent
from benchmarks.latency import alerting_daemon, delays, histogram
from benchmarks.pager import pager
from benchmarks.report import Curve, Figure, Section, table
from benchmarks.topic import PARTITIONS
from tests.integration.daemon import Daemon
from tests.integration.kafka_broker import Broker, kafka_jars
from tests.integration.waiting import wait_until

TOPIC = "million"


class Settings(msgspec.Struct, frozen=True):
    series: int = 1_000_000
    per_second: int = 50_000
    seconds: float = 600.0
    """Of the steady state, which begins when every series was seen once."""
    events_per_second: float = 5.0
    look_seconds: float = 15.0


QUICK = Settings(series=100_000, seconds=30.0, look_seconds=5.0)


class Look(msgspec.Struct, frozen=True):
    seconds: float
    resident_mb: float
    cpu_seconds: float
    stored: float
    lag: float


def run(given: Settings) -> Section:
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(kafka_jars(), Path(name) / "kafka")
        try:
            broker.start()
            broker.create_topic(
                TOPIC, PARTITIONS, retention_bytes=str(300 << 20), segment_bytes=str(64 << 20)
            )
            return measure(broker, Path(name) / "daemon", given)
        finally:
            broker.kill()


def measure(broker: Broker, folder: Path, given: Settings) -> Section:
    first = given.series / given.per_second
    flow = Flow(
        broker.bootstrap,
        TOPIC,
        given.series,
        given.per_second,
        given.events_per_second,
        first + given.seconds,
    )
    limits = {"series": given.series + 10_000}
    with pager() as receiver, alerting_daemon(folder, broker, TOPIC, receiver.url, limits=limits) as daemon:
        looks: list[Look] = []
        over = threading.Event()
        watching = threading.Thread(target=watch, args=(daemon, looks, over, given.look_seconds))
        with flow.start() as producing:
            watching.start()
            out, _ = producing.communicate()
        over.set()
        watching.join()
        sent = msgspec.json.decode(out, type=Sent)
        wait_until(
            lambda: product.stored(daemon) >= sent.samples, timeout=120, what="last sample", why=daemon.log
        )
        product.balance(daemon, sent.samples)
        wait_until(lambda: daemon.metric("sentinel_alerts") == 0, timeout=60, what="end of alerts")
        steady = [look for look in looks if look.seconds >= first]
        return describe(delays(sent, receiver.end()), longest_stall(daemon), steady, given)


def watch(daemon: Daemon, looks: list[Look], over: threading.Event, every: float) -> None:
    assert daemon.process
    pid, begin = daemon.process.pid, time.monotonic()
    while not over.wait(every):
        lag = daemon.metric("sentinel_ingest_lag_seconds", source="telemetry")
        cpu, now = tree_cpu_seconds(pid), time.monotonic() - begin
        looks.append(Look(now, resident_mb(pid), cpu, product.stored(daemon), lag))
        print(f"{looks[-1]}", flush=True)


def longest_stall(daemon: Daemon) -> float:
    """Milliseconds: the bucket that holds the longest stall of a snapshot."""
    name = "sentinel_snapshot_stall_seconds_bucket"
    buckets = sorted(
        (float(dict(labels)["le"]), count)
        for (found, labels), count in daemon.metrics().items()
        if found == name
    )
    most = max((count for _, count in buckets), default=0)
    return 1000 * next((edge for edge, count in buckets if count == most), 0.0)


def worst(probes: list[tuple[float, float]]) -> str:
    """The latest page, and when that was."""
    at, ms = max(probes, key=lambda probe: probe[1], default=(0.0, 0.0))
    return f"{ms:.0f} ms, at {at:.0f} s"


def describe(
    probes: list[tuple[float, float]], stall_ms: float, looks: list[Look], given: Settings
) -> Section:
    first = given.series / given.per_second
    milliseconds = sorted(ms for at, ms in probes if at >= first)
    begin, end = looks[len(looks) // 4], looks[-1]
    growth = (end.resident_mb - begin.resident_mb) / begin.resident_mb
    rate = (end.stored - begin.stored) / (end.cpu_seconds - begin.cpu_seconds)
    rows = [
        ["produced to webhook, p50", f"{statistics.median(milliseconds):.1f} ms"],
        ["p99", f"{milliseconds[int(len(milliseconds) * 0.99)]:.1f} ms"],
        ["longest", worst([probe for probe in probes if probe[0] >= first])],
        ["longest while series were made", worst([probe for probe in probes if probe[0] < first])],
        ["longest stall by a snapshot (upper edge of its bucket)", f"{stall_ms:.0f} ms"],
        [
            "memory after a quarter of the time / at the end",
            f"{begin.resident_mb:,.0f} / {end.resident_mb:,.0f} MB",
        ],
        ["samples per CPU second at this rate", f"{rate:,.0f}"],
        ["largest lag seen", f"{max(look.lag for look in looks):.2f} s"],
    ]
    text = (
        f"{given.series:,} series, {given.per_second:,} samples a second for {given.seconds:g} s"
        f" after each series was seen once, {len(probes):,} probe alerts on the way. Nothing was"
        " dropped, each alert was paged once.\n\n" + table(["", "measured"], rows)
    )
    figures = [
        Figure("longest pause with a million series", milliseconds[-1], 250, unit="ms", most=True),
        Figure("growth of memory over the last three quarters", 100 * growth, 3, unit="%", most=True),
    ]
    memory = Curve("Resident memory", "MB", [(f"{k.seconds:.0f} s", k.resident_mb) for k in looks], line=True)
    bars = Curve("Probe alerts by milliseconds to the webhook", "%", histogram(milliseconds))
    return Section("A million series", text, figures, [memory, bars])
