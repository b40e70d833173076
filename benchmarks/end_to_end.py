"""Samples per CPU second from Kafka, next to the plain loop of `benchmarks.peers`; and produce to webhook.

Both clients read the same topic of a real Kafka, in turns, from start of consumption to the last sample
counted; start-up and compilation are left out for both, CRC checks are on for both. The daemon does all
its work meanwhile: windows, rules, snapshots, commits. Exits 1 below `--min-ratio`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from aiokafka import AIOKafkaProducer

from tests.integration.configuration import alert, configuration, kafka_source, one_webhook, rule_group
from tests.integration.daemon import Daemon, cpu_seconds
from tests.integration.kafka_broker import Broker, kafka_jars
from tests.integration.receiver import Receiver
from tests.integration.records import sample
from tests.integration.waiting import wait_until

TOPIC = "throughput"
PARTITIONS = 4
SPAN_MS = 20_000
"""Event time that the topic covers."""


def rules(end_ms: int) -> dict[str, Any]:
    """A windowed aggregate with an alert over it, and a page that says what was read once all of it is."""
    read = "{how}(http_requests_total) and on () (vector(time()) >= {end})"
    return rule_group(
        "requests",
        {"record": "job:http_requests:rate1m", "expr": "sum by (job) (rate(http_requests_total[1m]))"},
        alert("TooMany", "job:http_requests:rate1m > 1e12"),
        *(
            alert(how, read.format(how=how, end=end_ms / 1000), annotations={"value": "{{ $value }}"})
            for how in ("count", "sum")
        ),
    )


class Run(NamedTuple):
    """One client reading the topic once. `sum` adds up the last value of every series."""

    samples: int
    cpu_seconds: float
    wall_seconds: float
    series: int
    sum: float

    @property
    def rate(self) -> float:
        return self.samples / self.cpu_seconds


def series_text(number: int) -> str:
    """Name and labels of one series as JSON, without the closing of the object."""
    host = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9100"
    labels = f'{{"job":"service-{number % 50:02}","instance":"{host}","zone":"eu-west-1{"abc"[number % 3]}"}}'
    return f'{{"name":"http_requests_total","labels":{labels},'


async def fill(bootstrap: str, samples: int, series: int, seed: int) -> int:
    """Fills the topic with every series in random order, again and again; returns the last timestamp (ms)."""
    draw = np.random.default_rng(seed)
    heads = [series_text(number) for number in range(series)]
    order = np.concatenate([draw.permutation(series) for _ in range(-(-samples // series))])[
        :samples
    ].tolist()
    values = draw.integers(0, 10_000_000, samples).tolist()
    begin_ms = int(time.time() * 1000) - SPAN_MS
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1 << 20) as producer:
        batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for row, number in enumerate(order):
            timestamp_ms = begin_ms + row * SPAN_MS // samples
            text = f'{heads[number]}"value":{values[row] / 1000},"timestamp":{timestamp_ms}}}'.encode()
            where = number % PARTITIONS
            if batches[where].append(key=None, value=text, timestamp=timestamp_ms) is None:
                await producer.send_batch(batches[where], TOPIC, partition=where)
                batches[where] = producer.create_batch()
                batches[where].append(key=None, value=text, timestamp=timestamp_ms)
        for where, batch in enumerate(batches):
            await producer.send_batch(batch, TOPIC, partition=where)
    return begin_ms + SPAN_MS


def run_peer(broker: Broker) -> Run:
    """The plain loop."""
    command = [sys.executable, "-m", "benchmarks.peers", "--bootstrap", broker.bootstrap, "--topic", TOPIC]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "ready\n"
        cpu, wall = cpu_seconds(process.pid), time.monotonic()
        process.stdin.write("\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        cpu, wall = cpu_seconds(process.pid) - cpu, time.monotonic() - wall
        process.stdin.close()
    return Run(found["samples"], cpu, wall, found["series"], found["sum"])


def run_daemon(broker: Broker, folder: Path, samples: int, end_ms: int) -> Run:
    """`sentinel run` on the same topic, with a consumer group and a storage folder of its own."""
    source = kafka_source(broker, TOPIC)
    source["kafka"]["group_id"] = folder.name
    daemon = Daemon(folder, configuration(source, interval="5s"))
    daemon.write("rules/requests.yml", rules(end_ms))

    def counted() -> float:
        return daemon.metric("sentinel_ingest_samples_total", source="telemetry")

    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        with daemon:
            cpu, wall, already = daemon.cpu_seconds(), time.monotonic(), counted()
            wait_until(
                lambda: counted() >= samples, timeout=300, what="last sample", poll=0.05, why=daemon.log
            )
            cpu, wall = daemon.cpu_seconds() - cpu, time.monotonic() - wall
            wait_until(lambda: len(receiver.pages()) >= 2, timeout=60, what="parity pages", why=daemon.log)
    found = {page.name: float(page.annotations["value"]) for page in receiver.pages()}
    return Run(int(samples - already), cpu, wall, int(found["count"]), found["sum"])


def throughput(broker: Broker, folder: Path, given: argparse.Namespace) -> float:
    """The ratio of the medians, after both were seen to read the same."""
    broker.create_topic(TOPIC, PARTITIONS)
    end_ms = asyncio.run(fill(broker.bootstrap, given.samples, given.series, given.seed))
    runs: dict[str, list[Run]] = {"sentinel": [], "aiokafka + json + dict": []}
    for repeat in range(given.repeats):
        pair = run_daemon(broker, folder / f"run{repeat}", given.samples, end_ms), run_peer(broker)
        ours, theirs = pair
        assert (ours.series, theirs.samples) == (theirs.series, given.samples), pair
        assert abs(ours.sum - theirs.sum) <= 1e-9 * abs(theirs.sum), pair
        for name, run in zip(runs, pair, strict=True):
            runs[name].append(run)
            took = f"{run.cpu_seconds:6.2f} CPU s, {run.wall_seconds:6.2f} s"
            print(f"{name:>24}: {run.rate:12,.0f} samples/CPU s  ({took})", flush=True)
    medians = {name: statistics.median(run.rate for run in done) for name, done in runs.items()}
    for name, done in runs.items():
        print(
            f"{name:>24}: min {min(run.rate for run in done):,.0f}, median {medians[name]:,.0f} samples/CPU s"
        )
    ours_median, theirs_median = medians.values()
    return ours_median / theirs_median


def latency(broker: Broker, folder: Path, given: argparse.Namespace) -> list[float]:
    """Milliseconds from `send` to the webhook, one alert after the other at a low, uneven rate."""
    topic = broker.create_topic("latency", PARTITIONS)
    daemon = Daemon(folder / "latency", configuration(kafka_source(broker, topic), interval="1h"))
    daemon.write("rules/now.yml", rule_group("now", alert("Now", "load > 100"), on_arrival=True))
    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        with daemon:
            sent = asyncio.run(_send_alerts(broker.bootstrap, topic, given.alerts))

            def arrived() -> dict[str, float]:
                return {page.labels["host"]: page.arrived for page in receiver.pages("firing")}

            wait_until(lambda: arrived().keys() >= sent.keys(), timeout=30, what="all pages", why=daemon.log)
            return sorted((arrived()[host] - begin) * 1000 for host, begin in sent.items())


async def _send_alerts(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    draw, sent = np.random.default_rng(3), dict[str, float]()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0) as producer:
        for number in range(-10, count):  # the first ten open connections
            host, now = f"h{number}", time.time()
            await producer.send_and_wait(topic, sample("load", {"host": host}, 150.0, int(now * 1000)))
            if number >= 0:
                sent[host] = now
            await asyncio.sleep(draw.uniform(0.1, 0.3))
    return sent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=3_000_000)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--alerts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--min-ratio", type=float, default=2.5)
    given = parser.parse_args()
    print(f"load before: {os.getloadavg()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(kafka_jars(), folder / "kafka")
        try:
            broker.start()
            ratio = throughput(broker, folder, given)
            milliseconds = latency(broker, folder, given)
        finally:
            broker.kill()
    p50, p90, p99 = (milliseconds[int(len(milliseconds) * part)] for part in (0.5, 0.9, 0.99))
    print(f"produce to webhook, {len(milliseconds)} alerts: p50 {p50:.1f}, p90 {p90:.1f}, p99 {p99:.1f} ms")
    print(f"load after: {os.getloadavg()}")
    print(
        f"sentinel reads {ratio:.2f} times as much per CPU second; {given.min_ratio:g} is the least allowed"
    )
    return 0 if ratio >= given.min_ratio else 1


if __name__ == "__main__":
    sys.exit(main())
