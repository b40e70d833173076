"""A flood of new series into the topic of a fleet, some members of which spike now and then."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from .configuration import alert, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .fleet import Fleet, Instance, labels_of
from .kafka_broker import Broker
from .receiver import Page, Receiver
from .records import sample

PARTITIONS = 3
FLOODED = 'sum by (source) (increase(sentinel_ingest_samples_dropped_total{reason="series_limit"}[30s])) > 0'
RULES = rule_group("watched", alert("LoadHigh", "load > 100"), alert("SeriesLimit", FLOODED))
SPIKE_ROUNDS = 5


@dataclass(frozen=True)
class Watched(Fleet):
    """Every `calm` rounds the next instance stands at 150 for five rounds."""

    spike: range = range(0)
    spiking: frozenset[Instance] = frozenset()
    period_seconds: float = 1.0
    calm: int = 20
    spiked_ms: dict[Instance, int] = field(default_factory=dict)
    """When each instance that spiked began to."""

    def sample(self, number: int, who: Instance, timestamp_ms: int, draw: random.Random) -> bytes:
        turn, since = divmod(number, self.calm)
        high = turn > 0 and since < SPIKE_ROUNDS and who == self.members[turn]
        if high:
            self.spiked_ms.setdefault(who, timestamp_ms)
        return sample(
            "load", labels_of(who), round(draw.gauss(150.0 if high else 50.0, 2.0), 3), timestamp_ms
        )

    def delays(self, pages: list[Page]) -> dict[Instance, float]:
        """Seconds from the first high sample to the page, of every instance that was paged."""
        arrived = {page.labels["service"] + page.labels["instance"]: page.arrived for page in pages}
        names = {who: "".join(labels_of(who).values()) for who in self.spiked_ms}
        began = self.spiked_ms.items()
        return {who: arrived[names[who]] - ms / 1000 for who, ms in began if names[who] in arrived}


class Flood:
    """Writes `per_second` records, each of a series never seen before, for `seconds`, in a thread."""

    def __init__(self, bootstrap: str, topic: str, per_second: int, seconds: float) -> None:
        self.sent = 0
        self._bootstrap, self._topic = bootstrap, topic
        self._per_second, self._seconds = per_second, seconds
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the last record is acknowledged."""
        self._thread.join(self._seconds * 2 + 30)
        assert not self._thread.is_alive(), f"the producer stopped after {self.sent} records"

    async def _run(self) -> None:
        begin = time.monotonic()
        async with AIOKafkaProducer(bootstrap_servers=self._bootstrap, max_batch_size=1 << 18) as producer:
            while (passed := time.monotonic() - begin) < self._seconds:
                await self._send(producer, int(passed * self._per_second) - self.sent)
                await asyncio.sleep(0.05)
            await self._send(producer, int(self._seconds * self._per_second) - self.sent)
            await producer.flush()

    async def _send(self, producer: Any, count: int) -> None:
        """One batch or more to each partition."""
        now_ms = int(time.time() * 1000)
        for partition in range(PARTITIONS):
            batch = producer.create_batch()
            for number in range(self.sent + partition, self.sent + count, PARTITIONS):
                value = new_series(number, now_ms)
                if batch.append(key=None, value=value, timestamp=now_ms) is None:
                    await producer.send_batch(batch, self._topic, partition=partition)
                    batch = producer.create_batch()
                    batch.append(key=None, value=value, timestamp=now_ms)
            await producer.send_batch(batch, self._topic, partition=partition)
        self.sent += count


def new_series(number: int, now_ms: int) -> bytes:
    """As a careless service writes it: an identifier of a request as a label."""
    labels = f'{{"job":"checkout","instance":"10.0.{number % 256}.7:9100","request_id":"{number:016x}"}}'
    return f'{{"name":"requests","labels":{labels},"value":{number % 97},"timestamp":{now_ms}}}'.encode()


def flooded_daemon(folder: Path, broker: Broker, topic: str, limit: int, receiver: Receiver) -> Daemon:
    """A daemon that reads the topic with a limit of series, and watches itself."""
    telemetry = kafka_source(broker, topic, limits={"series": limit})
    daemon = Daemon(folder, {})
    own = {"targets": [f"127.0.0.1:{daemon.port}"], "interval": "1s"}
    daemon.write("sentinel.yml", configuration(telemetry, {"name": "own", "scrape": own}, interval="1s"))
    daemon.write("rules/watched.yml", RULES)
    daemon.write("alertmanager.yml", one_webhook(receiver.url))
    return daemon


def memory_mb(daemon: Daemon) -> float:
    """What is resident now."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (resident,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(resident) / 1024
