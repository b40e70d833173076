"""What goes wrong at an evaluation: a rule that fails has changed nothing and harms no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentinel.model import Labels
from tests.unit.rules.world import World, one_rule

DUPLICATES = "vector contains metrics with the same labelset after applying {} labels"
CLASH = 'label_replace(x > 5, "i", "same", "i", "a|b")'
"""Elements a and b can have the same labels, which is no mistake of the expression alone."""


def state_of(world: World) -> str:
    """All that a rule has and has written."""
    group = world.engine.snapshot()["groups"]["r.yml;g"]
    found = world.engine.store.index.live()
    written = [slot for slot in found if world.engine.store.labels(slot).name != "x"]
    _, times, values = world.engine.store.windows.export(np.array(written, np.int64))
    return repr((group["rules"], times.tolist(), values.view(np.uint64).tolist()))


RULES = {
    "alert": ["alert: A", f"expr: '{CLASH}'", "labels: {i: ''}"],
    "record": ["record: r", f"expr: '{CLASH}'", "labels: {i: ''}"],
    "detector": ["record: r", "expr: x > 5", "labels: {i: ''}", "detector: deviation"],
}


@pytest.mark.parametrize("kind", RULES)
def test_two_results_of_the_same_labels(kind: str) -> None:
    world = World(one_rule(*RULES[kind]))
    world.pass_minute(a=9)
    before = state_of(world)
    assert world.problems() == []
    world.pass_minute(a=9, b=9)
    (problem,) = world.problems()
    assert problem in (
        DUPLICATES.format("alert"),
        DUPLICATES.format("rule"),
        "vector cannot contain metrics with the same labelset",
    )
    assert state_of(world) == before
    assert world.engine.groups["r.yml;g"].evaluated_ms == {0: world.now}
    world.pass_minute(a=9)
    assert world.problems() == [] and state_of(world) != before


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (["alert: A", "expr: '\"text\"'"], "rule result is not a vector or scalar"),
        (["record: r", "expr: '\"text\"'"], "rule result is not a vector or scalar"),
        (["record: r", "expr: 'x[5m]'"], "rule result is not a vector or scalar"),
        (["record: r", "expr: 'x * on() x'"], "many-to-many matching not allowed"),
    ],
)
def test_expressions_that_give_no_vector(rule: list[str], problem: str) -> None:
    world = World(one_rule(*rule))
    assert world.pass_minute(a=1, b=1) == []
    assert [problem in said for said in world.problems()] == [True]


def test_a_bad_rule_harms_no_other() -> None:
    world = World(
        one_rule("record: bad", "expr: 'x * on() x'")
        + "    - {record: good, expr: sum(x)}\n    - {alert: A, expr: good > 1}\n"
    )
    assert world.pass_minute(a=1, b=1) == ["firing A"]
    assert list(world.engine.groups["r.yml;g"].health) == [0]
    assert world.query("good") == {"good": 2}


def test_a_template_that_fails_is_the_text() -> None:
    rule = ["alert: A", "expr: x", "labels: {bad: '{{ template \"none\" }}'}"]
    world = World(one_rule(*rule, "annotations: {text: '{{ query \"x *\" }}', ok: '{{ $value }}'}"))
    assert world.pass_minute(a=1) == ["firing A a"]
    event = world.events[0]
    assert event.labels.get("bad").startswith(
        "<error expanding template: error executing template __alert_A:"
    )
    assert event.annotations["text"].startswith("<error expanding template:")
    assert event.annotations["ok"] == "1" and world.problems() == []


def test_a_limit_of_alerts() -> None:
    """Over it the rule fails and drops all; what fired resolves; series stay until the rule goes well."""
    world = World(one_rule("alert: A", "expr: x > 5", group="limit: 2"))
    assert world.pass_minute(a=9, b=9) == ["firing A a", "firing A b"]
    assert world.pass_minute(a=9, b=9, c=9) == ["resolved A a", "resolved A b"]
    assert world.problems() == ["exceeded limit of 2 with 3 alerts"]
    assert world.states() == {} and len(world.query("ALERTS")) == 2
    assert world.pass_minute(a=9, c=9) == ["firing A a", "firing A c"]
    assert world.problems() == [] and len(world.query("ALERTS")) == 2


def test_after_a_limit_a_rule_comes_to_rest_and_wakes() -> None:
    world = World(one_rule("alert: A", "expr: x > 5", group="limit: 1"))
    assert world.pass_minute(a=9) == ["firing A a"]
    assert world.pass_minute(a=9, b=9) == ["resolved A a"]
    assert world.pass_minute(2, a=1) == [] and world.problems() == []
    assert world.query("ALERTS") == {}
    assert world.pass_minute(b=9) == ["firing A b"]


def test_a_limit_counts_what_is_active_after_the_evaluation() -> None:
    world = World(one_rule("alert: A", "expr: x > 5", "keep_firing_for: 5m", group="limit: 2"))
    world.pass_minute(a=9, b=9)
    assert world.pass_minute(a=9, b=1) == []
    assert world.pass_minute(a=9, b=1, c=9) == ["resolved A a", "resolved A b"]


def test_a_resolve_and_a_limit_in_one_evaluation() -> None:
    world = World(one_rule("alert: A", "expr: x > 5", group="limit: 1"))
    assert world.pass_minute(a=9) == ["firing A a"]
    assert world.pass_minute(a=1, b=9, c=9) == ["resolved A a"]


@pytest.mark.parametrize("detector", [[], ["detector: deviation"]])
def test_a_limit_of_series(detector: list[str]) -> None:
    world = World(one_rule("record: r", "expr: x", *detector, group="limit: 2"))
    world.pass_minute(a=9, b=9)
    before = state_of(world)
    world.pass_minute(a=9, b=9, c=9)
    assert world.problems() == ["exceeded limit of 2 with 3 series"]
    assert state_of(world) == before


@pytest.mark.parametrize("limit", [1, 2])
def test_a_restart_and_a_limit(limit: int, tmp_path: Path) -> None:
    world = World(one_rule("alert: A", "expr: x > 5", group="limit: 2"))
    world.pass_minute(a=9, b=9)
    world.restart(tmp_path, one_rule("alert: A", "expr: x > 5", group=f"limit: {limit}"))
    told = world.pass_minute(a=9, b=9)
    assert told == ([] if limit == 2 else ["resolved A a", "resolved A b"])


def test_labels_that_are_no_mistake() -> None:
    """A rule's label may take what tells elements apart, as long as no two are left the same."""
    world = World(one_rule("alert: A", "expr: x > 5", "labels: {i: all}"))
    assert world.pass_minute(a=9) == ["firing A all"]
    assert list(world.rule.active) == [Labels({"alertname": "A", "i": "all"})]


def test_what_was_wrong_is_known_until_the_next_evaluation(tmp_path: Path) -> None:
    rules = "groups: [{name: g, rules: [{record: bad, expr: x * on() x}, {record: good, expr: x}]}]"
    world = World(rules)
    group = world.engine.groups["r.yml;g"]
    assert group.health == {} and group.evaluated_ms == {}
    world.pass_minute(a=1, b=1)
    judged = (list(group.health), group.evaluated_ms)
    assert judged == ([0], {0: world.now, 1: world.now})
    world.restart(tmp_path)
    group = world.engine.groups["r.yml;g"]
    assert (list(group.health), group.evaluated_ms) == judged
    world.reload(rules.replace("record: good", "record: new"))
    group = world.engine.groups["r.yml;g"]
    assert (list(group.health), group.evaluated_ms) == ([0], {0: world.now})
