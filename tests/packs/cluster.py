"""A watched Kafka cluster in virtual time: brokers come and go, polls see it late, rules see the polls."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sentinel.model import AlertEvent, Labels
from sentinel.rule_test.rehearsal import Rehearsal
from sentinel.rules.load import load_rules

PACK = Path(__file__).parents[2] / "rules/kafka.yml"
EVALUATION_MS = 5_000
GROUP_WAIT_MS = 10_000

Outages = Mapping[int, Sequence[tuple[int, int]]]
"""By broker, when it is away: [from, to) in ms."""


class Watch(msgspec.Struct, frozen=True):
    """When polls begin and rules are evaluated, and how a broker that is away behaves."""

    interval_ms: int
    poll_phase_ms: int
    evaluation_phase_ms: int
    silent: bool
    """It swallows requests, so that a poll waits for its time-out; else it refuses them at once."""
    seed: int = 0

    @property
    def timeout_ms(self) -> int:
        return min(3_000, self.interval_ms // 2)


class Poll(msgspec.Struct, frozen=True):
    """What a poll found. Its samples are stamped with its begin and are there at its end."""

    at_ms: int
    done_ms: int
    up: dict[int, bool]


def away(outages: Outages, broker: int, at_ms: int) -> bool:
    return any(begin <= at_ms < end for begin, end in outages.get(broker, ()))


def polls(watch: Watch, brokers: int, outages: Outages, until_ms: int) -> list[Poll]:
    """A broker counts as up if it was there when its request came, somewhen within the poll."""
    chance, found = random.Random(watch.seed), []
    for at_ms in range(watch.poll_phase_ms, until_ms, watch.interval_ms):
        latency_ms = chance.randrange(5, 400)
        up = {id: not away(outages, id, at_ms + chance.randrange(latency_ms)) for id in range(brokers)}
        waits = watch.silent and not all(up.values())
        found.append(Poll(at_ms, at_ms + (watch.timeout_ms if waits else latency_ms), up))
    return found


def events(watch: Watch, brokers: int, outages: Outages, until_ms: int) -> list[AlertEvent]:
    """All that the pack tells until then, each event with the time of its evaluation."""
    rules, waiting, told = Rehearsal(load_rules(PACK)), polls(watch, brokers, outages, until_ms), []
    for now_ms in range(watch.evaluation_phase_ms, until_ms, EVALUATION_MS):
        while waiting and waiting[0].done_ms <= now_ms:
            _give(rules, waiting.pop(0))
        told += rules.evaluate(now_ms)
    assert not list(rules.problems())
    return told


def _give(rules: Rehearsal, poll: Poll) -> None:
    """The watch's samples; in one topic a partition for each broker, with three replicas, two needed."""
    cluster, brokers, alive = {"cluster": "c1"}, len(poll.up), sum(poll.up.values())
    samples = {Labels({"__name__": "kafka_cluster_up", **cluster}): alive > 0}
    for id, up in poll.up.items():
        labels = {"__name__": "kafka_broker_up", **cluster, "id": str(id), "address": f"b{id}:9092"}
        samples[Labels(labels)] = up
    for partition in range(brokers) if alive else ():
        replicas = {(partition + step) % brokers for step in range(3)}
        in_sync = sum(poll.up[id] for id in replicas)
        of = {**cluster, "topic": "orders", "partition": str(partition)}
        values = {
            "offline": not in_sync,
            "under_replicated_partition": in_sync < len(replicas),
            "under_min_isr": in_sync < 2,
            "at_min_isr": in_sync == 2,
            "leader_is_preferred": poll.up[partition],
        }
        for name, value in values.items():
            samples[Labels({"__name__": f"kafka_topic_partition_{name}", **of})] = value
    for series, value in samples.items():
        rules.store.add(series, [poll.at_ms], [float(value)])
