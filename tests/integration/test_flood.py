"""A flood of new series: what is watched goes on, on time; memory stays bounded; one alert says so."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from .fleet import Running
from .flood import PARTITIONS, Flood, Watched, flooded_daemon, memory_mb
from .kafka_broker import Broker
from .receiver import Receiver
from .waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.timeout(180)]

LIMIT, PER_SECOND, SECONDS = 10_000, 20_000, 16
FULL_AFTER_SECONDS = 5
PATIENCE_SECONDS = 3.0
"""Of a page after the first high sample: the evaluation interval, and two seconds."""


def test_a_flood_of_new_series(kafka: Broker, topic: str, tmp_path: Path) -> None:
    kafka.create_topic(topic, PARTITIONS)
    watched = Watched(kafka.bootstrap, topic, rounds=SECONDS + 4, calm=5)
    with Receiver() as receiver, flooded_daemon(tmp_path, kafka, topic, LIMIT, receiver) as daemon:
        counted = partial(daemon.metric, source="telemetry")
        wait_until(lambda: counted("sentinel_source_up"), timeout=60, what="partitions", why=daemon.log)
        fleet = Running(watched)
        wait_until(
            lambda: counted("sentinel_ingest_samples_total") >= len(watched.members), timeout=30, what="fleet"
        )
        flood = Flood(kafka.bootstrap, topic, PER_SECOND, SECONDS)
        time.sleep(FULL_AFTER_SECONDS)
        full_mb = memory_mb(daemon)
        flood.wait()
        fleet.wait()
        sent = flood.sent + watched.samples
        wait_until(
            lambda: counted("sentinel_ingest_records_total") >= sent,
            timeout=30,
            what="last record",
            why=daemon.log,
        )
        stored = counted("sentinel_ingest_samples_total")
        dropped = counted("sentinel_ingest_samples_dropped_total")
        assert stored == watched.samples + LIMIT - len(watched.members)
        assert stored + dropped == sent
        assert counted("sentinel_ingest_samples_dropped_total", reason="series_limit") == dropped
        assert memory_mb(daemon) < full_mb + 60
        check_pages(watched, receiver)


def check_pages(watched: Watched, receiver: Receiver) -> None:
    """One for each spike, on time, and one that says what happens."""
    pages = receiver.pages("firing")
    assert [page.labels["source"] for page in pages if page.name == "SeriesLimit"] == ["telemetry"]
    high = [page for page in pages if page.name == "LoadHigh"]
    delays = watched.delays(high)
    assert len(high) == len(delays) == len(watched.spiked_ms) >= 3
    assert max(delays.values()) < PATIENCE_SECONDS, delays
