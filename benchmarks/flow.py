"""A steady flow into a topic, from a process of its own: many series in turn, and events that alert.

Each event is a host whose `load` rises above 100 and falls back `DOWN_SECONDS` later. At its end it prints
{"samples": how many were sent, "events": [[host, seconds when `send` was called], ...]}, monotonic clock.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from benchmarks.topic import PARTITIONS, series_text
from tests.integration.records import sample

HOSTS = 1000
DOWN_SECONDS = 8.0
TICK_SECONDS = 0.01


class Flow(msgspec.Struct, frozen=True):
    """What is sent for `seconds`: `series` series in turn, `per_second` samples of them, and events."""

    bootstrap: str
    topic: str
    series: int
    per_second: int
    events_per_second: float
    seconds: float

    def start(self) -> subprocess.Popen[str]:
        """In a process of its own, which begins at once."""
        command = [sys.executable, "-m", "benchmarks.flow", msgspec.json.encode(self).decode()]
        root = Path(__file__).parent.parent
        return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)


class Sent(msgspec.Struct):
    samples: int = 0
    events: list[tuple[str, float]] = []


async def send_series(producer: AIOKafkaProducer, flow: Flow, until: float, sent: Sent) -> None:
    """The background, in batches of a tick; after a delay it catches up."""
    heads = [series_text(number) for number in range(flow.series)]
    order = np.random.default_rng(7).permutation(flow.series).tolist()
    begin, done, end = time.monotonic(), 0, flow.seconds * flow.per_second
    while (now := time.monotonic()) < until and done < end:
        due = min(int((now - begin) * flow.per_second), done + 20_000)
        tail = f'"value":{now % 1000:.3f},"timestamp":{int(time.time() * 1000)}}}'
        for where in range(PARTITIONS):
            batch = producer.create_batch()
            for row in range(done + (where - done) % PARTITIONS, due, PARTITIONS):
                text = f"{heads[order[row % flow.series]]}{tail}".encode()
                batch.append(key=None, value=text, timestamp=None)
            if batch.record_count():
                await producer.send_batch(batch, flow.topic, partition=where)
        sent.samples += due - done
        done = due
        await asyncio.sleep(TICK_SECONDS)


async def send_events(producer: AIOKafkaProducer, flow: Flow, until: float, sent: Sent) -> None:
    """Rises and falls, each sent by itself at its own moment, unevenly spaced."""
    draw, falls, number = np.random.default_rng(3), list[tuple[float, int]](), 0
    rise = time.monotonic() + 1
    while rise < until - DOWN_SECONDS or falls:
        falling = bool(falls) and (falls[0][0] < rise or rise >= until - DOWN_SECONDS)
        at, host = heapq.heappop(falls) if falling else (rise, number % HOSTS)
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        text = sample("load", {"host": f"h{host}"}, 50.0 if falling else 150.0, int(time.time() * 1000))
        begin = time.monotonic()
        await producer.send(flow.topic, text, partition=host % PARTITIONS)
        sent.samples += 1
        if not falling:
            sent.events.append((f"h{host}", begin))
            heapq.heappush(falls, (begin + DOWN_SECONDS, host))
            number += 1
            rise += draw.uniform(0.2, 1.8) / flow.events_per_second


async def main(flow: Flow) -> None:
    until, sent = time.monotonic() + flow.seconds, Sent()
    async with (
        AIOKafkaProducer(bootstrap_servers=flow.bootstrap, linger_ms=0) as events,
        AIOKafkaProducer(bootstrap_servers=flow.bootstrap, linger_ms=0, max_batch_size=8 << 20) as series,
    ):
        await asyncio.gather(send_series(series, flow, until, sent), send_events(events, flow, until, sent))
    print(json.dumps({"samples": sent.samples, "events": sent.events}))


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Flow)))
