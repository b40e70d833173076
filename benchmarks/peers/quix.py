"""Quix Streams: `dict`, an ordinary dictionary in a stateless step, or `state`, its own store (RocksDB).

State is kept by the records' key, so that nothing need be written to a topic again in order to group; the
changelog topic, which makes state durable, is off. Both are in its favour. Its JSON deserializer is its own.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from quixstreams import Application, State  # type: ignore[import-not-found,unused-ignore]

from benchmarks.peers.tally import State as Ewma
from benchmarks.peers.tally import Tally, arguments, judge, series_key


def stateless(tally: Tally) -> Any:
    states: dict[Any, Ewma] = {}

    def step(sample: dict[str, Any]) -> None:
        key, value = series_key(sample["name"], sample["labels"]), sample["value"]
        state = states.get(key)
        if state is None:
            states[key] = [1, value, 0.0]
            tally.add(value, False)
        else:
            tally.add(value, judge(state, value))

    return step


def stateful(tally: Tally) -> Any:
    def step(sample: dict[str, Any], state: State) -> None:
        value, ewma = sample["value"], state.get("ewma")
        alert = ewma is not None and judge(ewma, value)
        state.set("ewma", ewma or [1, value, 0.0])
        tally.add(value, alert)

    return step


def main(given: argparse.Namespace, how: str) -> None:
    app = Application(
        broker_address=given.bootstrap,
        consumer_group=f"quix-{os.getpid()}",
        auto_offset_reset="earliest",
        state_dir=given.folder,
        use_changelog_topics=False,
        loglevel="WARNING",
    )
    rows, tally = app.dataframe(app.topic(given.topic, value_deserializer="json")), Tally(given.samples)
    if how == "state":
        rows.update(stateful(tally), stateful=True)
    else:
        rows.update(stateless(tally))
    app.run(count=given.samples)


if __name__ == "__main__":
    main(arguments(), os.environ["PEER_VARIANT"])
