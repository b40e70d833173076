"""Undisturbed series by name: each function gives `steps` x `series` values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sentinel.detect.deviation import Deviation
from sentinel.model import Bools, Floats

Noise = Callable[[np.random.Generator, int, int], Floats]


def sine(period: int, noise: float) -> Noise:
    def make(rng: np.random.Generator, steps: int, series: int) -> Floats:
        phase = rng.uniform(0, 2 * np.pi, series)
        angle = 2 * np.pi * np.arange(steps)[:, None] / period
        return 10 + np.sin(angle + phase) + noise * rng.standard_normal((steps, series))

    return make


def autoregressive(rng: np.random.Generator, steps: int, series: int) -> Floats:
    shocks = rng.standard_normal((steps + 100, series))
    for i in range(1, len(shocks)):
        shocks[i] += 0.9 * shocks[i - 1]
    return shocks[100:]


def held(hold: int, parts: int) -> Noise:
    """A sum whose parts are read every `hold` evaluations, each at its own moment."""

    def make(rng: np.random.Generator, steps: int, series: int) -> Floats:
        total = np.zeros((steps, series))
        for _ in range(parts):
            read = rng.standard_normal((steps // hold + 2, series))
            moment = (np.arange(steps)[:, None] + rng.integers(0, hold, series)) // hold
            total += read[moment, np.arange(series)]
        return total

    return make


def trend(slope: float) -> Noise:
    return lambda rng, steps, series: rng.standard_normal((steps, series)) + slope * np.arange(steps)[:, None]


QUIET: dict[str, Noise] = {
    "normal": lambda rng, steps, series: 100 + rng.standard_normal((steps, series)),
    "uniform": lambda rng, steps, series: rng.uniform(0, 1, (steps, series)),
    "rounded": lambda rng, steps, series: np.round(50 + rng.standard_normal((steps, series))),
    "poisson 100": lambda rng, steps, series: rng.poisson(100, (steps, series)).astype(float),
    "sine 200": sine(200, 0.1),
    "sine 200, pure": sine(200, 0.0),
    "sine 200, noisy": sine(200, 1.0),
    "sine 500": sine(500, 0.1),
    "sine 1440": sine(1440, 0.1),
    "sine 5760": sine(5760, 0.1),
    "AR(1) 0.9": autoregressive,
    "10 parts held for 4": held(4, 10),
    "3 parts held for 12": held(12, 3),
    "trend 0.001": trend(0.001),
    "trend 0.01": trend(0.01),
}
HEAVY: dict[str, Noise] = {
    "Student t, 4 dof": lambda rng, steps, series: rng.standard_t(4, (steps, series)),
    "lognormal 1": lambda rng, steps, series: rng.lognormal(0, 1, (steps, series)),
    "lognormal 0.5": lambda rng, steps, series: rng.lognormal(0, 0.5, (steps, series)),
    "exponential": lambda rng, steps, series: rng.exponential(1, (steps, series)),
    "poisson 3": lambda rng, steps, series: rng.poisson(3, (steps, series)).astype(float),
}


def alarms(values: Floats, **config: object) -> Bools:
    """Where `deviation` scores above 1, for values of steps x series."""
    detector = Deviation(Deviation.Config(**config))  # type: ignore[arg-type]
    steps, series = values.shape
    detector.resize(series)
    rows = np.arange(series)
    return np.array([detector.update(rows, 15_000 * i, values[i]).score > 1 for i in range(steps)])
