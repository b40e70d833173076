"""Samples per CPU second from Kafka to an alert, beside what others would use for it.

All read the topic of `benchmarks.topic` in turns, and are seen to count the same samples, the same sum of all
values and the same alerts, which are the spikes that were written. The peers ask an EWMA z-score at each
sample; Sentinel asks its detector `deviation` about every series at each evaluation, one a round, so that it
judges each sample once, too. In its other row the detector watches the sums by job instead.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks import environments, product, topic
from benchmarks.clients import Peer, Run, run_peer
from benchmarks.report import Curve, Figure, Section, spread, table
from benchmarks.topic import Workload
from tests.integration.kafka_broker import VERSION, Broker, kafka_jars

PEERS = Path(__file__).parent / "peers"
OURS, OURS_BY_JOB = "Sentinel, detector on every series", "Sentinel, detector on sums by job"
ASKED = {
    "Quix Streams, state": (20.0, 40.0),
    "aiokafka + json + dict": (10.0, 16.0),
    "JVM consumer + Jackson": (4.0, 8.0),
}
"""How many times the rate of a peer is asked for, and the goal."""

Client = Callable[[], Run]


class Settings(msgspec.Struct, frozen=True):
    series: int = 100_000
    rounds: int = 60
    repeats: int = 3
    compression: str = "none"
    peers: str = ""
    """Only those peers whose name contains this."""


QUICK = Settings(rounds=24, repeats=1)


def peers(jars: Path) -> list[Peer]:
    """Each in its own environment, which is made here if need be."""
    quix, bytewax = environments.python(environments.QUIX), environments.python(environments.BYTEWAX)
    librdkafka = environments.python(environments.LIBRDKAFKA)
    classes = environments.java_classes(PEERS / "EwmaConsumer.java", jars)
    jvm = ("java", "-XX:+UseSerialGC", "-cp", f"{classes}:{jars}/*", "EwmaConsumer")

    def program(interpreter: str, module: str) -> tuple[str, ...]:
        return interpreter, "-m", f"benchmarks.peers.{module}"

    return [
        Peer("aiokafka + json + dict", program(sys.executable, "aiokafka_loop")),
        Peer("librdkafka + orjson + dict", program(librdkafka, "librdkafka")),
        Peer("Quix Streams, dict", program(quix, "quix"), "dict"),
        Peer("Quix Streams, state", program(quix, "quix"), "state"),
        Peer("Bytewax, dict", program(bytewax, "bytewax_flow"), "dict"),
        Peer("Bytewax, state", program(bytewax, "bytewax_flow"), "state"),
        Peer("JVM consumer + Jackson", jvm),
    ]


def run(given: Settings) -> Section:
    jars = kafka_jars()
    others = [peer for peer in peers(jars) if given.peers in peer.name]
    work = Workload.until_now(given.series, given.rounds, "throughput")
    values = work.values()
    assert topic.ewma_alerts(values) == work.spikes, "the formula finds something else than the spikes"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(jars, folder / "kafka")
        try:
            broker.start()
            broker.create_topic(work.topic, topic.PARTITIONS)
            codec = None if given.compression == "none" else given.compression
            asyncio.run(topic.fill(broker.bootstrap, work, values, compression_type=codec))
            runs = take_turns(broker, folder, work, others, given.repeats, float(values.sum()))
        finally:
            broker.kill()
    return describe(runs, work, given)


def take_turns(
    broker: Broker, folder: Path, work: Workload, others: list[Peer], repeats: int, total: float
) -> dict[str, list[Run]]:
    """All clients, one after the other, `repeats` times; each is checked before its time counts."""
    runs: dict[str, list[Run]] = {}

    def took(name: str, done: Run, alerts: int) -> None:
        assert (done.samples, done.alerts) == (work.samples, alerts), f"{name}: {done}"
        assert abs(done.total - total) <= 1e-9 * abs(total), f"{name}: {done}, the sum is {total}"
        runs.setdefault(name, []).append(done)
        print(
            f"{name:>36}: {done.rate:12,.0f} samples/CPU s ({done.cpu_seconds:.2f} CPU s in"
            f" {done.wall_seconds:.2f} s, {done.peak_mb:.0f} MB)",
            flush=True,
        )

    for repeat in range(repeats):
        for name, each in ((OURS, True), (OURS_BY_JOB, False)):
            done = product.run_sentinel(broker, folder / f"{repeat}-{each}", work, every_series=each)
            took(name, done, work.spikes if each else done.alerts)
        for peer in others:
            took(peer.name, run_peer(peer, broker.bootstrap, work.topic, work.samples), work.spikes)
    return runs


def describe(runs: dict[str, list[Run]], work: Workload, given: Settings) -> Section:
    medians = {name: statistics.median(run.rate for run in done) for name, done in runs.items()}
    rows = [
        [
            name,
            *spread([run.rate / 1000 for run in done]),
            f"{statistics.median(run.counted / run.wall_seconds for run in done) / 1000:,.0f}",
            f"{max(run.peak_mb for run in done):,.0f}",
            f"{medians[OURS] / medians[name]:.1f}x",
            f"{medians[OURS_BY_JOB] / medians[name]:.1f}x",
        ]
        for name, done in runs.items()
    ]
    head = ["client", "min", "median", "max", "by the clock", "peak MB", "ours / it", "ours by job / it"]
    about = (
        f"Thousand samples per CPU second, {given.repeats} repeats; {work.samples:,} samples,"
        f" {work.series:,} series in random order, compression {given.compression}, Apache Kafka {VERSION}"
        f" on loopback. Each client counted {work.samples:,} samples and the same sum, and each that judges"
        f" every series raised {work.spikes:,} alerts.\n\n"
    )
    figures = [
        Figure(f"samples per CPU second: {ours} / {name}", medians[ours] / medians[name], *ASKED[name])
        for ours in (OURS, OURS_BY_JOB)
        for name in ASKED
        if name in medians
    ]
    bars = Curve("Samples per CPU second, thousands", "k", [(n, m / 1000) for n, m in medians.items()])
    return Section("From Kafka to an alert", about + table(head, rows) + "\n\n" + NOTES, figures, [bars])


NOTES = """\
**What each does.** JSON to (name, sorted labels); for that key a mean and a variance weighted
exponentially with 0.1, in float64 (mean from the first value, variance from 0); an alert beyond 6
standard deviations from the 11th sample on. The text of the formula is `peers/tally.py`. Sentinel does
more: it checks CRCs, stores every sample in a window, and at every round evaluates `sum by (job)
(rate(...[1m]))` and the robust detector `deviation` over all series (the timestamps of a round are
equal, rounds are an evaluation interval apart: each sample is judged once). It writes the score as
series, keeps the band, sends alerts to a webhook, takes snapshots; and all that it decoded is stored.

**What is in the peers' favour.** Quix keeps state by the records' key without grouping and without
changelog topics; Bytewax keeps state in memory without recovery; librdkafka, and so Quix and Bytewax,
leaves CRCs unchecked as is its default; the JVM runs its serial collector, which takes less CPU here
than its usual one; nobody commits offsets but Quix. Of each peer the first 20,000 samples, with
imports, joins and much of the JIT, are not counted."""
