"""The band of one series in plain Python, written from the description in `detect.deviation`: the oracle."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

from sentinel.detect.deviation import Deviation

NAN = (math.nan,) * 4


def clip(x: float, limit: float) -> float:
    return min(max(x, -limit), limit)


def mean(values: list[float]) -> float:
    total = 0.0
    for value in values:  # from left to right, as the kernel; `sum` compensates since Python 3.12
        total += value
    return total / len(values)


@dataclass
class Correlation:
    """How many neighbouring values are worth one independent value."""

    last: float = 0.0
    smooth: float = 0.0
    power: float = 0.0
    lagged: float = 0.0
    slow: float = 0.0

    def add(self, z: float, weight: float) -> None:
        self.power += weight * (z * z - self.power)
        self.lagged += weight * (z * self.last - self.lagged)
        self.smooth += (z - self.smooth) / 16
        self.slow += weight * (self.smooth * self.smooth - self.slow)
        self.last = z

    def time(self) -> float:
        if self.power <= 0:
            return 1.0
        lag = min(self.lagged / self.power, 0.97)
        return min(max((1 + lag) / (1 - lag), 31 * self.slow / self.power, 1.0), 40.0)


@dataclass
class Tail:
    """Mean log excess beyond 2.5 scales, and the farthest value, of both sides."""

    count: int = 0
    excess: list[float] = field(default_factory=lambda: [0.0, 0.0])
    farthest: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def add(self, z: float, weight: float) -> None:
        for side, away in enumerate((-z if z <= 0 else 0.0, max(z, 0.0))):
            self.excess[side] -= weight * self.excess[side]
            if away > 2.5:
                self.excess[side] += weight * math.log(away / 2.5)
            self.farthest[side] = max(self.farthest[side], away)

    def shape(self, side: int) -> float:
        """1/dof of a Student t with this tail; 0 while normal noise explains it."""
        count = min(self.count, 10_000)
        own, pooled = self.excess[side], mean(self.excess)
        error = 0.012 / math.sqrt(count)
        doubt = max((own - 0.000722) / error, (pooled - 0.000722) / error * math.sqrt(2))
        if doubt <= 3.2:
            return 0.0
        shrunk = (max(own, pooled) * count + 0.0722) / (count + 100)
        return 0.15 * (math.sqrt(shrunk / 0.000722) - 1) * min((doubt - 3.2) / 1.6, 1.0)


class Twin:
    def __init__(self, config: Deviation.Config) -> None:
        share = config.sensitivity / (2 if config.direction == "both" else 1)
        self.normal = -statistics.NormalDist().inv_cdf(share)
        self.rate = 1 - 2 ** (-1 / config.half_life)
        self.config = config
        self.buffer: list[float] = []
        self.count, self.run, self.location, self.scale = 0.0, 0, 0.0, 0.0
        self.correlation, self.tail, self.edge = Correlation(), Tail(), [0.0, 0.0]

    def update(self, x: float) -> tuple[float, float, float, float]:
        """Score, expected, lower, upper; the direction is not applied."""
        if not abs(x) < 1e150:
            return NAN
        if not self.count:
            self.buffer.append(x)
            if len(self.buffer) == self.config.warmup:
                self.start(fresh=True)
            return NAN
        every = 1 if self.count < 16 else 4 if self.count < 240 else 32
        if self.run == 0 and self.tail.count % every == 0:
            self.set_edges()
        below = self.edge[0] * (0.75 if self.run < 0 else 1.0)
        above = self.edge[1] * (0.75 if self.run > 0 else 1.0)
        z = (x - self.location) / self.scale
        score = abs(z) / (above if z > 0 else below)
        out = score, self.location, self.location - below * self.scale, self.location + above * self.scale
        if score <= 1:
            self.learn(z)
        else:
            self.escape(x)
        return out

    def start(self, *, fresh: bool) -> None:
        median = statistics.median(self.buffer)
        away = sorted(abs(x - median) for x in self.buffer)
        limit = 3 * 1.4826 * statistics.median(away) or away[-3]
        self.location = median + mean([clip(x - median, limit) for x in self.buffer])
        self.scale = math.sqrt(math.pi / 2) * mean([min(abs(x - self.location), limit) for x in self.buffer])
        self.raise_scale()
        self.run, self.count, self.correlation = 0, len(self.buffer), Correlation()
        for i, x in enumerate(self.buffer):
            z = (x - self.location) / self.scale
            self.correlation.add(clip(z, 3), 1 / (i + 1))
            if fresh and i >= 3:
                self.tail.count += 1
                self.tail.add(clip(z, 4 * self.normal), 1 / self.tail.count)
        self.set_edges()

    def set_edges(self) -> None:
        time = self.correlation.time()
        for side in (0, 1):
            shape = (time + 4) / self.count + self.tail.shape(side)
            spread = math.expm1(min(self.normal**2 * shape, 30)) / shape
            edge = math.sqrt(spread * (1 + time / self.count))
            if edge > 2 * self.normal:
                seen = min(self.tail.count, 10_000) * self.config.sensitivity
                reach = 1.25 * max(self.tail.farthest[side], 3) * seen**-0.2
                edge = min(edge, max(reach, 2 * self.normal), 12 * self.normal)
            self.edge[side] = edge

    def learn(self, z: float) -> None:
        scale = self.scale
        self.count = min(self.count + 1, 2 / self.rate)
        self.tail.count += 1
        weight, tail_weight = max(1 / self.count, self.rate), 1 / min(self.tail.count, 10_000)
        if abs(self.run) == 1:
            lone = self.edge[self.run > 0]
            self.tail.add(self.run * lone, tail_weight)
            self.scale += weight * (math.sqrt(math.pi / 2) * lone - 1) * scale
        self.run = 0
        self.correlation.add(clip(z, 3), weight)
        self.tail.add(z, tail_weight)
        self.location += weight * clip(z, 3) * scale
        self.scale += weight * (math.sqrt(math.pi / 2) * abs(z) - 1) * scale
        self.raise_scale()
        if abs(z) > 2.5:
            self.set_edges()

    def escape(self, x: float) -> None:
        step = 1 if x > self.location else -1
        if self.run * step <= 0:
            self.run = 0
        self.run += step
        self.buffer = [*self.buffer, x][-self.config.warmup :]
        if abs(self.run) >= self.config.adopt_after:
            self.start(fresh=False)

    def raise_scale(self) -> None:
        self.scale = max(self.scale, self.config.floor * abs(self.location), 1e-12)
