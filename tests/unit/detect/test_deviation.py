"""Quiet where nothing happens, loud where something does: tables in small form, seeded."""

from __future__ import annotations

import math
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from sentinel.detect.deviation import Deviation
from sentinel.errors import ConfigError, StateError
from sentinel.model import Floats

from .noise import HEAVY, QUIET, alarms


def made(series: int = 1, **config: object) -> Deviation:
    detector = Deviation(Deviation.Config(**config))  # type: ignore[arg-type]
    detector.resize(series)
    return detector


def scores(values: Floats | list[float], **config: object) -> Floats:
    """Scores of one series."""
    detector = made(**config)
    row = np.zeros(1, np.int64)
    return np.array([detector.update(row, i, np.array([float(x)])).score[0] for i, x in enumerate(values)])


@pytest.mark.parametrize("name", QUIET)
def test_quiet_on_undisturbed_series(name: str) -> None:
    """200 series x 2,000 evaluations at 1e-6: 0.4 alarms are due."""
    found = alarms(QUIET[name](np.random.default_rng(1), 2000, 200), sensitivity=1e-6)
    assert found.sum() <= 3


@pytest.mark.parametrize("name", HEAVY)
def test_heavy_tails_stay_near_the_sensitivity(name: str) -> None:
    found = alarms(HEAVY[name](np.random.default_rng(2), 2000, 300), sensitivity=1e-4)
    assert found.mean() < 1e-3


def test_a_heavy_tail_is_learned_within_an_hour_or_two() -> None:
    """The first hundreds of evaluations cannot tell a Student t from normal noise; later ones can."""
    found = alarms(HEAVY["Student t, 4 dof"](np.random.default_rng(3), 2000, 300), sensitivity=1e-6)
    assert found[500:].mean() < 5e-5


@pytest.mark.parametrize("sensitivity", [1e-2, 1e-3])
def test_the_share_of_alarms_is_the_sensitivity(sensitivity: float) -> None:
    found = alarms(QUIET["normal"](np.random.default_rng(4), 2000, 200), sensitivity=sensitivity)
    assert 0.5 * sensitivity < found[500:].mean() < 1.5 * sensitivity


@pytest.mark.parametrize("shift", [8.0, 10.0, -10.0, 100.0])
def test_a_level_change_fires_while_it_lasts_and_resolves(shift: float) -> None:
    rng = np.random.default_rng(5)
    values = 100 + rng.standard_normal((1200, 200))
    values[1000:1060] += shift
    values[1080:1082] += shift
    found = alarms(values, sensitivity=1e-6)
    assert (found[1000] | found[1001]).mean() > 0.98
    assert found[1001:1060].mean() > 0.97
    assert not found[1061:1080].any()
    assert (found[1080] | found[1081]).mean() > 0.97  # the first one did not calibrate the second one away


def test_a_spike_after_two_hours_of_history_fires_and_its_neighbours_do_not() -> None:
    values = 20 + np.random.default_rng(6).standard_normal((800, 200))
    values[120] += 20
    found = alarms(values, sensitivity=1e-6)
    assert found[120].mean() > 0.97
    found[120] = False
    assert found.sum() <= 1


def test_a_new_level_is_adopted_after_the_documented_time() -> None:
    values = 50 + np.random.default_rng(7).standard_normal(1000)
    values[400:] += 30
    found = scores(values, sensitivity=1e-6) > 1
    assert found[400:640].all()
    assert not found[640:].any()


@pytest.mark.parametrize("level", [100.0, 0.0, -3.5, 1e9])
def test_a_constant_series(level: float) -> None:
    step = 0.05 * abs(level) or 1.0
    found = scores([level] * 500 + [level + step] * 3 + [level] * 100, sensitivity=1e-6)
    assert np.isnan(found[:60]).all()
    assert (found[60:500] == 0).all()
    assert (found[500:503] > 1).all()
    assert (found[503:] <= 1).all()


def test_rounding_errors_of_a_constant_are_no_deviation() -> None:
    values = 0.1 * 3 * (1 + 1e-14 * np.random.default_rng(8).standard_normal(500))
    assert (scores(values, sensitivity=1e-6)[60:] < 1).all()


def test_odd_first_values_do_no_harm() -> None:
    values = 50 + np.random.default_rng(9).standard_normal(400)
    values[:2] = 0.0, 5.0
    values[200] = 65.0
    found = scores(values, sensitivity=1e-6) > 1
    assert found[200]
    assert found.sum() == 1


def test_direction_leaves_the_other_side_alone() -> None:
    values = 50 + np.random.default_rng(10).standard_normal(310)
    values[300], values[305] = 90.0, 10.0
    both, up, down = (scores(values, direction=side) for side in ("both", "up", "down"))
    assert (both[300] > 1, up[300] > 1, down[300]) == (True, True, 0.0)
    assert (both[305] > 1, up[305], down[305] > 1) == (True, 0.0, True)


def test_the_band_is_where_the_score_is_one() -> None:
    detector, rng = made(50), np.random.default_rng(11)
    rows = np.arange(50)
    for i in range(300):
        value = rng.standard_t(3, 50)
        score, expected, lower, upper = detector.update(rows, i, value)
        if i >= 60:
            assert (lower < expected).all()
            assert (expected < upper).all()
            assert ((score > 1) == ((value < lower) | (value > upper))).all()
            edge = np.where(value > expected, upper, lower)
            np.testing.assert_allclose(score, (value - expected) / (edge - expected), rtol=1e-9)


def test_one_sided_bands_have_one_edge() -> None:
    detector, row = made(direction="up"), np.zeros(1, np.int64)
    for i in range(100):
        found = detector.update(row, i, np.array([float(i % 7)]))
    assert math.isnan(found.lower[0])
    assert found.upper[0] > 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"sensitivity": 0.0},
        {"sensitivity": 0.9},
        {"sensitivity": math.nan},
        {"warmup": 2},
        {"half_life": 30},
        {"adopt_after": 59},
        {"floor": -1.0},
    ],
)
def test_a_configuration_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        made(**wrong)


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="sensitivty"):
        msgspec.convert({"sensitivty": 0.1}, Deviation.Config)


@pytest.mark.parametrize("warmup", [20, 60])
def test_a_foreign_snapshot_is_refused(warmup: int) -> None:
    busy = made(3, warmup=30)
    busy.update(np.arange(3), 0, np.ones(3))
    for state in (b"", b"nonsense", busy.snapshot()):
        with pytest.raises(StateError, match="not a snapshot"):
            made(3, warmup=warmup).restore(state)


def test_importing_the_module_does_not_import_numba() -> None:
    code = (
        "import sys, sentinel.detect.deviation, sentinel.detect.river;"
        "print('numba' in sys.modules, 'river' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
