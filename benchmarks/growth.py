"""What a sample costs as series grow tenfold and a hundredfold: from Kafka, rules on, new series left out."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path

import msgspec

from benchmarks import topic
from benchmarks.clients import Run
from benchmarks.product import run_sentinel
from benchmarks.report import Curve, Figure, Section, spread, table
from benchmarks.topic import Workload
from tests.integration.kafka_broker import Broker, kafka_jars


class Settings(msgspec.Struct, frozen=True):
    series: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    samples: int = 2_000_000
    """That are counted, of each size; the first round, which makes the series, comes on top."""
    repeats: int = 3


QUICK = Settings((1_000, 10_000, 100_000), 400_000, 1)


def run(given: Settings) -> Section:
    works = [
        Workload.until_now(series, 1 + -(-given.samples // series), f"growth-{series}")
        for series in given.series
    ]
    runs: dict[int, list[Run]] = {work.series: [] for work in works}
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(kafka_jars(), Path(name) / "kafka")
        try:
            broker.start()
            for work in works:
                broker.create_topic(work.topic, topic.PARTITIONS)
                asyncio.run(topic.fill(broker.bootstrap, work, work.values()))
            for repeat in range(given.repeats):
                for work in works:
                    folder = Path(name) / f"{repeat}-{work.series}"
                    done = run_sentinel(broker, folder, work, every_series=False, skip=work.series)
                    print(f"{work.series:,} series: {1e9 / done.rate:,.0f} ns of CPU a sample", flush=True)
                    runs[work.series].append(done)
        finally:
            broker.kill()
    return describe(runs, given)


def describe(runs: dict[int, list[Run]], given: Settings) -> Section:
    medians = {series: statistics.median(1e9 / run.rate for run in done) for series, done in runs.items()}
    first = next(iter(medians.values()))
    rows = [
        [f"{series:,}", *spread([1e9 / run.rate for run in done]), f"{medians[series] / first:.2f}x"]
        for series, done in runs.items()
    ]
    text = (
        "Nanoseconds of CPU per sample, all in: fetch, decode, store, and once a round a rate"
        f" over every series and a detector over the sums by job. {given.repeats} repeats in turns,"
        f" about {given.samples:,} samples each, behind the round that makes the series.\n\n"
        + table(["series", "min", "median", "max", "to the first"], rows)
    )
    most = max(medians.values()) / first
    times = max(runs) // min(runs)
    figures = [Figure(f"cost of a sample, series x1 to x{times}", most, 2.0, most=True)]
    curve = Curve("CPU per sample by series", "ns", [(f"{s:,}", ns) for s, ns in medians.items()], line=True)
    return Section("Growth", text, figures, [curve])
