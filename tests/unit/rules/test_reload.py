"""Other rules take over: who keeps state, what resolves, what goes stale, what is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.engine import Short
from sentinel.model import Duration
from tests.unit.rules.world import MINUTE, START, World, one_rule

A = "{alert: A, expr: x > 5, for: 2m}"
R = "{record: r, expr: -x}"
FILE = "groups:\n- {name: g, rules: [%s, %s]}\n"
BEFORE = FILE % (A, R)
CHANGES = {
    "nothing": (BEFORE, True, True),
    "order": (FILE % (R, A), True, True),
    "expression": (FILE % ("{alert: A, expr: x > 6, for: 2m}", "{record: r, expr: 1 - x}"), True, True),
    "for, annotations": (FILE % ("{alert: A, expr: x > 5, for: 1m, annotations: {a: b}}", R), True, True),
    "group's settings": (BEFORE.replace("name: g", "name: g, limit: 9, query_offset: 1s"), True, True),
    "alert renamed": (FILE % ("{alert: B, expr: x > 5}", R), False, True),
    "alert's labels": (FILE % ("{alert: A, expr: x > 5, labels: {a: b}}", R), False, True),
    "group's labels": (BEFORE.replace("name: g", "name: g, labels: {a: b}"), False, False),
    "record renamed": (FILE % (A, "{record: s, expr: -x}"), True, False),
    "group renamed": (BEFORE.replace("name: g", "name: h"), False, False),
    "moved": (f"groups: [{{name: g, rules: [{R}]}}, {{name: h, rules: [{A}]}}]", False, True),
    "removed": ("groups: []", False, False),
    "kind": (FILE % ("{record: A, expr: x > 5}", "{alert: r, expr: -x > 5}"), False, False),
}


@pytest.mark.parametrize("how", ["reload", "restart"])
@pytest.mark.parametrize("change", CHANGES)
def test_state_goes_from_rule_to_rule_of_the_same_name_and_labels(
    change: str, how: str, tmp_path: Path
) -> None:
    after, alert_stays, record_stays = CHANGES[change]
    world = World(BEFORE)
    world.pass_minute(3, a=9)
    world.pass_minute(a=9, b=9)
    assert world.states() == {"a": "firing", "b": "pending"}
    told = world.reload(after) if how == "reload" else world.restart(tmp_path, after)
    assert told == ([] if alert_stays else ["resolved A a"])
    assert world.states() == ({"a": "firing", "b": "pending"} if alert_stays else {})
    world.now += 2
    assert len(world.query("r")) == (2 if record_stays else 0)
    assert len(world.query("ALERTS")) == (2 if alert_stays else 0)
    if not alert_stays:
        assert world.events[-1].ends_at_ms == world.now - 2


def test_rules_of_one_name_take_state_in_their_order() -> None:
    twice = "groups:\n- {name: g, rules: [{alert: A, expr: x > %d}, {alert: A, expr: x > %d}]}\n"
    world = World(twice % (5, 8))
    assert world.pass_minute(a=7) == ["firing A a"]
    assert world.reload(twice % (5, 8)) == world.pass_minute(a=7) == []
    assert world.reload(twice % (8, 5)) == []
    assert world.pass_minute(a=7) == ["firing A a", "resolved A a"]
    assert world.reload(one_rule("alert: A", "expr: x > 5")) == ["resolved A a"]


def test_a_renamed_group_with_a_query_offset_writes_on_at_once() -> None:
    """The series' end is marked at the time of its last sample, not at that of the evaluation."""
    rules = "groups:\n- {name: %s, query_offset: 4m, rules: [{record: r, expr: x}]}\n"
    world = World(rules % "g")
    world.pass_minute(6, a=9)
    world.reload(rules % "h")
    world.pass_minute(a=9)
    assert world.query("r offset 4m") == {'r{i="a"}': 9}


def test_new_texts_reach_receivers_while_the_alert_fires_on() -> None:
    rule = ["alert: A", "expr: x > 5", "keep_firing_for: 9m"]
    world = World(one_rule(*rule, "annotations: {text: 'old {{ $value }}'}"))
    assert world.pass_minute(a=7, b=7) == ["firing A a", "firing A b"]
    firing = {event.labels: event for event in world.events}
    world.reload(one_rule(*rule, "annotations: {text: 'new {{ $value }}', more: m}"))
    assert world.pass_minute(a=8, b=1, c=9) == ["firing A a", "firing A b", "firing A c"]
    for event in world.events[2:]:
        before = firing.get(event.labels, event)
        value = {"a": 8, "b": 7, "c": 9}[event.labels.get("i")]
        assert event.annotations == {"text": f"new {value}", "more": "m"} and event.value == value
        assert event.starts_at_ms == before.starts_at_ms and event.evaluated_at_ms == world.now
    assert len({event.id for event in world.events}) == 5
    assert world.pass_minute(a=8, b=1, c=9) == []
    assert sorted(world.pass_minute(10)) == ["resolved A a", "resolved A b", "resolved A c"]


