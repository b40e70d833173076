"""Random series by seed: counters, gauges, histograms, and what is awkward about each of them.

Metrics come in classes, because what may be asked of a metric without asking for rounding errors depends on
its values. All but `specials` and `extremes` hold whole numbers, which any order of summation adds up alike.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

SPAN_MS: Final = 40 * 60_000
JOBS: Final = ("api", "db", "Zürich-東京")
ZONES: Final = ("a", "b", 'c"\\d', "🦉")
PATHS: Final = ("/", "/login", "/a.b")
BOUNDS: Final = ("0.1", "0.5", "1", "2.5", "10", "+Inf")
SPECIALS: Final = (math.nan, math.inf, -math.inf, -0.0, 0.0, 1.0, -1.0, 2.5)
EXTREMES: Final = (1e300, -1e300, 1.7e308, 3e-308, -1e-300, 2.0**53 + 2, 1e-9, 3.0)

HIGH: Final = 10.0**12
FALL: Final = 5


@dataclass(frozen=True, slots=True)
class Series:
    """A series with its times in ms; the value None is a staleness marker."""

    labels: dict[str, str]
    times: tuple[int, ...]
    values: tuple[float | None, ...]

    @property
    def name(self) -> str:
        return self.labels["__name__"]


@dataclass(frozen=True, slots=True)
class Setting:
    """Data for a Prometheus 3 (`modern`), or such that what has changed since 2.42 does not matter.

    For 2.42 samples lie beside the whole seconds at which ranges begin and end, and counters are so high, and
    fall so deep, that no extrapolated one is cut off at zero.
    """

    end_ms: int
    modern: bool = True

    def times(self, chance: random.Random) -> list[int]:
        """The times of a series, without those in which it was away."""
        step_ms = chance.choice((10_000, 15_000, 15_000, 30_000))
        phase_ms = chance.randrange(0, step_ms, 1000)
        if not self.modern:
            phase_ms += chance.choice((7, 123, 388, 700, 999))
        times = list(range(self.end_ms - SPAN_MS + phase_ms, self.end_ms, step_ms))
        if chance.random() < 0.15:
            times = times[chance.randrange(len(times)) :]
        if chance.random() < 0.05:
            times = times[: chance.randrange(1, 4)]
        if chance.random() < 0.4:
            first = chance.randrange(len(times))
            del times[first : min(first + chance.choice((1, 3, 12, 30)), len(times) - 1)]
        return times


Shape = Callable[[random.Random, int, Setting], list[float]]


def counter(chance: random.Random, count: int, setting: Setting) -> list[float]:
    """Whole numbers that rise, stand still, and now and then start again."""
    value, found = float(chance.choice((0, 0, 3, 1000))) if setting.modern else HIGH, []
    for _ in range(count):
        value += chance.choice((0, 1, 2, 5, 40))
        if chance.random() < 0.02:
            value = float(chance.choice((0, 0, 2))) if setting.modern else value // FALL
        found.append(value)
    return found


def gauge(chance: random.Random, count: int, setting: Setting) -> list[float]:
    """A walk through large numbers below and above zero."""
    value, found = chance.randrange(-(10**6), 10**6), []
    for _ in range(count):
        value += chance.randrange(-(10**5), 10**5)
        found.append(float(value))
    return found


def level(chance: random.Random, count: int, setting: Setting) -> list[float]:
    """So few values that two series are often equal; none below zero, lest an average is a rounding error."""
    return [float(chance.choice((0, 0, 1, 2, 3))) for _ in range(count)]


def one(chance: random.Random, count: int, setting: Setting) -> list[float]:
    return [1.0] * count


def specials(chance: random.Random, count: int, setting: Setting) -> list[float]:
    return [chance.choice(SPECIALS) for _ in range(count)]


def extremes(chance: random.Random, count: int, setting: Setting) -> list[float]:
    return [chance.choice(EXTREMES) for _ in range(count)]


def bucket(chance: random.Random, count: int, setting: Setting) -> list[float]:
    """What falls into one bucket, cumulated over time."""
    value, found = 0.0 if setting.modern else HIGH / 1000, []
    for _ in range(count):
        value += chance.choice((0, 0, 1, 3, 9))
        found.append(value)
    return found


def make(seed: int, count: int, setting: Setting) -> list[Series]:
    """About `count` series. The same for the same arguments."""
    chance = random.Random(seed)
    found: dict[tuple[tuple[str, str], ...], Series] = {}
    for labels, shape in _described(chance, count):
        times = setting.times(chance)
        if shape is bucket:
            for each in _histogram(chance, labels, times, setting):
                found.setdefault(tuple(sorted(each.labels.items())), each)
        else:
            values = _interrupted(chance, shape(chance, len(times), setting))
            found.setdefault(tuple(sorted(labels.items())), Series(labels, tuple(times), values))
    return list(found.values())


def _described(chance: random.Random, count: int) -> list[tuple[dict[str, str], Shape]]:
    """Labels, of which some are missing, and the shape of the values."""
    kinds: tuple[tuple[str, Shape, tuple[str, ...]], ...] = (
        ("requests_total", counter, ("job", "instance", "path")),
        ("errors_total", counter, ("job", "instance", "path")),
        ("memory", gauge, ("job", "instance")),
        ("level", level, ("job", "zone", "instance")),
        ("limit", level, ("job", "zone")),
        ("target_info", one, ("job", "zone", "instance")),
        ("specials", specials, ("job", "zone")),
        ("extremes", extremes, ("job", "zone")),
        ("latency", bucket, ("job", "path")),
    )
    domains = {"job": JOBS, "zone": ZONES, "path": PATHS, "instance": ("h1", "h2", "h3", "h4")}
    described = []
    for row in range(count):
        name, shape, names = kinds[row % len(kinds)]
        present = [each for each in names if chance.random() > 0.12]
        labels = {"__name__": name} | {each: chance.choice(domains[each]) for each in present}
        described.append((labels, shape))
    return described


def _interrupted(chance: random.Random, values: list[float]) -> tuple[float | None, ...]:
    found: list[float | None] = list(values)
    while chance.random() < 0.3:
        found[chance.randrange(len(found))] = None
    return tuple(found)


def _histogram(
    chance: random.Random, labels: dict[str, str], times: list[int], setting: Setting
) -> Iterator[Series]:
    """A classic histogram with its sum and count; sometimes one that no client would write."""
    below, broken = [0.0] * len(times), chance.random() < 0.3
    for bound in [bound for bound in BOUNDS if chance.random() > 0.1]:
        below = [a + b for a, b in zip(below, bucket(chance, len(times), setting), strict=True)]
        yield _part(
            "bucket", labels | {"le": bound}, times, _broken(chance, below, setting) if broken else below
        )
    if chance.random() < 0.2:
        yield _part("bucket", labels | {"le": "much"}, times, below)
    yield _part("sum", labels, times, below)
    yield _part("count", labels, times, below)


def _part(suffix: str, labels: dict[str, str], times: list[int], values: list[float]) -> Series:
    return Series(labels | {"__name__": f"latency_{suffix}"}, tuple(times), tuple(values))


def _broken(chance: random.Random, values: list[float], setting: Setting) -> list[float]:
    """Less than what is in smaller buckets; for a Prometheus 3 only now and then, so that it falls."""
    if setting.modern:
        return [max(0.0, each - chance.choice((0, 0, 4))) for each in values]
    less = chance.choice((0, 0, HIGH // 600))
    return [max(HIGH / 1000, each - less) for each in values]
