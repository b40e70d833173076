"""The plain loop: aiokafka, json, a dict."""

from __future__ import annotations

import argparse
import asyncio
import json

from aiokafka import AIOKafkaConsumer

from benchmarks.peers.tally import SeriesKey, State, Tally, arguments, judge, series_key


async def main(given: argparse.Namespace) -> None:
    states, tally = dict[SeriesKey, State](), Tally(given.samples)
    consumer = AIOKafkaConsumer(given.topic, bootstrap_servers=given.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        while tally.samples < given.samples:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=500)
            for records in fetched.values():
                for record in records:
                    sample = json.loads(record.value)
                    key, value = series_key(sample["name"], sample["labels"]), sample["value"]
                    state = states.get(key)
                    if state is None:
                        states[key] = [1, value, 0.0]
                        tally.add(value, False)
                    else:
                        tally.add(value, judge(state, value))


if __name__ == "__main__":
    asyncio.run(main(arguments()))
