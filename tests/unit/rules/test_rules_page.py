"""The page about rules: its examples load, and do what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from sentinel.model import Labels
from sentinel.rules.schema import Rule
from tests.unit.rules.world import MINUTE, World, groups_of

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def file_of(example: str) -> str:
    return "groups:\n- name: g\n  rules:\n" + "".join(f"  {line}\n" for line in example.splitlines())


RULES: dict[str, Rule] = {
    rule.name: rule for text in EXAMPLES for group in groups_of(file_of(text)) for rule in group.rules
}


def test_every_key_of_our_own_has_an_example() -> None:
    assert [bool(rule.resolve_expr) for rule in RULES.values()] == [True, False, False]
    assert [rule.no_data for rule in RULES.values()] == ["ok", "alert", "ok"]
    assert [rule.flap is not None for rule in RULES.values()] == [False, False, True]


COURSES: dict[str, tuple[str, Sequence[float | None], str]] = {
    "DiskFillsUp": ("disk_used_ratio", [0.95] * 6 + [0.85] * 3 + [0.79, 0.85], "-----F---R-"),
    "ConsumerLagsBehind": ("kafka_consumergroup_lag", [None] * 11 + [1], "----------FR"),
    "LinkDown": ("link_up", [0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1], "FRFRF-----R"),
}


@pytest.mark.parametrize("name", COURSES)
def test_the_examples_do_what_they_are_for(name: str) -> None:
    metric, values, told = COURSES[name]
    world = World(file_of(next(text for text in EXAMPLES if name in text)))
    found = []
    for value in values:
        world.now += MINUTE
        if value is not None:
            world.engine.store.add(Labels({"__name__": metric}), [world.now], [value])
        found.append("".join(said[0].upper() for said in world.evaluate()) or "-")
    assert "".join(found) == told
