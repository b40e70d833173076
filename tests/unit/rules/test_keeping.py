"""What Prometheus does not have: `resolve_expr`, `no_data` and `flap`."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.promql import parse, to_text
from sentinel.rules.group import guarded_name
from sentinel.rules.no_data import unfiltered
from tests.unit.rules.world import World, groups_of, one_rule

NOTHING = None
"""A minute without the series."""


def course(world: World, *values: float | None) -> str:
    """A letter for each minute that `x{i="a"}` has these values: what is told then, or -."""
    letters = []
    for value in values:
        told = world.pass_minute(b=0) if value is None else world.pass_minute(a=value, b=0)
        letters.append("".join("F" if each.startswith("f") else "R" for each in told) or "-")
    return "".join(letters)


HYSTERESIS = ["alert: A", "expr: x > 80", "resolve_expr: x < 60"]


@pytest.mark.parametrize(
    ("rule", "values", "told"),
    [
        ([], [50, 70, 81, 70, 61, 70, 59, 70], "--F---R-"),
        (["for: 2m"], [81, 70, 81, 81, 81, 70, 59], "----F-R"),
        (["keep_firing_for: 2m"], [81, 70, 70, 59, 70, 59, 59, 59], "F------R"),
        ([], [81, NOTHING, 70], "FR-"),
        (["no_data: keep_last"], [81, NOTHING, 70, 59], "F--R"),
        (["no_data: keep_last"], [70, NOTHING, 70, 59], "----"),
        (["keep_firing_for: 2m"], [81, NOTHING, 70, 70, NOTHING, NOTHING, NOTHING], "F-----R"),
        (["for: 2m", "no_data: keep_last"], [81, NOTHING, NOTHING, NOTHING, 81, 59], "----FR"),
    ],
)
def test_a_firing_alert_ends_by_an_expression_of_its_own(
    rule: list[str], values: list[float | None], told: str
) -> None:
    world = World(one_rule(*HYSTERESIS, *rule))
    assert course(world, *values) == told
    assert world.problems() == []


def test_each_alert_ends_by_its_own_labels() -> None:
    world = World(one_rule("alert: A", "expr: rate(x[2m]) > 0", "resolve_expr: x < 60"))
    world.pass_minute(a=70, b=70)
    assert world.pass_minute(a=80, b=80) == ["firing A a", "firing A b"]
    assert world.pass_minute(2, a=80, b=80) == []
    assert world.pass_minute(a=80, b=50) == []  # a counter's reset: it still grows
    assert world.pass_minute(2, a=80, b=50) == ["resolved A b"]


@pytest.mark.parametrize(
    ("policy", "values", "told"),
    [
        ("ok", [9, NOTHING, 9, 1], "FRFR"),
        ("alert", [9, NOTHING, 9, 1], "FRFR"),
        ("keep_last", [9, NOTHING, 9, 1], "F--R"),
        ("keep_last", [9, NOTHING, NOTHING, 1, NOTHING, 9, 9], "F--R-F-"),
    ],
)
def test_an_alert_whose_series_is_gone(policy: str, values: list[float | None], told: str) -> None:
    assert course(World(one_rule("alert: A", "expr: x > 5", f"no_data: {policy}")), *values) == told


def test_an_alert_says_that_there_is_no_data_at_all() -> None:
    text = "annotations: {text: '{{ $value }} of {{ $labels.i }}{{ $labels.no_data }}'}"
    rule = ["alert: A", "expr: x > 5", "for: 1m", "no_data: alert", "labels: {severity: page}", text]
    world = World(one_rule(*rule))
    assert world.pass_minute() == world.pass_minute(a=1) == world.pass_minute() == []
    assert world.pass_minute() == ["firing A true"]
    (event,) = world.events
    assert dict(event.labels) == {"alertname": "A", "no_data": "true", "severity": "page"}
    assert event.annotations == {"text": "NaN of true"} and math.isnan(event.value)
    assert world.pass_minute(3) == []
    assert world.pass_minute(a=1) == ["resolved A true"]
    assert world.states() == {} and world.problems() == []


def test_a_frozen_alert_waits_for_data_to_become_due() -> None:
    world = World(one_rule("alert: A", "expr: x > 5", "for: 3m", "no_data: keep_last"))
    assert course(world, 9, NOTHING, NOTHING, NOTHING, NOTHING) == "-----"
    assert world.states() == {"a": "pending"}
    assert course(world, 9, 1) == "FR"


FLAP = ["alert: A", "expr: x > 5", "flap: {changes: 3, within: 10m, hold: 3m}"]


@pytest.mark.parametrize(
    ("rule", "values", "told"),
    [
        ([], [9, 1, 9, 1, 9, 1, 1, 1, 1, 1], "FRF-----R-"),
        ([], [9, 1, 9, 1, 1, 1, 1], "FRF---R"),
        ([], [9, 1, 9, 1, 1, 1, 1, 9, 1, 1], "FRF---RF--"),
        ([], [9, *[1] * 9, 9, 1, 9], "FR--------FRF"),
        ([], [9, 1, *[9] * 8, 1, 1], "FRF-------R-"),
        ([], [9, 1, *[9] * 7, *[1] * 5], "FRF---------R-"),
        (["keep_firing_for: 5m"], [9, 1, 9, *[1] * 6], "F-------R"),
        (["keep_firing_for: 1m"], [9, 1, 9, 1, 1, 1], "F---R-"),
        (["for: 1m"], [9, 9, 1, 9, 9, 1, 1, 1, 1], "-FR-F---R"),
        (["resolve_expr: x < 3"], [9, 1, 9, 4, 1, 1, 4, 1, 1, 1, 1], "FRF-------R"),
    ],
)
def test_what_flaps_fires_on_until_it_has_been_quiet(rule: list[str], values: list[float], told: str) -> None:
    assert course(World(one_rule(*FLAP, *rule)), *values) == told


def test_flapping_is_forgotten() -> None:
    world = World(one_rule(*FLAP))
    course(world, 9, 1, 9, *[1] * 18)
    assert world.rule.snapshot()["changed_ms"] == []


@pytest.mark.parametrize(
    ("expr", "with_data"),
    [
        ("x > 5", "x"),
        ("5 < bool x", "x"),
        ("(x > y) > 2", "(x > bool y)"),
        ("x > bool on (i) group_left () y", "x > bool on (i) group_left () y"),
        ("a / b > 0.5 and on (i) c == 1", "a / b and on (i) c"),
        ("x > 5 or y < 3", "x or y"),
        ("x > 5 unless on (i) y == 1", "x"),
        ("sum by (i) (x > 5) > 3", "sum by (i) (x)"),
        ("-(rate(x[5m]) > 0)", "-(rate(x[5m]))"),
        ("max_over_time((x > 5)[10m:1m]) == 1", "max_over_time((x)[10m:1m])"),
        ("scalar(x) > bool 5", "scalar(x) > bool 5"),
        ("topk(3, x > 5)", "topk(3, x)"),
    ],
)
def test_the_expression_that_tells_what_has_data(expr: str, with_data: str) -> None:
    assert to_text(unfiltered(parse(expr))) == to_text(parse(with_data))


def test_a_rule_whose_data_cannot_be_told_goes_on() -> None:
    """Without its comparison, the right side does not match one to one."""
    expr = "x / on() group_left () (x > 5)"
    world = World(one_rule("alert: A", f"expr: {expr} > 0", "no_data: keep_last"))
    assert world.pass_minute(a=9, b=1) == ["firing A a", "firing A b"]
    assert world.pass_minute(a=1, b=1) == ["resolved A a", "resolved A b"]
    (problem,) = world.problems()
    assert problem.startswith("cannot tell what has no data: ") and "many-to-many" in problem


ALL = {
    "hysteresis": ["resolve_expr: x < 3"],
    "keep_last": ["resolve_expr: x < 3", "no_data: keep_last", "for: 1m"],
    "no data": ["no_data: alert", "keep_firing_for: 2m"],
    "flap": ["flap: {changes: 2, within: 6m, hold: 2m}", "for: 1m"],
    "everything": [
        "resolve_expr: x < 3",
        "no_data: alert",
        "flap: {changes: 3, within: 9m, hold: 3m}",
        "keep_firing_for: 1m",
    ],
}
MINUTES = st.lists(
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 4, 9]), max_size=2), max_size=20
)


@pytest.mark.parametrize("rule", ALL)
@settings(max_examples=25, deadline=None)
@given(minutes=MINUTES, cuts=st.sets(st.integers(0, 19), max_size=4))
def test_restarts_and_reloads_change_nothing(
    rule: str, minutes: list[dict[str, float]], cuts: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An engine that goes on from snapshots tells what one without a break tells, and ends in its state."""
    folder: Path = tmp_path_factory.mktemp("state")
    text = one_rule("alert: A", "expr: x > 5", *ALL[rule], "annotations: {text: '{{ $value }}'}")
    whole, cut = World(text), World(text)
    for number, values in enumerate(minutes):
        if number in cuts:
            assert (cut.restart(folder) if number % 2 else cut.reload(text)) == []
        whole.pass_minute(**values)
        cut.pass_minute(**values)
    assert [(e.id, e.labels, e.annotations, e.starts_at_ms, e.ends_at_ms) for e in cut.events] == [
        (e.id, e.labels, e.annotations, e.starts_at_ms, e.ends_at_ms) for e in whole.events
    ]
    assert repr(cut.engine.snapshot()["groups"]) == repr(whole.engine.snapshot()["groups"])


def test_keys_of_our_own_make_another_rule_of_what_crashed() -> None:
    texts = ["", "resolve_expr: x < 1", "no_data: alert", "flap: {changes: 3, within: 10m, hold: 3m}"]
    rules = [groups_of(one_rule("alert: A", "expr: x > 5", text))[0].rules[0] for text in texts]
    assert len({guarded_name(rule) for rule in rules}) == 4
