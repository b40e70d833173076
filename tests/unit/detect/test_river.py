"""Any river model by name, on the common scale."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from sentinel.detect.quantile import TailQuantile
from sentinel.detect.river import River
from sentinel.errors import ConfigError, StateError
from sentinel.model import Floats

STEADY = ["GaussianScorer", "HalfSpaceTrees", "LODA", "StandardAbsoluteDeviation"]
"""OneClassSVM is not among them: its own scores drift, so no quantile of its past holds."""


def made(model: str, series: int = 1, **config: object) -> River:
    detector = River(River.Config(model=model, **config))  # type: ignore[arg-type]
    detector.resize(series)
    return detector


def scores(detector: River, values: Floats) -> Floats:
    row = np.zeros(1, np.int64)
    return np.array([detector.update(row, i, values[i : i + 1]).score[0] for i in range(len(values))])


def noise_with_spike(seed: int) -> Floats:
    values = 500 + 10 * np.random.default_rng(seed).standard_normal(1200)
    values[1100] = 700
    return values


@pytest.mark.parametrize("model", STEADY)
def test_scores_are_on_the_common_scale(model: str) -> None:
    """Nothing in the warm-up, then about a share `sensitivity` above 1."""
    found = scores(made(model, sensitivity=0.01), noise_with_spike(1)[:1100])
    assert np.isnan(found[:250]).all()
    assert (found[250:] >= 0).all()
    assert 0 <= (found[250:] > 1).mean() < 0.05


@pytest.mark.parametrize("model", ["GaussianScorer", "HalfSpaceTrees", "StandardAbsoluteDeviation"])
def test_a_spike_scores_above_one(model: str) -> None:
    found = scores(made(model, sensitivity=0.001), noise_with_spike(2))
    assert found[1100] > 1


class Seen:
    """A model that remembers what it was shown."""

    def __init__(self) -> None:
        self.features: list[dict[str, float]] = []

    def score_one(self, x: dict[str, float], y: float = 0.0) -> float:
        self.features.append(x)
        return abs(y)

    def learn_one(self, x: dict[str, float], y: float = 0.0) -> None:
        pass


def shown(detector: River, values: Floats) -> list[dict[str, float]]:
    """The features that the detector's model sees of the values after the first."""
    scores(detector, values[:1])
    series, model = detector._series[0], Seen()
    assert series is not None
    series.model = model
    scores(detector, values[1:])
    return model.features


def test_a_shingle_is_the_last_values_newest_first_between_0_and_1() -> None:
    features = shown(made("HalfSpaceTrees", shingle=3), np.array([0.0, 10.0, 0.0, 10.0, 100.0, -100.0, 5.0]))
    assert [sorted(one) for one in features] == [["value", "value_1", "value_2"]] * 5
    assert [(one["value"] > one["value_1"]) for one in features] == [False, True, True, False, True]
    assert all(0 <= x <= 1 for one in features for x in one.values())


def test_a_target_is_not_among_its_features() -> None:
    features = shown(made("GaussianScorer", shingle=3), np.arange(8.0))
    assert features[0] == {"value_1": 1.0, "value_2": 0.0}
    assert features[-1] == {"value_1": 6.0, "value_2": 5.0}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model": "Prophet"}, "known: GaussianScorer, HalfSpaceTrees"),
        ({"model": "QuantileFilter"}, "no model 'QuantileFilter'"),
        ({"model": "__doc__"}, "no model"),
        ({"model": "HalfSpaceTrees", "args": {"trees": 3}}, "known: height, limits, n_trees"),
        ({"model": "HalfSpaceTrees", "args": {"n_trees": "ten"}}, "does not take these args"),
        ({"model": "LODA", "sensitivity": 0.0}, "sensitivity"),
        ({"model": "LODA", "warmup": 1}, "warmup"),
        ({"model": "LODA", "shingle": 0}, "shingle"),
    ],
)
def test_wrong_configuration_says_what_is_known(config: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        River(River.Config(**config))  # type: ignore[arg-type]


def test_a_model_that_raises_costs_its_score_and_is_counted() -> None:
    detector = made("GaussianScorer", sensitivity=0.01)

    class Complex:
        def score_one(self, x: object, y: float) -> complex:
            if y == 3.0:
                raise TypeError("must be real number, not complex")
            return 1j if y == 4.0 else abs(y)

        def learn_one(self, x: object, y: float) -> None:
            pass

    scores(detector, np.zeros(1))
    series = detector._series[0]
    assert series is not None
    series.model = Complex()
    values = np.tile([1.0, 2.0, 3.0, 4.0], 100)
    found = scores(detector, values)
    assert np.isnan(found[2::4]).all()
    assert np.isnan(found[3::4]).all()
    assert not np.isnan(found[300::4]).any()
    assert detector.failures == 200


def test_an_unseeded_model_is_seeded() -> None:
    values = noise_with_spike(3)
    first, second = (scores(made("HalfSpaceTrees"), values) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = scores(made("HalfSpaceTrees", args={"seed": 7}), values)
    assert not np.array_equal(first, other, equal_nan=True)


@pytest.mark.parametrize("state", [b"", b"nonsense", pickle.dumps(3), pickle.dumps(("river/0", None, [], 0))])
def test_a_foreign_snapshot_is_refused(state: bytes) -> None:
    with pytest.raises(StateError):
        made("LODA").restore(state)


@pytest.mark.parametrize("share", [0.1, 0.01, 1e-3, 1e-4])
def test_tail_quantile_of_exponential_scores(share: float) -> None:
    rng, found = np.random.default_rng(4), []
    for _ in range(20):
        quantile = TailQuantile(share)
        for score in rng.exponential(2.0, 5000).tolist():
            quantile.add(score)
        found.append(quantile.quantile())
    assert np.median(found) == pytest.approx(-2 * math.log(share), rel=0.15)


def test_tail_quantile_forgets_and_stays_small() -> None:
    quantile = TailQuantile(0.01)
    for score in [100.0] * 3000 + [1.0, 2.0] * 60_000:
        quantile.add(score)
    assert quantile.quantile() == 2.0
    assert len(quantile.state()) <= 110


def test_tail_quantile_of_bounded_scores_stays_below_the_bound() -> None:
    quantile = TailQuantile(1e-6)
    for score in np.random.default_rng(5).uniform(0, 1, 500).tolist():
        quantile.add(score)
    assert max(quantile.state()[2:]) <= quantile.quantile() < 1
    assert quantile.ratio(1.0) > 1


def test_one_huge_score_does_not_stretch_the_scale() -> None:
    plain, struck = TailQuantile(1e-4), TailQuantile(1e-4)
    for score in np.random.default_rng(6).exponential(1.0, 1000).tolist():
        plain.add(score)
        struck.add(score)
    struck.add(1e6)
    assert struck.quantile() == pytest.approx(plain.quantile(), rel=0.2)
