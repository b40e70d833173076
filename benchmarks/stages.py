"""What each stage costs a sample, one after the other in one process: CPU time, warm, minimum and median."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import detect, fetch, formats
from benchmarks.pushing import METRIC as PUSHED
from benchmarks.report import Curve, Figure, Section, spread, table
from benchmarks.topic import METRIC
from sentinel.decode import Limits
from sentinel.engine import Engine
from sentinel.engine import Settings as EngineSettings
from sentinel.ingest.kafka_raw import RawReader
from sentinel.model import SampleBatch
from sentinel.rules.load import parse_rules
from sentinel.store.journal import Step
from tests.integration.kafka_broker import Broker, kafka_jars

RULES = """groups: [{name: a, interval: 15s, rules: [
  {record: "job:rate5m", expr: "sum by (job) (rate(%s[5m]))"}, {alert: High, expr: "%s > 1e12"}]}]"""
STEP_MS = 15_000
WINDOW = 21
"""Samples that a window holds, with one more to get its size."""
ASKED = {
    "JSON": (1e6, 2e6),
    "Influx line protocol": (2e6, None),
    "remote write": (3e6, None),
    "OTLP": (2e6, None),
}


class Settings(msgspec.Struct, frozen=True):
    series: int = 100_000
    rounds: int = 7
    fetched: int = 500_000


QUICK = Settings(series=20_000, rounds=3, fetched=50_000)


def run(given: Settings) -> Section:
    draw = np.random.default_rng(1)
    costs: dict[str, list[float]] = {"fetch from Kafka, CRC checked, lz4": fetching(given)}
    totals: dict[str, float] = {}
    for name, (which, make) in formats.FORMATS.items():
        payloads = make(draw.permutation(given.series).tolist())
        decoder = formats.decoder(which, Limits(record_bytes=1 << 30))
        first, batches = (
            [decoder.decode(each).batch for each in some]
            for some in (make(list(range(given.series))), payloads)
        )
        check(batches, given.series)
        costs[f"decode {name}"] = timed(lambda: [decoder.decode(each) for each in payloads], given)  # noqa: B023
        storing = Storing(first, METRIC if name == "JSON" else PUSHED)
        storing.store()
        storing.batches = batches  # in another order than that in which the series were made
        for _ in range(WINDOW):
            storing.store()
        costs[f"look up and store, from {name}"] = timed(storing.store, given)
        both = (f"decode {name}", f"look up and store, from {name}")
        totals[name] = 1e9 / sum(statistics.median(costs[stage]) for stage in both)
        if name == "JSON":
            both_rules = timed(storing.evaluate, given, before=storing.store)
            costs["evaluate a rate of 5 m by job and an alert"] = both_rules
    costs["detector `deviation`"] = detect.measure(given.series, given.rounds, 1)["deviation"]
    return describe(costs, totals, given)


def timed(
    work: Callable[[], object], given: Settings, before: Callable[[], object] = lambda: None
) -> list[float]:
    """CPU nanoseconds a sample; the first pass is left out, and so is what `before` does."""
    found = []
    for _ in range(given.rounds + 1):
        before()
        begin = time.process_time()
        work()
        found.append((time.process_time() - begin) / given.series * 1e9)
    return found[1:]


def check(batches: list[SampleBatch], samples: int) -> None:
    assert sum(map(len, batches)) == samples, "not all samples were decoded"
    total = sum(float(batch.value.sum()) for batch in batches)
    assert abs(total - sum(map(formats.value_of, range(samples)))) < 1e-6 * total, "not the values written"


class Storing:
    """An engine with two rules that is given the same batches again and again, each time 15 s later."""

    def __init__(self, batches: list[SampleBatch], metric: str) -> None:
        rules = parse_rules(RULES % (metric, metric), "rules.yml")
        self._engine = Engine(rules, EngineSettings(sources=("bench",)))
        self.batches, self._later_ms = batches, 0

    def store(self) -> None:
        """The first time makes the series."""
        self._later_ms += STEP_MS
        for batch in self.batches:
            later = msgspec.structs.replace(batch, timestamp_ms=batch.timestamp_ms + self._later_ms)
            kept, dropped = self._engine.ingest("bench", later)
            assert kept == len(batch), dropped

    def evaluate(self) -> None:
        """Both rules, over what was stored last."""
        (key,) = self._engine.groups
        self._engine.advance([Step(key, formats.AT_MS + self._later_ms)])


def fetching(given: Settings) -> list[float]:
    """To spans of a buffer, from one partition of a real broker."""
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(kafka_jars(), Path(name))
        try:
            broker.start()
            broker.create_topic("lz4")
            asyncio.run(fetch.fill(broker.bootstrap, "lz4", given.fetched))
            return [_drained(broker, given) for _ in range(given.rounds + 1)][1:]
        finally:
            broker.kill()


def _drained(broker: Broker, given: Settings) -> float:
    reader: Any = RawReader
    seconds, _ = asyncio.run(fetch.drain(broker.bootstrap, "lz4", reader, given.fetched))
    return seconds / given.fetched * 1e9


def describe(costs: dict[str, list[float]], totals: dict[str, float], given: Settings) -> Section:
    rows = [[stage, *spread(times)] for stage, times in costs.items()]
    rates = [[name, f"{rate / 1e6:.2f} M"] for name, rate in totals.items()]
    text = (
        f"CPU nanoseconds a sample (a series, where something is evaluated), {given.series:,}"
        f" series in random order, {given.rounds} repeats after one that is left out; windows are full.\n\n"
        + table(["stage", "min", "median", "max"], rows)
        + "\n\nDecode, look up and store together, in samples a second and core:\n\n"
        + table(["format", "rate"], rates)
    )
    figures = [
        Figure(f"samples a second and core, {name}: decode and store", totals[name], *ASKED[name], unit="/s")
        for name in totals
    ]
    detector = statistics.median(costs["detector `deviation`"])
    figures.append(Figure("detector, per series and evaluation", detector, 100, unit="ns", most=True))
    bars = Curve("CPU a sample by stage", "ns", [(s, statistics.median(t)) for s, t in costs.items()])
    return Section("Stage by stage", text, figures, [bars])
