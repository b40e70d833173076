"""Which groups are touched by what comes in."""

from __future__ import annotations

import pytest

from sentinel.engine import Engine, Settings
from sentinel.rules.load import parse_rules
from tests.unit.store.batches import batch

RULES = """
groups:
  - {name: slow, rules: [{record: a, expr: x}, {record: "b:a", expr: a}]}
  - {name: plain, on_arrival: true, rules: [{record: c, expr: 'x{k="1"}'}, {record: d, expr: y + z}]}
  - {name: made, on_arrival: true, rules: [{record: e, expr: a}]}
  - {name: any, on_arrival: true, rules: [{record: f, expr: 'count({k="2"})'}]}
"""
START_MS = 1_000_000


@pytest.fixture
def engine() -> Engine:
    engine = Engine(parse_rules(RULES, "r"), Settings(sources=("s", "t")))
    for name in ("slow", "plain"):  # a recorded series is fed by whoever feeds what it is made of
        engine.ingest("s", batch([("x|k=2", START_MS, 1.0)]))
        engine.groups[f"r;{name}"].evaluate(START_MS, 0, False)
    engine.arrivals.take()
    return engine


def touched(engine: Engine) -> set[str]:
    return {key.removeprefix("r;") for key in engine.arrivals.take()}


@pytest.mark.parametrize(
    ("source", "series", "expected"),
    [
        ("s", "x|k=1", {"plain", "made", "any"}),
        ("s", "x|k=2", {"made", "any"}),
        ("s", "nobody|k=3", {"made", "any"}),
        ("t", "y|k=3", {"plain"}),  # from elsewhere than what rules read that write series
        ("t", "nobody|k=3", set()),
    ],
)
def test_a_group_is_touched_by_what_it_reads_or_what_that_may_follow_from(
    engine: Engine, source: str, series: str, expected: set[str]
) -> None:
    for later_ms in (1000, 2000):  # a series that is new, and one that is known
        engine.ingest(
            source, batch([("other", START_MS + later_ms, 1.0), (series, START_MS + later_ms, 1.0)])
        )
        assert touched(engine) == expected | ({"made", "any"} if source == "s" else set())
    assert touched(engine) == set()


def test_what_is_gone_from_a_target_touches_its_readers(engine: Engine) -> None:
    engine.ingest_target("t", "host:1", batch([("y", START_MS, 1.0), ("w", START_MS, 1.0)]), START_MS)
    assert touched(engine) == {"plain"}
    engine.ingest_target("t", "host:1", batch([("w", START_MS + 1000, 1.0)]), START_MS + 1000)
    assert touched(engine) == {"plain"}
    engine.ingest_target("t", "host:1", batch([("w", START_MS + 2000, 1.0)]), START_MS + 2000)
    assert touched(engine) == set()


def test_what_was_refused_touches_nobody(engine: Engine) -> None:
    engine.ingest("t", batch([("y", START_MS, 1.0)]), series_limit=0)
    assert touched(engine) == set()


def test_after_a_reload_others_are_touched(engine: Engine) -> None:
    engine.reload(parse_rules(RULES.replace("y + z", "w"), "r"))
    engine.ingest("t", batch([("y", START_MS, 1.0)]))
    assert touched(engine) == set()
    engine.ingest("t", batch([("w", START_MS, 1.0)]))
    assert touched(engine) == {"plain"}
