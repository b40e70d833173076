"""The kernel does what its plain-Python twin does, on anything."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.detect.deviation import Deviation

from .deviation_twin import Twin

CONFIGS = st.builds(
    Deviation.Config,
    sensitivity=st.sampled_from([1e-9, 1e-6, 1e-3, 0.1]),
    warmup=st.integers(10, 40),
    half_life=st.sampled_from([40, 100, 700]),
    adopt_after=st.sampled_from([40, 55, 80]),
    floor=st.sampled_from([0.0, 1e-4]),
)
SHAPES = ["normal", "t2", "rounded", "constant", "walk", "lognormal", "levels"]
ODD = [np.nan, np.inf, -np.inf, 1e200, 0.0, -1e9, 1e140]


def series(shape: str, seed: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal(size)
    made = {
        "normal": normal,
        "t2": rng.standard_t(2, size),
        "rounded": np.round(5 + normal / 3),
        "constant": np.full(size, 7.0),
        "walk": np.cumsum(normal),
        "lognormal": rng.lognormal(0, 1, size),
        "levels": normal + 20 * (np.arange(size) // 90 % 3),
    }
    return made[shape]


@settings(max_examples=60, deadline=None)
@given(
    config=CONFIGS,
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 2**32),
    odd=st.dictionaries(st.integers(0, 499), st.sampled_from(ODD), max_size=6),
)
def test_kernel_equals_twin(config: Deviation.Config, shape: str, seed: int, odd: dict[int, float]) -> None:
    values = series(shape, seed, 500)
    for at, value in odd.items():
        values[at] = value
    detector, twin, row = Deviation(config), Twin(config), np.zeros(1, np.int64)
    detector.resize(1)
    found = np.array([np.ravel(detector.update(row, i, values[i : i + 1])) for i in range(500)])
    wanted = np.array([twin.update(x) for x in values.tolist()])
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)
