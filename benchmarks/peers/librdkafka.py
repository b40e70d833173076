"""The fast loop: confluent-kafka (librdkafka), orjson, a dict."""

from __future__ import annotations

import argparse

import orjson  # type: ignore[import-not-found,unused-ignore]
from confluent_kafka import Consumer  # type: ignore[import-not-found,unused-ignore]

from benchmarks.peers.tally import SeriesKey, State, Tally, arguments, judge, series_key


def main(given: argparse.Namespace) -> None:
    states, tally = dict[SeriesKey, State](), Tally(given.samples)
    settings = {
        "bootstrap.servers": given.bootstrap,
        "group.id": "librdkafka",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer = Consumer(settings)
    consumer.subscribe([given.topic])
    while tally.samples < given.samples:
        for record in consumer.consume(500, 1.0):
            sample = orjson.loads(record.value())
            key, value = series_key(sample["name"], sample["labels"]), sample["value"]
            state = states.get(key)
            if state is None:
                states[key] = [1, value, 0.0]
                tally.add(value, False)
            else:
                tally.add(value, judge(state, value))
    consumer.close()


if __name__ == "__main__":
    main(arguments())
