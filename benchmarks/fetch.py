"""Fetching from Kafka: raw record batches against record objects, CPU per record, interleaved in one run.

    python benchmarks/fetch.py [--records N] [--rounds R] [--least RATIO]

A broker of its own (the embedded one) is filled once per compression with seeded JSON samples of about 200
bytes; each round reads all of it both ways (A B A B). CPU is that of this process; the broker's is not in it.
Both ways check checksums and end at columns, and have to agree on the sum of what they read. Exits with 1 if
the ratio of the medians falls below `--least`: absolute figures depend on the machine and fail nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.resources
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from sentinel.ingest import kafka_raw
from sentinel.ingest.kafka_public import PublicReader
from sentinel.ingest.kafka_raw import RawReader

CODECS: Final = ("none", "lz4", "zstd")
READERS: Final = {"raw": RawReader, "getmany": PublicReader}


async def fill(address: str, topic: str, records: int) -> None:
    """Seeded samples in batches of some hundred records."""
    dice = random.Random(20_240_501)
    codec = None if topic == "none" else topic
    producer = AIOKafkaProducer(
        bootstrap_servers=address, compression_type=codec, linger_ms=20, max_batch_size=128 << 10
    )
    await producer.start()
    for i in range(records):
        labels = (
            f'"job":"api","instance":"host-{dice.randrange(10_000):05d}.example.net:9100","zone":"eu-{i % 3}"'
        )
        head = f'{{"name":"http_request_duration_seconds_sum","labels":{{{labels},"path":"/v1/items"}},'
        await producer.send(
            topic,
            f'{head}"timestamp":{1_714_521_600_000 + i},"value":{dice.random()}}}'.encode(),
            partition=0,
        )
    await producer.stop()


async def drain(address: str, topic: str, reader: Any, records: int) -> tuple[float, int]:
    """CPU seconds of reading a topic to columns, and a checksum over all of them."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=kafka_raw.MOST_BYTES,
        fetch_max_bytes=16 << 20,
    )
    await consumer.start()
    source = reader(consumer)
    consumer.assign([TopicPartition(topic, 0)])
    began, rows, total = time.process_time(), 0, 0
    while rows < records:
        for fetched in await source.poll(200):
            for piece in fetched.pieces:
                rows += len(piece.offset)
                total += int((piece.offset * (piece.end - piece.start) + piece.record_ms).sum())
    seconds = time.process_time() - began
    await consumer.stop()
    return seconds, total


async def compare(address: str, records: int, rounds: int) -> dict[str, float]:
    """Prints a table; returns the ratio of medians by compression."""
    ratios = {}
    print(f"{'codec':6} {'way':8} {'min':>7} {'median':>7} {'max':>7}  us of CPU per record")
    for codec in CODECS:
        await fill(address, codec, records)
        taken: dict[str, list[float]] = {way: [] for way in READERS}
        for _ in range(rounds + 1):
            sums = {}
            for way, reader in READERS.items():
                seconds, sums[way] = await drain(address, codec, reader, records)
                taken[way].append(seconds / records * 1e6)
            assert len(set(sums.values())) == 1, f"the two ways read different records: {sums}"
        for way, figures in taken.items():
            warm = figures[1:]
            print(f"{codec:6} {way:8} {min(warm):7.3f} {statistics.median(warm):7.3f} {max(warm):7.3f}")
        ratios[codec] = statistics.median(taken["getmany"][1:]) / statistics.median(taken["raw"][1:])
    return ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=2.0)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = str(importlib.resources.files("noida_db") / "noida-db")
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", folder]
        with subprocess.Popen(command, **quiet) as broker:
            time.sleep(1)
            print(f"load before {os.getloadavg()[0]:.1f}")
            try:
                ratios = asyncio.run(compare(f"127.0.0.1:{port}", options.records, options.rounds))
            finally:
                broker.terminate()
    print(f"load after {os.getloadavg()[0]:.1f}")
    for codec, ratio in ratios.items():
        print(f"{codec}: raw is {ratio:.1f} times cheaper than getmany(500)")
    return int(min(ratios.values()) < options.least)


if __name__ == "__main__":
    sys.exit(main())
