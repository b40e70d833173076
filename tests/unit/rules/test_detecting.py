"""Detector rules, held against a detector that is asked series by series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.detect.deviation import Deviation
from sentinel.model import Labels
from sentinel.promql import Evaluator
from sentinel.rules.detecting import DetectorRule
from sentinel.rules.rows import FORGET_MS
from sentinel.store.label_rows import LabelRows
from tests.unit.rules.world import MINUTE, World, one_rule

NAMES = {"score": "odd", "expected": "odd:expected", "lower": "odd:lower", "upper": "odd:upper"}
RULE = one_rule(
    "record: odd", "expr: x", "detector: deviation", "with: {warmup: 10}", "labels: {h: own, z: ''}"
)
OVERLAID = RULE + "    - {record: r, expr: x, labels: {j: own}}\n"
READ = OVERLAID + "    - {record: seen, expr: 'odd:upper'}\n"
EVERYTHING = '{__name__=~"odd.*|r"}'


class Plain:
    """The same detector, a row for each series by name; `given` is what it writes."""

    def __init__(self) -> None:
        self._detector = Deviation(Deviation.Config(warmup=10))
        self._detector.resize(6)
        self.given: dict[str, float] = {}

    def evaluate(self, values: dict[str, float]) -> None:
        self.given = {f'r{{i="{i}", j="own"}}': value for i, value in values.items()}
        for i, value in values.items():
            found = self._detector.update(np.array(["abcdef".index(i)]), 0, np.array([value]))
            for part, name in NAMES.items():
                (number,) = getattr(found, part)
                if not np.isnan(number):
                    self.given[f'{name}{{h="own", i="{i}"}}'] = number


def rule_of(world: World) -> DetectorRule:
    (group,) = world.engine.groups.values()
    rule = group.rules[0]
    assert isinstance(rule, DetectorRule)
    return rule


def of_the_release_before(state: dict[str, Any]) -> dict[str, Any]:
    """A snapshot with lists of label sets where arrays are now."""
    for group in state["groups"].values():
        for _, rule in group["rules"]:
            rule["series"] = series = LabelRows(**rule["series"]).sets()
            if "inputs" in rule:
                rule["inputs"] = LabelRows(**rule["inputs"]).sets()
                for name, count in rule["written"].items():
                    rule["written"][name], series = series[:count], series[count:]
    del state["target_series"]
    return state


PRESENT = st.lists(st.sets(st.sampled_from("abcdef")), min_size=1, max_size=12)
BREAKS = st.dictionaries(
    st.integers(10, 40), st.sampled_from(["reload", "read", "restart", "old", "anew"]), max_size=4
)
LOOKS = st.sets(st.integers(10, 39)).map(lambda minutes: minutes | {39})


@settings(max_examples=60, deadline=None)
@given(present=PRESENT, breaks=BREAKS, looks=LOOKS, seed=st.integers(0, 9))
def test_what_is_written_is_what_a_detector_says(
    present: list[set[str]],
    breaks: dict[int, str],
    looks: set[int],
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whoever comes and goes, whatever begins anew; what is no longer given ends at once.

    When somebody looks makes no difference, nor whether a rule reads the band.
    """
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("state")
    world, plain = World(OVERLAID), Plain()
    for minute in range(40):
        _interrupt(world, breaks.get(minute), folder)
        here = sorted(present[minute % len(present)]) if minute >= 20 else "abcdef"
        values = {i: float(rng.normal(100, 5)) for i in here}
        world.pass_minute(**values)
        plain.evaluate(values)
        if minute in looks:
            assert world.query(EVERYTHING) == plain.given
        assert world.problems() == []


def _interrupt(world: World, how: str | None, folder: Path) -> None:
    if how in ("reload", "read"):
        assert world.reload(READ if how == "read" else OVERLAID) == []
    elif how == "restart":
        assert world.restart(folder) == []
    elif how == "old":
        state = of_the_release_before(world.engine.snapshot())
        world.engine = type(world.engine)([g.spec for g in world.engine.groups.values()], world.settings)
        assert world.engine.restore(state) == []
    elif how == "anew":
        evaluator: Evaluator = world.engine._context.evaluator
        evaluator._begin()


