"""Same input, same alerts: whatever the batches, the interleaving, and the restarts in between."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from sentinel.engine import Engine
from sentinel.model import AlertEvent, Labels
from sentinel.store import snapshot
from tests.unit.engine import telemetry as world

_encoder = msgspec.json.Encoder(enc_hook=lambda labels: labels.pairs)


def as_bytes(events: list[AlertEvent]) -> list[bytes]:
    return [_encoder.encode(event) for event in events]


def firing(engine: Engine) -> set[Labels]:
    rules = [rule for group in engine.groups.values() for rule in group.alerting()]
    return {alert.labels for rule in rules for alert in rule.active.values() if alert.told}


@pytest.mark.parametrize("seed", range(4))
def test_batches_and_interleaving_do_not_matter(seed: int) -> None:
    records = world.records(seed)
    plain = world.replay(world.new_engine(), records, random.Random(0), batch=10_000)
    names = {"Hot", "Rising", "Odd", "Absent", "Swings"}
    assert {event.labels.get("alertname") for event in plain} == names
    assert {event.state for event in plain} == {"firing", "resolved"}
    assert len({event.id for event in plain}) == len(plain)
    for batch in (1, 7, 50):
        other = world.replay(world.new_engine(), records, random.Random(batch), batch)
        assert as_bytes(other) == as_bytes(plain)


@pytest.mark.parametrize("cut", [1, 20, 37, 41, 55])
def test_a_restored_engine_goes_on_as_if_nothing_had_happened(cut: int, tmp_path: Path) -> None:
    records = world.records(3)
    whole = world.replay(world.new_engine(), records, random.Random(0), batch=100)
    engine, decode, events = world.new_engine(), world.decoder().decode, []
    for second, partitions in world.seconds_of(records):
        if second == cut:
            snapshot.save(tmp_path, engine.snapshot())
            engine, state = world.new_engine(), snapshot.load(tmp_path)
            assert state is not None
            assert engine.restore(state) == []
        for number, values in enumerate(partitions):
            engine.ingest("telemetry", decode(world.payloads(number, 0, values)).batch)
        events += engine.advance(world.steps_at(second))
    assert as_bytes(events) == as_bytes(whole)


def test_evaluating_again_what_was_evaluated_changes_nothing() -> None:
    engine, records = world.new_engine(), world.records(1)
    world.replay(engine, records, random.Random(0), batch=100)
    before = engine.snapshot()["groups"]
    assert engine.advance(world.steps_at(30)) == []
    assert repr(engine.snapshot()["groups"]) == repr(before)


def test_a_reload_keeps_state_and_ends_what_is_gone() -> None:
    engine, decode = world.new_engine(), world.decoder().decode
    for second, partitions in world.seconds_of(world.records(3)):
        for number, values in enumerate(partitions):
            engine.ingest("telemetry", decode(world.payloads(number, 0, values)).batch)
        engine.advance(world.steps_at(second))
        hot = {labels for labels in firing(engine) if labels.get("alertname") == "Hot"}
        if hot:
            break
    before = firing(engine)
    assert hot and len(before) > len(hot)
    kept = world.RULES.replace("alert: Hot", "alert: Renamed")
    events = engine.reload(world.groups(kept))
    assert {event.labels.drop(["region"]) for event in events} == hot
    assert {event.state for event in events} == {"resolved"}
    assert all(event.annotations["summary"] for event in events)
    assert firing(engine) == before - hot


def test_a_rule_that_goes_away_while_the_daemon_is_down_resolves() -> None:
    engine = world.new_engine()
    world.replay(engine, world.records(3)[: 60 * 12], random.Random(0), batch=100)
    state = engine.snapshot()
    other = world.new_engine(world.groups("groups: []"))
    events = other.restore(state)
    told = [
        Labels(alert["told"]["labels"])
        for group in state["groups"].values()
        for _, rule in group["rules"]
        for alert in rule.get("active", ())
        if alert["told"]
    ]
    assert told and [event.labels for event in events] == told
