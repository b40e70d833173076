"""Bytewax: a dictionary in a `map` (`dict`), or `stateful_map` (`state`; kept in memory, no recovery)."""

from __future__ import annotations

import argparse
import os
from typing import Any

import bytewax.operators as op  # type: ignore[import-not-found,unused-ignore]
import orjson  # type: ignore[import-not-found,unused-ignore]
from bytewax.connectors.kafka import KafkaSource  # type: ignore[import-not-found,unused-ignore]
from bytewax.connectors.stdio import StdOutSink  # type: ignore[import-not-found,unused-ignore]
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found,unused-ignore]
from bytewax.testing import run_main  # type: ignore[import-not-found,unused-ignore]

from benchmarks.peers.tally import State, Tally, arguments, judge, series_key


def with_dict(flow: Any, tally: Tally) -> Any:
    states: dict[Any, State] = {}

    def step(message: Any) -> bool:
        sample = orjson.loads(message.value)
        key, value = series_key(sample["name"], sample["labels"]), sample["value"]
        state = states.get(key)
        alert = state is not None and judge(state, value)
        if state is None:
            states[key] = [1, value, 0.0]
        tally.add(value, alert)
        return alert

    return op.filter("alerts", op.map("judge", flow, step), bool)


def with_state(flow: Any, tally: Tally) -> Any:
    def keyed(message: Any) -> tuple[str, float]:
        sample = orjson.loads(message.value)
        labels = sample["labels"]
        return f"{sample['name']}{sorted(labels.items())}", sample["value"]

    def step(state: State | None, value: float) -> tuple[State, bool]:
        alert = state is not None and judge(state, value)
        tally.add(value, alert)
        return state or [1, value, 0.0], alert

    return op.filter(
        "alerts", op.stateful_map("judge", op.map("key", flow, keyed), step), lambda pair: pair[1]
    )


def main(given: argparse.Namespace, how: str) -> None:
    tally, flow = Tally(given.samples), Dataflow("ewma")
    records = op.input(
        "records", flow, KafkaSource([given.bootstrap], [given.topic], tail=False, batch_size=1000)
    )
    alerts = (with_state if how == "state" else with_dict)(records, tally)
    op.output("nowhere", op.filter("none", alerts, lambda alert: False), StdOutSink())
    run_main(flow)


if __name__ == "__main__":
    main(arguments(), os.environ["PEER_VARIANT"])
