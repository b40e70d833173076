"""The kernels' work done the plain way, by definition rather than by the same loop: oracles for tests."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

Window = tuple[Sequence[int], Sequence[float]]
"""Times in ms and values of one series."""


def total(values: Sequence[float]) -> float:
    return math.fsum(values)


def average(values: Sequence[float]) -> float:
    return float(sum(map(Fraction, values)) / len(values))


def variance(values: Sequence[float]) -> float:
    return float(statistics.pvariance(list(map(Fraction, values))))


def lowest(values: Sequence[float]) -> int:
    numbers = [value for value in values if not math.isnan(value)]
    return list(values).index(min(numbers)) if numbers else len(values) - 1


def changes(values: Sequence[float]) -> float:
    pairs = pairwise(values)
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairs))


def resets(values: Sequence[float]) -> float:
    return float(sum(b < a for a, b in pairwise(values)))


def without_resets(values: Sequence[float]) -> list[float]:
    """The counter as it would stand had it never been reset."""
    out, lost = [values[0]], 0.0
    for before, now in pairwise(values):
        lost += before if now < before else 0.0
        out.append(now + lost)
    return out


def increase(window: Window, start: int, end: int, *, counter: bool) -> float:
    times, values = window
    growth = (without_resets(values)[-1] if counter else values[-1]) - values[0]
    covered, distance = times[-1] - times[0], (times[-1] - times[0]) / (len(times) - 1)
    lead = _extension(times[0] - start, distance)
    if counter and growth > 0 and values[0] >= 0:
        lead = min(lead, covered * values[0] / growth)
    return growth * (covered + lead + _extension(end - times[-1], distance)) / covered


def _extension(gap: float, distance: float) -> float:
    return distance / 2 if gap >= 1.1 * distance else gap


def regression(window: Window, origin: int) -> tuple[float, float]:
    x = [Fraction(time - origin, 1000) for time in window[0]]
    y = [Fraction(value) for value in window[1]]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((at - mean_x) ** 2 for at in x)
    slope = sum((at - mean_x) * (value - mean_y) for at, value in zip(x, y, strict=True)) / spread
    return float(slope), float(mean_y - slope * mean_x)


def holt(values: Sequence[float], level_weight: float, trend_weight: float) -> float:
    level, trend = [values[0]], values[1] - values[0]
    for value in values[1:]:
        if len(level) > 1:
            trend = trend_weight * (level[-1] - level[-2]) + (1 - trend_weight) * trend
        level.append(level_weight * value + (1 - level_weight) * (level[-1] + trend))
    return level[-1]


def quantile(q: float, values: Sequence[float]) -> float:
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    low, high = math.floor(rank), min(math.floor(rank) + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def bucket_quantile(q: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Of (bound, cumulative count) pairs with distinct bounds, rising counts and +Inf last."""
    bounds, counts = zip(*buckets, strict=True)
    if len(buckets) < 2 or counts[-1] == 0:
        return math.nan
    rank = q * counts[-1]
    at = next(row for row, count in enumerate(counts) if count >= rank)
    if at == len(buckets) - 1:
        return float(bounds[-2])
    if at == 0 and bounds[0] <= 0:
        return float(bounds[0])
    low, below = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    inside = counts[at] - below
    return float(low + (bounds[at] - low) * (rank - below) / inside) if inside else math.nan
