"""What one writes without Sentinel: a plain aiokafka, json and dict loop that keeps each series' last value.

Run by `benchmarks.end_to_end` as a process of its own. It says `ready`, waits for a line, reads the topic
to its end, says what it found, and waits again: so the caller can read its CPU time on both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer

SeriesKey = tuple[str, tuple[tuple[str, str], ...]]


async def read(consumer: AIOKafkaConsumer) -> tuple[int, dict[SeriesKey, float]]:
    """All samples from the start of the topic to its present end."""
    ends = await consumer.end_offsets(consumer.assignment())
    left = sum(ends.values())
    samples, last = 0, dict[SeriesKey, float]()
    while samples < left:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=500)
        for records in fetched.values():
            for record in records:
                sample = json.loads(record.value)
                last[sample["name"], tuple(sorted(sample["labels"].items()))] = sample["value"]
            samples += len(records)
    return samples, last


async def main(bootstrap: str, topic: str) -> None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        print("ready", flush=True)
        sys.stdin.readline()
        samples, last = await read(consumer)
        found = {"samples": samples, "series": len(last), "sum": sum(last.values())}
        print(json.dumps(found), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    given = parser.parse_args()
    asyncio.run(main(given.bootstrap, given.topic))
