"""What an evaluation of a detector costs, per series: `python -m benchmarks.detect`.

Beside it, in the same run and turn by turn, what one writes with river: a dictionary of one model per series,
asked for a score and taught, in a loop. CPU time, medians, after the warm-up of everybody. Fails when the
ratio falls short of `--ratio`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from sentinel.app.warm import warm
from sentinel.detect.deviation import Deviation
from sentinel.model import Floats

Step = Callable[[Floats], object]


def deviation(series: int, order: np.random.Generator | None) -> Step:
    """All series in one call, in ascending order of rows or in a random one."""
    detector = Deviation(Deviation.Config())
    detector.resize(series)
    rows = np.arange(series) if order is None else order.permutation(series)
    return lambda values: detector.update(rows, 0, values)


def river(name: str, series: int) -> Step:
    from river import anomaly

    models = {key: getattr(anomaly, name)() for key in range(series)}

    def step(values: Floats) -> None:
        for key, value in enumerate(values.tolist()):
            model = models[key]
            model.score_one({}, value)
            model.learn_one({}, value)

    return step


def contestants(series: int, seed: int) -> dict[str, Step]:
    found = {
        "deviation": deviation(series, None),
        "deviation, random order": deviation(series, np.random.default_rng(seed)),
    }
    few = min(series, 1000)  # a dictionary does not get faster when it grows
    for name in ("GaussianScorer", "StandardAbsoluteDeviation"):
        found[f"river {name}, {few} series"] = river(name, few)
    return found


def measure(series: int, rounds: int, seed: int) -> dict[str, list[float]]:
    """Nanoseconds of CPU per series and evaluation, a figure per round; contestants take turns."""
    values = np.random.default_rng(seed).normal(100, 5, (64, series))
    steps, found = contestants(series, seed), dict[str, list[float]]()
    for name, step in steps.items():
        few = min(series, 1000) if name.startswith("river") else series
        for row in range(150 if few < series else 400):
            step(values[row % 64, :few])
        found[name] = []
    for _ in range(rounds):
        for name, step in steps.items():
            few = min(series, 1000) if name.startswith("river") else series
            times = max(1, (5000 if name.startswith("river") else 300_000) // few)
            before = time.process_time()
            for row in range(times):
                step(values[row % 64, :few])
            found[name].append((time.process_time() - before) / times / few * 1e9)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ratio", type=float, default=6.0, help="fail below this ratio to the nearest peer")
    given = parser.parse_args()
    warm()
    worst = float("inf")
    for series in given.series:
        found = measure(series, given.rounds, given.seed)
        ours = statistics.median(found["deviation"])
        print(f"{series} series: ns per series and evaluation")
        for name, times in found.items():
            middle = statistics.median(times)
            print(
                f"  {name:45s} min {min(times):8.1f}  median {middle:8.1f}  max {max(times):8.1f}"
                f"  ratio {middle / ours:6.1f}"
            )
            if name.startswith("river"):
                worst = min(worst, middle / ours)
    return int(worst < given.ratio)


if __name__ == "__main__":
    raise SystemExit(main())
