"""What the engine says of an alert that fires while its value changes."""

from __future__ import annotations

import msgspec
import pytest

from sentinel.model import AlertEvent, Labels
from tests.unit.rules.world import World, one_rule

RULES = one_rule("alert: High", "expr: x > 10", "labels: {own: 'y'}", "annotations: {v: '{{ $value }}'}")


@pytest.mark.parametrize("external", [{}, {"region": "eu"}, {"own": "y"}, {"own": "z"}])
def test_value_and_annotations_are_those_of_now(external: dict[str, str]) -> None:
    """Whatever external labels lie under those of the alert."""
    world = World(RULES, external_labels=Labels(external))
    world.pass_minute(a=15.0)
    world.pass_minute(a=19.0)
    (told,) = world.events
    (now,) = world.engine.renewed([told])
    assert now is not None
    assert (told.annotations, told.value) == ({"v": "15"}, 15.0)
    assert (now.annotations, now.value) == ({"v": "19"}, 19.0)
    same = msgspec.structs.replace(now, annotations=told.annotations, value=told.value)
    assert same == told, "all else stays: the id, the labels, since when"


def test_what_is_not_known_stays_as_it_is() -> None:
    world = World(RULES)
    world.pass_minute(a=15.0)
    (told,) = world.events
    world.pass_minute(a=1.0)
    strange: AlertEvent = msgspec.structs.replace(told, rule="other;g;High")
    assert world.engine.renewed([told, strange]) == [told, strange]


def test_the_end_of_an_alert_that_is_pending_again_is_not_told_again() -> None:
    world = World(one_rule("alert: High", "expr: x > 10", "for: 2m"))
    world.pass_minute(3, a=15.0)
    world.pass_minute(a=1.0)
    ended = world.events[-1]
    assert ended.state == "resolved" and world.engine.renewed([ended]) == [ended]
    world.pass_minute(a=15.0)
    assert world.engine.renewed([ended]) == [None]
    world.pass_minute(2, a=15.0)
    assert world.engine.renewed([ended]) == [ended], "it fires: a newer event tells so"
