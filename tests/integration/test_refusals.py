"""Hostile telemetry: every good sample counts, every bad record is refused, explained and kept."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from .configuration import alert, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .kafka_broker import Broker
from .receiver import Receiver
from .records import consume, produce, sample
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

RECORD_LIMIT = 65_536
YEAR_1_MS, YEAR_9999_MS = -62_135_596_800_000, 253_402_300_799_000
RULES = rule_group("load", alert("LoadHigh", "load > 100"))


def garbage(kind: int, number: int, now_ms: int) -> bytes:
    """One bad record of one of the kinds, different for each number."""
    good = sample("load", {"host": f"bad{number}"}, 1.0, now_ms)
    return [
        good[: 10 + number % (len(good) - 11)],
        good.replace(b"1.0", b'{"a": [1]}'),
        good.replace(b'"load"', b"17"),
        good.replace(b"bad", b"\xff\xfe\xc3("),
        good + b" " * RECORD_LIMIT,
        good.replace(b"1.0", b"NaN"),
        good.replace(b"1.0", b"-Infinity"),
        sample("load", {"host": f"bad{number}"}, 1.0, YEAR_1_MS),
        sample("load", {"host": f"bad{number}"}, 1.0, YEAR_9999_MS),
        b'{"name": ' + b"[" * (RECORD_LIMIT - 100 - number),
        good.replace(b'"value"', b'"valu"'),
        good.replace(b'"name"', b'"nam"'),
        b"%d" % number,
    ][kind]


KINDS = 13


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def _daemon(folder: Path, source: dict[str, Any], receiver: Receiver) -> Daemon:
    daemon = Daemon(folder, configuration(source))
    daemon.write("rules/load.yml", RULES)
    daemon.write("alertmanager.yml", one_webhook(receiver.url))
    return daemon


def _mixed(count: int, now_ms: int) -> tuple[list[bytes], list[bytes]]:
    """`count` records in random order, and the tenth of them that is bad."""
    good = [sample("load", {"host": f"h{n}"}, 50.0, now_ms) for n in range(count * 9 // 10)]
    bad = [garbage(n % KINDS, n, now_ms) for n in range(count // 10)]
    records = good + bad
    random.Random(5).shuffle(records)
    return records, bad


def test_a_tenth_of_garbage(kafka: Broker, topic: str, tmp_path: Path, receiver: Receiver) -> None:
    kafka.create_topic(topic, partitions=3)
    dead = f"{topic}-dead"  # the daemon makes it
    source = kafka_source(kafka, topic, dead_letter_topic=dead, limits={"record_bytes": RECORD_LIMIT})
    with _daemon(tmp_path, source, receiver) as daemon:
        before_mb = daemon.peak_memory_mb()
        records, bad = _mixed(20_000, int(time.time() * 1000))
        asyncio.run(_produce_with_alert(kafka.bootstrap, topic, records))
        produced = time.time()
        wait_until(lambda: receiver.pages("firing"), timeout=30, what="page", why=daemon.log)
        assert receiver.pages("firing")[0].arrived < produced + 3
        _await_total(daemon, len(records) + 1)
        assert daemon.metric("sentinel_ingest_samples_total", source="telemetry") == len(records) + 1 - len(
            bad
        )
        refused = daemon.metric("sentinel_ingest_records_refused_total", source="telemetry")
        assert refused == len(bad)
        wait_until(
            lambda: daemon.metric("sentinel_dead_letters_total", source="telemetry") == refused,
            timeout=30,
            what="all dead letters",
            why=lambda: f"{daemon.metrics()}\n{daemon.log()}",
        )
        assert daemon.peak_memory_mb() < before_mb + 200
        _check_dead_letters(daemon, kafka, (topic, dead), bad)


def _check_dead_letters(daemon: Daemon, kafka: Broker, topics: tuple[str, str], bad: list[bytes]) -> None:
    """Byte for byte, with where each came from, and the same reasons as the counters."""
    originals = {(r.partition, r.offset): r.value for r in asyncio.run(consume(kafka.bootstrap, topics[0]))}
    reasons: Counter[str] = Counter()
    letters = asyncio.run(consume(kafka.bootstrap, topics[1]))
    for letter in letters:
        headers = {name: value.decode() for name, value in letter.headers}
        where = int(headers["sentinel-partition"]), int(headers["sentinel-offset"])
        assert headers["sentinel-topic"] == topics[0]
        assert originals[where] == letter.value
        reasons[headers["sentinel-reason"]] += 1
    assert Counter(letter.value for letter in letters) == Counter(bad)
    counted = {
        dict(labels)["reason"]: count
        for (name, labels), count in daemon.metrics().items()
        if name == "sentinel_ingest_records_refused_total" and count
    }
    assert counted == reasons
    assert len(reasons) >= 4, f"reasons that tell nothing apart: {reasons}"


async def _produce_with_alert(bootstrap: str, topic: str, records: list[bytes]) -> None:
    """The records, with one in their middle that must page."""
    middle = len(records) // 2
    urgent = sample("load", {"host": "urgent"}, 500.0, int(time.time() * 1000))
    await produce(bootstrap, topic, [*records[:middle], urgent, *records[middle:]])


def test_a_fast_clock_does_not_make_its_neighbours_late(
    kafka: Broker, topic: str, tmp_path: Path, receiver: Receiver
) -> None:
    """One host is ten minutes ahead: its samples are refused, and no watermark follows them."""
    kafka.create_topic(topic, partitions=1)
    with _daemon(tmp_path, kafka_source(kafka, topic), receiver) as daemon:
        for value in (50.0, 60.0, 150.0):
            now_ms = int(time.time() * 1000)
            fast = [sample("load", {"host": "fast"}, 150.0, now_ms + 600_000 + n) for n in range(100)]
            slow = [sample("load", {"host": f"h{n}"}, value if n == 7 else 50.0, now_ms) for n in range(100)]
            asyncio.run(produce(kafka.bootstrap, topic, fast + slow))
            sent = time.time()
            time.sleep(1.0)  # so that evaluations lie between the rounds
        wait_until(lambda: receiver.pages("firing"), timeout=20, what="page", why=daemon.log)
        assert receiver.pages("firing")[0].arrived < sent + 3
        _await_total(daemon, 600)
        assert daemon.metric("sentinel_ingest_samples_total", source="telemetry") == 300
        assert _turned_away(daemon) == 300
        assert [page.labels["host"] for page in receiver.pages()] == ["h7"]


def _turned_away(daemon: Daemon) -> float:
    names = ("sentinel_ingest_records_refused_total", "sentinel_ingest_samples_dropped_total")
    return sum(daemon.metric(name, source="telemetry") for name in names)


def _await_total(daemon: Daemon, records: int) -> None:
    read = partial(daemon.metric, "sentinel_ingest_records_total", source="telemetry")
    wait_until(lambda: read() >= records, timeout=60, what=f"{records} records read", why=read)
    assert read() == records
