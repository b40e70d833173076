"""What every detector must do, run over all that are installed."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from sentinel import plugins
from sentinel.detect.detector import Detector, Scores
from sentinel.model import Floats, Int64s

WITH: dict[str, dict[str, Any]] = {
    "river": {"model": "HalfSpaceTrees", "args": {"n_trees": 3}, "warmup": 40, "sensitivity": 0.01}
}
"""Arguments of detectors that need some; the others must do without."""
SERIES, STEPS = 6, 200

every_detector = pytest.mark.parametrize("name", plugins.names("detectors"))


def made(name: str, rows: int = SERIES) -> Detector:
    cls = plugins.load("detectors", name)
    detector: Detector = cls(msgspec.convert(WITH.get(name, {}), cls.Config))
    detector.resize(rows)
    return detector


def values(seed: int = 0, steps: int = STEPS) -> Floats:
    """Steps x series: noise, a few spikes, a hole, a constant."""
    rng = np.random.default_rng(seed)
    made = rng.normal(100, 5, (steps, SERIES))
    made[150, 1], made[160:170, 2] = 900, 300
    made[100:110, 3] = np.nan
    made[:, 4] = 42.0
    return made


def run(detector: Detector, data: Floats, rows: Int64s | None = None, start: int = 0) -> Floats:
    """4 x steps x rows: what the detector writes."""
    rows = np.arange(data.shape[1]) if rows is None else rows
    found = [detector.update(rows, 60_000 * (start + i), one) for i, one in enumerate(data)]
    return np.moveaxis(np.reshape(found, (len(data), 4, len(rows))), 1, 0)


@every_detector
def test_scores_are_well_formed(name: str) -> None:
    detector, data = made(name), values()
    before = data.copy()
    score, expected, lower, upper = run(detector, data)
    np.testing.assert_array_equal(data, before)
    assert isinstance(detector.update(np.arange(SERIES), 1, data[0]), Scores)
    assert np.isnan(score[0]).all()  # warming up
    assert np.isfinite(score[-1]).all()
    assert (score[np.isfinite(score)] >= 0).all()
    if detector.has_band:
        assert (lower[-1] <= expected[-1]).all()
        assert (expected[-1] <= upper[-1]).all()
    else:
        assert np.isnan([expected, lower, upper]).all()


@every_detector
def test_deterministic(name: str) -> None:
    np.testing.assert_array_equal(run(made(name), values()), run(made(name), values()))


@every_detector
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    order = np.random.default_rng(1).permutation(SERIES)
    plain = run(made(name), values())
    mixed = run(made(name), values()[:, order], order)
    np.testing.assert_array_equal(mixed, plain[:, :, order])


@every_detector
def test_series_do_not_touch_each_other(name: str) -> None:
    together = run(made(name), values())
    for series in range(SERIES):
        alone = run(made(name, 1), values()[:, series : series + 1])
        np.testing.assert_array_equal(alone[:, :, 0], together[:, :, series])


@every_detector
def test_scores_of_a_prefix_are_a_prefix_of_the_scores(name: str) -> None:
    whole = run(made(name), values())
    for cut in (30, 90, 155):
        np.testing.assert_array_equal(run(made(name), values()[:cut]), whole[:, :cut])


@every_detector
@pytest.mark.parametrize("cut", [0, 10, 70, 105, 165])
def test_restored_in_mid_stream_it_goes_on_to_the_bit(name: str, cut: int) -> None:
    first = made(name)
    whole = run(first, values())
    half, restored = made(name), made(name, 0)
    run(half, values()[:cut])
    state = half.snapshot()
    run(half, values(9))  # a snapshot is a copy
    restored.restore(state)
    np.testing.assert_array_equal(run(restored, values()[cut:], start=cut), whole[:, cut:])
    assert restored.snapshot() == first.snapshot()


@every_detector
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_changes_nothing(name: str, odd: float) -> None:
    data = np.insert(values(), [5, 80, 80, 120], odd, axis=0)
    at = [5, 81, 82, 123]
    found = run(made(name), data)
    assert np.isnan(found[:, at]).all()
    np.testing.assert_array_equal(np.delete(found, at, axis=1), run(made(name), values()))


@every_detector
def test_a_gap_keeps_the_state(name: str) -> None:
    """Rows left out for a while go on where they were."""
    whole, detector, data = run(made(name), values()), made(name), values()
    run(detector, data[:100])
    run(detector, data[100:], np.arange(SERIES))
    gapped = made(name)
    run(gapped, data[:100])
    run(gapped, values(3)[:50, :3], np.arange(3))
    late = run(gapped, data[100:, 3:], np.arange(3, SERIES), start=1_000_000)
    np.testing.assert_array_equal(late, whole[:, 100:, 3:])


@every_detector
@pytest.mark.parametrize("level", [0.0, 7.0, -1e12])
def test_a_constant_series_is_quiet(name: str, level: float) -> None:
    score = run(made(name, 1), np.full((STEPS, 1), level))[0]
    assert np.isfinite(score[-1]).all()
    assert not (score > 1).any()


@every_detector
def test_reset_and_new_rows_start_fresh(name: str) -> None:
    detector, data = made(name), values()
    run(detector, data)
    detector.resize(SERIES + 2)
    detector.reset(np.array([1, 4]))
    rows = np.array([1, 4, SERIES, SERIES + 1])
    new = values(5)[:, :4]
    np.testing.assert_array_equal(run(detector, new, rows), run(made(name), new, np.arange(4)))


@every_detector
def test_rows_cut_off_and_given_back_start_fresh(name: str) -> None:
    detector, data = made(name), values()
    run(detector, data)
    detector.resize(2)
    detector.resize(SERIES)
    again = run(detector, data[:, 2:], np.arange(2, SERIES))
    np.testing.assert_array_equal(again, run(made(name), data)[:, :, 2:])


@every_detector
def test_a_row_out_of_range_is_our_bug(name: str) -> None:
    for row in (-1, SERIES):
        with pytest.raises(AssertionError, match="out of range"):
            made(name).update(np.array([row]), 0, np.zeros(1))


@every_detector
def test_no_rows_no_scores(name: str) -> None:
    assert len(made(name, 0).update(np.zeros(0, np.int64), 0, np.zeros(0)).score) == 0


@every_detector
def test_memory_is_bounded(name: str) -> None:
    detector = made(name)
    run(detector, values())
    sizes = []
    tracemalloc.start()
    for seed in range(1, 5):
        run(detector, values(seed))
        sizes.append((len(detector.snapshot()), tracemalloc.get_traced_memory()[0]))
    tracemalloc.stop()
    assert sizes[-1][0] < 1.2 * sizes[0][0] + 1000
    assert sizes[-1][1] - sizes[0][1] < 100_000


@every_detector
def test_it_is_loaded_on_use_only(name: str) -> None:
    """A plug-in's module names no heavy library at its top."""
    module = plugins.load("detectors", name).__module__
    source = sys.modules[module].__file__
    assert source is not None
    heads = [line for line in Path(source).read_text().splitlines() if line.startswith(("import ", "from "))]
    assert not [line for line in heads if line.split()[1].split(".")[0] in ("numba", "river", "sklearn")]
