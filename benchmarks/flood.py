"""Five minutes of new series, 33,000 a second, against a limit of 100,000: memory, CPU and pages by minute.

A fleet of 1,000 instances in the same topic is watched meanwhile; one of them spikes every twenty seconds.
Exits 1 if memory grows after the first minute, a page is late, or the flood is not counted and paged.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.integration.daemon import Daemon
from tests.integration.fleet import Running
from tests.integration.flood import PARTITIONS, Flood, Watched, flooded_daemon, memory_mb
from tests.integration.kafka_broker import Broker, kafka_jars
from tests.integration.receiver import Receiver
from tests.integration.waiting import wait_until

TOPIC = "flood"
SETTLED_SECONDS = 60
"""After this long the source is at its limit, and every buffer has its size."""
CALM_SECONDS = 20
"""What the daemon takes without the flood is seen for this long."""
NOISE_MB = 40.0
PATIENCE_SECONDS = 3.0
"""Of a page after the first high sample: the evaluation interval, and two seconds."""


class Look(NamedTuple):
    """The daemon at one moment."""

    seconds: float
    memory_mb: float
    cpu_seconds: float
    dropped: float


def look(daemon: Daemon, begin: float) -> Look:
    dropped = daemon.metric(
        "sentinel_ingest_samples_dropped_total", source="telemetry", reason="series_limit"
    )
    return Look(time.monotonic() - begin, memory_mb(daemon), daemon.cpu_seconds(), dropped)


def watch(daemon: Daemon, seconds: float) -> list[Look]:
    """A look every ten seconds; each minute is printed."""
    begin = time.monotonic()
    looks = [look(daemon, begin)]
    while looks[-1].seconds < seconds:
        time.sleep(10 - (time.monotonic() - begin) % 10)
        looks.append(look(daemon, begin))
        if len(looks) % 6 == 1 or looks[-1].seconds >= seconds:
            tell(looks[(len(looks) - 2) // 6 * 6 :])
    return looks


def tell(looks: list[Look]) -> None:
    """A minute, from the moment before it."""
    before, now = looks[0], looks[-1]
    cpu, refused = now.cpu_seconds - before.cpu_seconds, now.dropped - before.dropped
    most = max(each.memory_mb for each in looks)
    print(
        f"to {now.seconds:3.0f} s: {now.memory_mb:5.0f} MB, at most {most:5.0f};"
        f" {cpu / (now.seconds - before.seconds):6.1%} of a core;"
        f" {refused:9,.0f} refused, {cpu / refused * 1e6 if refused else 0:.2f} us each",
        flush=True,
    )


def run(broker: Broker, folder: Path, given: argparse.Namespace) -> list[str]:
    """What was not as it should be."""
    broker.create_topic(TOPIC, PARTITIONS, retention_bytes=str(200 << 20), segment_bytes=str(50 << 20))
    watched = Watched(broker.bootstrap, TOPIC, rounds=CALM_SECONDS + given.seconds + 10)
    with Receiver() as receiver, flooded_daemon(folder, broker, TOPIC, given.limit, receiver) as daemon:
        counted = partial(daemon.metric, source="telemetry")
        wait_until(lambda: counted("sentinel_source_up"), timeout=60, what="partitions", why=daemon.log)
        fleet = Running(watched)
        wait_until(
            lambda: counted("sentinel_ingest_samples_total") >= len(watched.members),
            timeout=30,
            what="fleet",
        )
        print("without the flood:", flush=True)
        watch(daemon, CALM_SECONDS)
        flood = Flood(broker.bootstrap, TOPIC, given.per_second, given.seconds)
        looks = watch(daemon, given.seconds)
        flood.wait()
        fleet.wait()
        sent = flood.sent + watched.samples
        wait_until(
            lambda: counted("sentinel_ingest_records_total") >= sent,
            timeout=60,
            what="last record",
            why=daemon.log,
        )
        dropped = counted("sentinel_ingest_samples_dropped_total", reason="series_limit")
        return verdict(looks, watched, receiver, flood.sent - dropped - given.limit + len(watched.members))


def verdict(looks: list[Look], watched: Watched, receiver: Receiver, uncounted: float) -> list[str]:
    pages = receiver.pages("firing")
    delays = sorted(watched.delays([page for page in pages if page.name == "LoadHigh"]).values())
    limits = [page for page in pages if page.name == "SeriesLimit"]
    print(f"pages of {len(watched.spiked_ms)} spikes after {', '.join(f'{each:.2f}' for each in delays)} s")
    settled = [each for each in looks if each.seconds >= SETTLED_SECONDS - 1]
    growth = max((each.memory_mb for each in settled), default=0) - settled[0].memory_mb if settled else 0
    print(f"memory after the first minute: at most {growth:+.0f} MB; alerts about the limit: {len(limits)}")
    wrong = [] if growth < NOISE_MB else [f"memory grew by {growth:.0f} MB"]
    wrong += [] if not uncounted else [f"{uncounted:.0f} refused samples are not counted"]
    wrong += [] if len(limits) == 1 else [f"{len(limits)} alerts about the limit, not 1"]
    wrong += [] if len(delays) == len(watched.spiked_ms) else ["a spike was not paged"]
    return wrong + [f"a page after {each:.2f} s" for each in delays if each > PATIENCE_SECONDS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-second", type=int, default=33_334)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--limit", type=int, default=100_000)
    given = parser.parse_args()
    print(f"load before: {os.getloadavg()}")
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(kafka_jars(), Path(name) / "kafka")
        try:
            broker.start()
            wrong = run(broker, Path(name) / "daemon", given)
        finally:
            broker.kill()
    print(f"load after: {os.getloadavg()}")
    print("\n".join(wrong) or "all as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
