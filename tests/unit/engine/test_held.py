"""Two sources feed the same rules and one goes away: the other goes on, and nothing of its own is over."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from sentinel.decode.limits import Limits
from sentinel.decode.openmetrics import OpenMetricsDecoder
from sentinel.engine import Engine, Settings
from sentinel.model import Labels, payload_of
from sentinel.rules.load import parse_rules
from sentinel.store.journal import Step
from sentinel.store.store import EXPIRY_MS

START = 1_800_000_000_000
MIXED = """
groups:
  - name: g
    interval: 1m
    rules:
      - {alert: Lag, expr: "lag > 10"}
      - {record: "lag:max", expr: "max by (cluster) (lag)"}
      - {alert: Largest, expr: "lag:max > 10"}
      - {alert: NoLag, expr: 'absent(lag{cluster="a"})'}
"""
RULES = f"""{MIXED}
  - name: only-a
    interval: 1m
    rules:
      - {{alert: OnlyA, expr: 'rate(lag{{cluster="a"}}[5m]) > 0'}}
"""


class World:
    """An engine, fed by hand. `fired` is what fires now."""

    def __init__(self, labelled: bool = True) -> None:
        groups = parse_rules(RULES, "r.yml")
        labels = {name: Labels({"cluster": name}) for name in "ab"} if labelled else {}
        self.engine = Engine(groups, Settings(sources=("a", "b"), source_labels=labels))
        self.minute = 0
        self.fired: set[tuple[str, str]] = set()

    def pass_minute(self, held: tuple[str, ...] = (), **lag: float) -> set[tuple[str, str]]:
        """A minute in which clusters have this lag; the group `only-a` stands still while `a` is held."""
        self.minute += 1
        now = START + 60_000 * self.minute
        decoder = OpenMetricsDecoder(OpenMetricsDecoder.Config(), Limits(), 60_000)
        for cluster, value in lag.items():
            target = Labels({"cluster": cluster})
            payloads = payload_of(
                cluster, "openmetrics", f"lag {value}\n".encode(), arrival_ms=now, target=target
            )
            payloads = msgspec.structs.replace(payloads, partition="lag")
            self.engine.ingest_target(cluster, "lag", decoder.decode(payloads).batch, now)
        groups = ["g"] if "a" in held else ["g", "only-a"]
        for event in self.engine.advance(Step(f"r.yml;{name}", now, held) for name in groups):
            alert = event.labels.get("alertname"), event.labels.get("cluster")
            (self.fired.add if event.state == "firing" else self.fired.remove)(alert)
        return set(self.fired)


@pytest.mark.parametrize("minutes", [3, 7, 40])
def test_the_other_goes_on_and_nothing_is_over(minutes: int) -> None:
    world = World()
    assert world.pass_minute(a=20, b=0) == {("Lag", "a"), ("Largest", "a")}
    for _ in range(minutes):
        assert world.pass_minute(("a",), b=0) == {("Lag", "a"), ("Largest", "a")}
    both = {(name, cluster) for name in ("Lag", "Largest") for cluster in "ab"}
    assert world.pass_minute(("a",), b=20) == both
    assert world.pass_minute(a=0, b=0) == set()


@pytest.mark.parametrize("labelled", [True, False])
def test_what_may_be_of_the_one_that_is_away_is_not_over(labelled: bool) -> None:
    """If it is known what all series of a source look like, the others' alerts end and fire anew."""
    world = World(labelled)
    both = world.pass_minute(a=20, b=20)
    of_a = {each for each in both if each[1] == "a"}
    assert len(both) == 2 * len(of_a) == 4
    assert world.pass_minute(("a",), b=0) == (of_a if labelled else both)
    assert world.pass_minute(("a",), b=20) == both
    assert world.pass_minute(a=0, b=0) == set()


def test_series_of_a_source_that_is_away_are_not_forgotten() -> None:
    world = World()
    world.pass_minute(a=20, b=0)
    for _ in range(3 * EXPIRY_MS // 60_000):
        world.pass_minute(("a",), b=0)
    assert world.engine.store.find(Labels({"__name__": "lag", "cluster": "a"})) >= 0
    for _ in range(3 * EXPIRY_MS // 60_000):
        world.pass_minute(b=0)
    assert world.engine.store.find(Labels({"__name__": "lag", "cluster": "a"})) < 0


@pytest.mark.parametrize("how", ["restart", "reload"])
def test_a_restart_and_a_reload_know_who_is_away(how: str) -> None:
    """The turn of a group that `a` does not feed comes first, and vanished series are forgotten in it."""
    groups = parse_rules(
        f"{MIXED}  - {{name: only-b, interval: 1m, rules: [{{record: r, expr: time()}}]}}", "r.yml"
    )
    world = World()
    world.engine = Engine(groups, Settings(sources=("a", "b")))
    fires = world.pass_minute(a=20, b=0)
    for _ in range(2 * EXPIRY_MS // 60_000):
        assert world.pass_minute(("a",), b=0) == fires
    if how == "reload":
        world.engine.reload(groups)
    else:
        state = world.engine.snapshot()
        world.engine = Engine(groups, Settings(sources=("a", "b")))
        world.engine.restore(state)
    world.engine.advance([Step("r.yml;only-b", START + 60_000 * (world.minute + 1))])
    assert world.pass_minute(("a",), b=0) == fires


def test_a_group_that_stands_still_makes_nobody_else_keep_more() -> None:
    """`only-a` is not evaluated for ten hours; windows over `b` stay as long as they were."""
    world = World()
    for _ in range(20):
        world.pass_minute(a=1, b=1)
    for _ in range(600):
        world.pass_minute(("a",), b=1)
    slot = world.engine.store.find(Labels({"__name__": "lag", "cluster": "b"}))
    first, last = world.engine.store.spans(np.array([slot], np.int64), 0, 1 << 60)
    assert last[0] - first[0] <= 64


NO_DATA = """
groups:
  - name: g
    interval: 1m
    rules: [{alert: Lag, expr: lag > 10, no_data: alert}]
  - name: only-a
    interval: 1m
    rules: [{alert: Held, expr: 'lag{cluster="b"} > 10', resolve_expr: 'lag{cluster="a"} < 5'}]
"""


def test_a_source_that_is_away_is_not_the_same_as_no_data() -> None:
    """`b` falls silent while `a` is away for as long; then `a` is back and falls silent too."""
    world = World()
    world.engine = Engine(parse_rules(NO_DATA, "r.yml"), Settings(sources=("a", "b")))
    world.pass_minute(a=1, b=1)
    for _ in range(8):
        assert world.pass_minute(("a",)) == set()
    assert world.pass_minute(a=1) == set()
    for _ in range(6):
        world.pass_minute()
    assert world.fired == {("Lag", "")}
    assert world.pass_minute(a=1) == set()


def test_what_resolve_expr_reads_is_waited_for() -> None:
    world = World()
    world.engine = Engine(parse_rules(NO_DATA, "r.yml"), Settings(sources=("a", "b")))
    world.pass_minute(a=1, b=1)
    assert world.engine.groups["r.yml;only-a"].sources() == 0b11
    world.minute += 1
    now = START + 60_000 * world.minute
    assert world.engine.advance([Step("r.yml;only-a", now, ("a",))]) == []
    assert world.engine.groups["r.yml;only-a"].evaluated_ms == {0: now - 60_000}