@pytest.mark.parametrize("restart", [True, False])
def test_new_texts_are_told_after_a_restart_between(restart: bool, tmp_path: Path) -> None:
    rule = ["alert: A", "expr: x > 5"]
    world = World(one_rule(*rule, "annotations: {text: old}"))
    world.pass_minute(a=7)
    world.reload(one_rule(*rule, "annotations: {text: new}"))
    if restart:
        world.restart(tmp_path)
    assert world.pass_minute(a=7) == ["firing A a"]
    assert world.engine.firing() == world.events[-1:]
    assert world.engine.firing()[0].starts_at_ms == START + MINUTE


def reading(*windows: str) -> str:
    rules = "".join(f"{{record: 'r{w}', expr: 'sum_over_time(x[{w}])'}}," for w in windows)
    return f"groups:\n- {{name: g, rules: [{rules}]}}\n"


def shortly(world: World) -> dict[str, int]:
    """Of rules whose windows fill, the minutes until they are full."""
    return {short.rule: (short.until_ms - world.now) // MINUTE for short in world.engine.short()}


By = Callable[[World, str], object]


@pytest.fixture(params=["reload", "restart"])
def becomes(request: pytest.FixtureRequest, tmp_path: Path) -> By:
    if request.param == "reload":
        return lambda world, rules: world.reload(rules)
    return lambda world, rules: world.restart(tmp_path, rules)


def test_a_rule_that_reads_further_back_is_short_until_its_window_has_filled(becomes: By) -> None:
    world = World(reading("10m"))
    world.pass_minute(70, a=1)
    assert world.engine.short() == []
    becomes(world, reading("10m", "1h"))
    assert world.engine.short() == [Short("r.yml;g", "r1h", world.now + 50 * MINUTE)]
    for left in range(49, 0, -1):
        world.pass_minute(a=1)
        assert shortly(world) == {"r1h": left}
        assert left < 40 or world.query("r1h")['r1h{i="a"}'] < 60
    world.pass_minute(a=1)
    assert world.query("r1h") == {'r1h{i="a"}': 60} and world.engine.short() == []


def test_windows_that_grow_while_they_fill(becomes: By) -> None:
    world = World(reading("5m"))
    world.pass_minute(60, a=1)
    becomes(world, reading("5m", "20m"))
    world.pass_minute(5, a=1)
    assert shortly(world) == {"r20m": 10}
    becomes(world, reading("5m", "20m", "40m"))
    assert shortly(world) == {"r20m": 10, "r40m": 30}
    becomes(world, reading("5m", "40m"))
    world.pass_minute(30, a=1)
    assert world.engine.short() == [] and world.query("r40m") == {'r40m{i="a"}': 40}


def test_a_series_that_nobody_asked_for_has_nothing_but_its_newest_sample(becomes: By) -> None:
    world = World(one_rule("record: r", "expr: y"))
    world.pass_minute(10, a=1)
    becomes(world, one_rule("record: r", "expr: 'rate(x[10m] offset 5m)'", group="query_offset: 1m"))
    assert shortly(world) == {"r": 16}


def test_windows_that_are_never_short(becomes: By) -> None:
    """Those over series that are not here yet, those that are kept anyway, and the newest sample."""
    world = World(reading("30m"), retention_ms=int(Duration.parse("1h")))
    world.pass_minute(5, a=1)
    becomes(world, reading("30m", "1h"))
    assert world.engine.short() == []
    world = World(reading("30m"))
    world.pass_minute(5, a=1)
    more = "{record: s, expr: 'rate(none[1h])'}, {record: t, expr: x}, {record: u, expr: 'x @ 1'}"
    becomes(world, reading("30m", "20m").replace("]}", f"{more}]}}"))
    assert world.engine.short() == []


def test_before_the_first_evaluation_nothing_is_missed(becomes: By) -> None:
    world = World(reading("5m"))
    world.feed("x", {"a": 1})
    becomes(world, reading("5m", "20m"))
    assert world.engine.short() == []