def test_numbers_of_label_sets_may_change_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluator's, those of the store, and those of the rule itself."""
    for name in ("promql.sources._SPARE_IDS", "store.index._SPARE", "rules.rows._SPARE"):
        monkeypatch.setattr(f"sentinel.{name}", -(1 << 40))
    monkeypatch.setattr("sentinel.promql.evaluate._RUNS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr("sentinel.rules.rows.FORGET_MS", 15 * MINUTE)
    world, plain, rng = World(OVERLAID), Plain(), np.random.default_rng(3)
    pools = set()
    for minute in range(40):
        here = "cde" if minute == 0 else "af" if minute > 25 and minute % 2 else "abf"  # c, d, e: forgotten
        values = {i: float(rng.normal(100, 5)) for i in here}
        world.pass_minute(**values)
        plain.evaluate(values)
        assert world.query(EVERYTHING) == plain.given
        pools.add(id(world.engine.store.index.pool))
    assert len(pools) > 1 and world.engine._context.evaluator.generation > 20
    assert len(rule_of(world).snapshot()["rows"]) == 3


def test_a_series_that_was_away_for_a_day_starts_anew_and_its_row_is_free() -> None:
    world = World(RULE)
    for _ in range(12):
        world.pass_minute(a=100, b=100)
    assert len(world.query("odd")) == 2
    for _ in range(2):
        world.now += FORGET_MS // 2
        world.pass_minute(b=100)
    assert rule_of(world).snapshot()["rows"].tolist() in ([0], [1])
    world.pass_minute(a=100, b=100, c=100)
    assert len(world.query("odd")) == 1
    rows = rule_of(world).snapshot()
    assert sorted(rows["rows"]) == [0, 1, 2] and len(rows["inputs"]["ends"]) == 3
    world.pass_minute(10, a=100, b=100, c=100)
    assert len(world.query("odd")) == 3


def test_series_that_stay_away_within_a_day_go_on() -> None:
    world = World(RULE)
    world.pass_minute(12, a=100)
    world.now += FORGET_MS - MINUTE
    world.pass_minute(a=100)
    assert len(world.query("odd")) == 1
    world.now += FORGET_MS
    world.pass_minute(a=100)
    assert world.query("odd") == {}


def test_a_band_that_nobody_reads_is_written_when_somebody_looks() -> None:
    world = World(RULE)
    world.pass_minute(12, a=100, b=100)
    names = [world.engine.store.labels(slot).name for slot in world.engine.store.index.live().tolist()]
    assert sorted(names) == ["odd", "odd", "x", "x"]
    assert len(world.query("odd:upper")) == 2
    assert len(world.engine.store.live()) == 10


def test_two_rules_may_owe_bands_of_one_name() -> None:
    more = "    - {record: odd, expr: x, detector: deviation, with: {warmup: 10}, labels: {h: other}}\n"
    world = World(RULE + more)
    world.pass_minute(12, a=100)
    assert sorted(world.query("odd:upper")) == ['odd:upper{h="other", i="a"}', 'odd:upper{h="own", i="a"}']


def test_a_rule_that_goes_takes_all_its_series_with_it(tmp_path: Path) -> None:
    for how in ("reload", "restart"):
        world = World(OVERLAID)
        world.pass_minute(12, a=100, b=100)
        assert len(world.query(EVERYTHING)) == 10
        other = one_rule("record: r", "expr: x", "labels: {j: own}")
        told = world.reload(other) if how == "reload" else world.restart(tmp_path, other)
        world.now += 2
        assert told == [] and len(world.query(EVERYTHING)) == 2


def test_a_snapshot_is_plain_enough_to_be_stored() -> None:
    """Numbers, texts and arrays: no label set is an object of its own."""
    world = World(RULE)
    world.pass_minute(12, a=100)
    assert world.query(EVERYTHING)
    state = rule_of(world).snapshot()

    def plain(value: Any) -> Any:
        assert isinstance(value, np.ndarray) and not isinstance(value, Labels)
        return None

    assert msgspec.msgpack.encode(state, enc_hook=plain)
    assert state["written"] == dict.fromkeys(NAMES, 1)
