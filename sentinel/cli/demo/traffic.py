"""Synthetic services and what goes wrong with them: everything follows from the seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from sentinel.clock import Clock

SERVICES: Final = ("auth", "billing", "cart", "catalog", "checkout", "mail", "search", "stock")
INSTANCES: Final = 25
EVERY_SECONDS: Final = 0.25
WARM_UP_SECONDS: Final = 36.0
"""The detector has learned what is usual by then."""
SPACING_SECONDS: Final = 7.0
LENGTH_SECONDS: Final = 8.0


class Kind(msgspec.Struct, frozen=True):
    """A way to fail: which alert must page for it, and what it does."""

    alert: str
    story: str


ERRORS = Kind("HighErrorRatio", "one request in four fails")
SATURATION = Kind("QueueFilling", "queues fill up")
SLOW = Kind("LatencyAnomaly", "requests take twice as long as usual")


class Incident(msgspec.Struct, frozen=True):
    """Seconds count from the start of the traffic."""

    kind: Kind
    service: str
    start_seconds: float
    length_seconds: float = LENGTH_SECONDS

    def holds(self, seconds: float) -> bool:
        return self.start_seconds <= seconds < self.start_seconds + self.length_seconds


def incidents(seed: int) -> list[Incident]:
    """Four incidents in different services, the third and fourth overlapping with those before them."""
    random_ = random.Random(seed)
    services = random_.sample(SERVICES, 4)
    kinds = [ERRORS, SLOW, SATURATION]
    random_.shuffle(kinds)
    kinds.append(random_.choice([ERRORS, SLOW]))
    starts = [WARM_UP_SECONDS + number * SPACING_SECONDS + random_.uniform(0, 2) for number in range(4)]
    return [Incident(*each) for each in zip(kinds, services, starts, strict=True)]


def end_seconds(planned: Sequence[Incident]) -> float:
    """When all are over and there was time to say so."""
    return max(incident.start_seconds + incident.length_seconds for incident in planned) + 9.0


class Fleet:
    """All services with their counters. `samples` moves them on by one step."""

    def __init__(self, seed: int, planned: Sequence[Incident]) -> None:
        self._random = random.Random(seed + 1)
        self._planned = planned
        self._usual = {name: self._random.uniform(0.05, 0.4) for name in SERVICES}
        self._requests: dict[tuple[str, int], float] = {}
        self._errors: dict[tuple[str, int], float] = {}

    def samples(self, seconds: float, now_ms: int) -> Iterator[bytes]:
        """One JSON record for each series."""
        for service in SERVICES:
            wrong = {i.kind.alert for i in self._planned if i.service == service and i.holds(seconds)}
            for instance in range(INSTANCES):
                yield from self._instance(service, instance, wrong, now_ms)

    def _instance(self, service: str, instance: int, wrong: set[str], now_ms: int) -> Iterator[bytes]:
        noise, key = self._random, (service, instance)
        served = noise.uniform(20, 30) * EVERY_SECONDS
        failed = served * (0.25 if ERRORS.alert in wrong else noise.uniform(0, 0.01))
        self._requests[key] = self._requests.get(key, 0.0) + served
        self._errors[key] = self._errors.get(key, 0.0) + failed
        latency = self._usual[service] * noise.gauss(1, 0.1) * (2 if SLOW.alert in wrong else 1)
        depth = noise.uniform(150, 200) if SATURATION.alert in wrong else noise.uniform(0, 20)
        labels = {"service": service, "instance": f"{service}-{instance}"}
        values = {
            "requests_total": self._requests[key],
            "request_errors_total": self._errors[key],
            "request_latency_seconds": latency,
            "queue_depth": depth,
        }
        for name, value in values.items():
            record = {"name": name, "labels": labels, "value": round(value, 6), "timestamp": now_ms}
            yield msgspec.json.encode(record)


async def produce(bootstrap: str, topic: str, fleet: Fleet, started_ms: int, clock: Clock) -> None:
    """Until cancelled: a round of samples every quarter of a second."""
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    await producer.start()
    try:
        while True:
            now_ms = clock.now_ms()
            for record in fleet.samples((now_ms - started_ms) / 1000, now_ms):
                await producer.send(topic, record)
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        await producer.stop()
