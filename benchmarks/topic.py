"""The topic that all clients read: every series once a round, in another random order each round.

A series waves around its level by one per cent; some are once ten times as high. What a detector has to find
is therefore known: `Workload.spikes` of them, and `ewma_alerts` computes with numpy that the formula of
`benchmarks.peers.tally` finds these and no others.

All samples of a round carry one timestamp, and rounds are an evaluation interval apart: so a detector that is
asked at each evaluation sees each sample once, as one that is asked at each sample does.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from aiokafka import AIOKafkaProducer

from benchmarks.peers.tally import ALPHA, THRESHOLD, WARM_UP
from sentinel.model import Floats

METRIC = "http_requests_in_flight"
PARTITIONS = 4
ROUND_MS = 5_000
FIRST_SPIKE = WARM_UP + 3
WAVE = 0.01
SPIKE = 10.0


class Workload(NamedTuple):
    """`rounds` samples of each of `series` series, from `begin_ms` on."""

    series: int
    rounds: int
    begin_ms: int
    seed: int = 1
    topic: str = "throughput"

    @classmethod
    def until_now(cls, series: int, rounds: int, topic: str) -> Workload:
        """The last round is the present one."""
        return cls(series, rounds, int(time.time()) * 1000 - rounds * ROUND_MS, topic=topic)

    @property
    def samples(self) -> int:
        return self.series * self.rounds

    @property
    def last_ms(self) -> int:
        """Timestamp of the last round."""
        return self.begin_ms + (self.rounds - 1) * ROUND_MS

    @property
    def spikes(self) -> int:
        """None if there are too few rounds for a detector to have an opinion."""
        return max(1, self.series // 200) if self.rounds > FIRST_SPIKE + 1 else 0

    def values(self) -> Floats:
        """(rounds, series), with the three decimals that are written."""
        draw = np.random.default_rng(self.seed)
        level = draw.uniform(100, 1000, self.series)
        phase = draw.uniform(0, 2 * np.pi, self.series)
        turn = np.arange(self.rounds)[:, None] * np.pi * (3 - np.sqrt(5.0))  # golden: never twice alike
        values = level * (1 + WAVE * np.sin(phase + turn))
        spiked = draw.choice(self.series, self.spikes, replace=False)
        if self.spikes:
            values[draw.integers(FIRST_SPIKE, self.rounds - 1, self.spikes), spiked] *= SPIKE
        found: Floats = np.round(values, 3)
        return found


def ewma_alerts(values: Floats) -> int:
    """How often the peers' formula raises an alert over (rounds, series)."""
    mean, variance, alerts = values[0].copy(), np.zeros(values.shape[1]), 0
    for seen, row in enumerate(values[1:], 1):
        off = row - mean
        square = off * off
        if seen >= WARM_UP:
            alerts += int((square > THRESHOLD * THRESHOLD * variance).sum())
        variance = (1 - ALPHA) * (variance + ALPHA * square)
        mean = mean + ALPHA * off
    return alerts


def series_text(number: int) -> str:
    """Name and labels of one series as JSON, without the closing of the object."""
    labels = (
        f'"job":"service-{number % 50:02}","instance":"{host(number)}","zone":"eu-west-1{"abc"[number % 3]}"'
    )
    return f'{{"name":"{METRIC}","labels":{{{labels}}},'


def host(number: int) -> str:
    """What tells the series apart; also the key of its records, which some peers keep state by."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9100"


async def fill(bootstrap: str, work: Workload, values: Floats, **settings: Any) -> None:
    """Writes the samples to the topic, which exists; `settings` (`compression_type`) go to the producer."""
    draw = np.random.default_rng(work.seed + 1)
    heads = [series_text(number) for number in range(work.series)]
    keys = [host(number).encode() for number in range(work.series)]
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, max_batch_size=1 << 20, max_request_size=2 << 20, **settings
    ) as producer:
        for round_, row in enumerate(values):
            now_ms = work.begin_ms + round_ * ROUND_MS
            tail = f',"timestamp":{now_ms}}}'
            written = row.tolist()
            batches = [producer.create_batch() for _ in range(PARTITIONS)]
            for number in draw.permutation(work.series).tolist():
                text = f'{heads[number]}"value":{written[number]:.3f}{tail}'.encode()
                where, key = number % PARTITIONS, keys[number]
                if batches[where].append(key=key, value=text, timestamp=now_ms) is None:
                    await producer.send_batch(batches[where], work.topic, partition=where)
                    batches[where] = producer.create_batch()
                    batches[where].append(key=key, value=text, timestamp=now_ms)
            for where, batch in enumerate(batches):
                await producer.send_batch(batch, work.topic, partition=where)
