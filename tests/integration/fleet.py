"""A fleet of services under Gaussian load, a few instances of which spike for a while."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from .records import sample

Instance = tuple[int, int]
"""Number of the service, number of the instance in it."""


@dataclass(frozen=True)
class Fleet:
    """One sample of every instance each `period_seconds`, stamped with the time at which it was to be sent.

    So however busy the machine is, rounds are evenly apart. A series keeps to its partition.
    """

    bootstrap: str
    topic: str
    rounds: int
    spike: range
    """The rounds in which the instances of `spiking` stand at 150 instead of 50 +- 2."""
    spiking: frozenset[Instance]
    period_seconds: float = 0.25
    services: int = 50
    instances: int = 20
    seed: int = 11

    @property
    def members(self) -> list[Instance]:
        return [(service, instance) for service in range(self.services) for instance in range(self.instances)]

    @property
    def samples(self) -> int:
        return self.rounds * self.services * self.instances

    def sample(self, number: int, who: Instance, timestamp_ms: int, draw: random.Random) -> bytes:
        """What an instance says in a round."""
        high = number in self.spike and who in self.spiking
        value = round(draw.gauss(150.0 if high else 50.0, 2.0), 3)
        return sample("load", labels_of(who), value, timestamp_ms)


def labels_of(who: Instance) -> dict[str, str]:
    return {"service": f"s{who[0]:02}", "instance": f"i{who[1]:02}"}


class Running:
    """A fleet at work in a thread; `round` counts the rounds that are acknowledged."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.round = fleet, 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the last round is acknowledged."""
        self._thread.join(self.fleet.rounds * self.fleet.period_seconds * 2 + 30)
        assert self.round == self.fleet.rounds, f"the producer stopped after round {self.round}"

    async def _run(self) -> None:
        draw, begin = random.Random(self.fleet.seed), time.time()
        reach = {"bootstrap_servers": self.fleet.bootstrap, "enable_idempotence": True}
        async with AIOKafkaProducer(**reach) as producer:
            for number in range(self.fleet.rounds):
                await asyncio.sleep(begin + number * self.fleet.period_seconds - time.time())
                round_ms, sent = int((begin + number * self.fleet.period_seconds) * 1000), []
                for who in self.fleet.members:
                    value = self.fleet.sample(number, who, round_ms, draw)
                    sent.append(await producer.send(self.fleet.topic, value, key=b"%d/%d" % who))
                await asyncio.gather(*sent)
                self.round += 1
