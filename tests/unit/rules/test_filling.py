"""What is missing of the past, of which source, and when a window counts as full that was filled again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentinel.model import Labels
from tests.unit.rules.world import MINUTE, World, groups_of

KAFKA, PUSHED, OTHER = 1, 2, 4
OLD = "groups:\n- {name: g, rules: [{record: r, expr: x}]}\n"


class Fed(World):
    """Series that sources feed: by metric name, the bits of those who do."""

    def __init__(self, **fed_by: int) -> None:
        super().__init__(OLD)
        self.fed_by = fed_by
        for _ in range(5):
            self.now += MINUTE
            self.fill_in(self.now)
            self.evaluate()

    def fill_in(self, at_ms: int) -> None:
        for name, mask in self.fed_by.items():
            for bit in (KAFKA, PUSHED, OTHER):
                if mask & bit or not mask:
                    slot = self.engine.store.slot(Labels({"__name__": name, "by": str(bit)}))
                    row = np.array([slot], np.int64)
                    self.engine.store.write(row, np.array([at_ms]), np.array([1.0]), mask & bit)

    def asks_for(self, *exprs: str) -> None:
        rules = ", ".join(f"{{record: 'r{n}', expr: '{expr}'}}" for n, expr in enumerate(exprs))
        self.reload(OLD.replace("]", f", {rules}]"))

    def missing(self) -> dict[int, int]:
        """By source, how many minutes back samples are wanted."""
        found = {bit: self.engine.past.missing_since_ms(bit) for bit in (KAFKA, PUSHED, OTHER)}
        return {bit: (self.now - since) // MINUTE for bit, since in found.items() if since}

    def short(self) -> list[str]:
        return [each.rule for each in self.engine.short()]


def test_only_sources_that_feed_a_selector_are_read_again() -> None:
    world = Fed(x=KAFKA, y=OTHER, z=KAFKA | PUSHED)
    assert world.missing() == {} and world.engine.past.changes == 0
    world.asks_for("rate(y[10m])")
    assert world.missing() == {OTHER: 10}
    world.asks_for("rate(y[10m])", "rate(z[20m] offset 5m)")
    assert world.missing() == {KAFKA: 25, PUSHED: 25, OTHER: 10}


def test_of_series_that_are_not_here_any_source_may_have_the_past() -> None:
    world = Fed(x=KAFKA)
    world.asks_for("rate(gone[10m])")
    assert world.missing() == dict.fromkeys((KAFKA, PUSHED, OTHER), 10) and world.short() == []
    world.engine.past.filled(KAFKA, world.now - 10 * MINUTE)
    world.asks_for("rate(gone[10m])", "y")
    assert world.missing() == {}, "it was read once"
    world.asks_for("rate(gone[10m])", "y", "rate(r1[1h])")
    assert world.missing() == {}, "and what rules make is in no source"
    world.asks_for("rate(gone[15m])", "y")
    assert world.missing() == dict.fromkeys((KAFKA, PUSHED, OTHER), 15)


@pytest.mark.parametrize(
    ("expr", "missing"), [("x", {}), ("x @ 1", {}), ("rate(x[7m])", {KAFKA: 7}), ("up", {})]
)
def test_what_reads_the_newest_sample_or_has_no_bound_is_not_filled(
    expr: str, missing: dict[int, int]
) -> None:
    world = Fed(x=KAFKA)
    world.asks_for(expr)
    assert world.missing() == missing


def test_a_window_is_full_when_all_who_feed_it_were_read() -> None:
    world = Fed(x=KAFKA, both=KAFKA | OTHER, mixed=KAFKA | PUSHED, made=0)
    world.asks_for(*(f"rate({name}[10m])" for name in world.fed_by))
    assert world.short() == ["r0", "r1", "r2", "r3"]
    past, since_ms = world.engine.past, world.now - 10 * MINUTE
    past.filled(KAFKA, since_ms)
    assert world.short() == ["r1", "r2", "r3"]
    past.filled(OTHER, since_ms + MINUTE)
    first = world.engine.short()[0]
    assert (first.rule, first.until_ms - world.now) == ("r1", MINUTE)
    assert world.short() == ["r1", "r2", "r3"], "pushes and what rules make have no past"


def test_a_restart_with_other_rules_asks_for_what_is_missing(tmp_path: Path) -> None:
    world = Fed(x=KAFKA)
    world.restart(tmp_path, OLD.replace("expr: x", "expr: 'rate(x[10m])'"))
    assert world.missing() == {KAFKA: 10} and world.engine.past.changes == 1
    world.restart(tmp_path)
    assert world.missing() == {KAFKA: 10} and world.engine.past.changes == 1
    world.engine.past.filled(KAFKA, world.now - 10 * MINUTE)
    world.restart(tmp_path)
    assert world.short() == []


def test_a_reload_that_asks_for_no_more_changes_nothing() -> None:
    world = Fed(x=KAFKA)
    world.asks_for("rate(x[10m])")
    changes = world.engine.past.changes
    world.engine.reload(groups_of(OLD.replace("]", ", {record: 'r9', expr: 'rate(x[10m]) * 2'}]")))
    assert world.engine.past.changes == changes and world.missing() == {KAFKA: 10}
