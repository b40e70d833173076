"""A running high quantile of a stream of scores, extrapolated beyond what has been seen."""

from __future__ import annotations

import math
from bisect import insort
from typing import Final

_WINDOW: Final = 10_000  # at this count, half the evidence is let go
_LEAST, _MOST = 10, 50  # exceedances that the tail is read from
_CEILING: Final = 1.0  # scores that never exceeded it are taken to be bounded by it


class TailQuantile:
    """The (1 - share) quantile: by rank while enough has been seen, else by peaks over threshold.

    Peaks over threshold with an exponential tail: what exceeds the k-th largest score decays by e over a
    length read from the median excess, which no single huge score can stretch.
    """

    __slots__ = ("_count", "_keep", "_mean", "_share", "_top")

    def __init__(self, share: float) -> None:
        self._share = share
        self._keep = max(_MOST, math.ceil(share * _WINDOW))
        self._count = 0
        self._mean = 0.0
        self._top: list[float] = []
        """The largest scores, ascending."""

    def add(self, score: float) -> None:
        self._count += 1
        self._mean += (score - self._mean) / self._count
        if len(self._top) < self._keep or score > self._top[0]:
            insort(self._top, score)
            del self._top[: -self._keep]
        if self._count == _WINDOW:
            self._count //= 2
            self._top = self._top[1::2]

    def quantile(self) -> float:
        """NaN before anything was added."""
        if not self._top:
            return math.nan
        expected = self._count * self._share  # scores above the quantile
        if expected >= _LEAST:
            return self._top[-min(int(expected), len(self._top))]
        k = min(len(self._top), max(_LEAST, min(self._count // 20, _MOST)))
        threshold, median, largest = self._top[-k], self._top[-((k + 1) // 2)], self._top[-1]
        quantile = threshold + (median - threshold) / math.log(2) * max(math.log(k / expected), 0.0)
        return min(quantile, (largest + _CEILING) / 2) if largest <= _CEILING else quantile

    def ratio(self, score: float) -> float:
        """`score` above the mean, as a share of the quantile above the mean: 0 or more, 1 at the quantile."""
        quantile = self.quantile()
        span = max(quantile - self._mean, 1e-9 + 1e-6 * abs(self._mean))
        return max(score - self._mean, 0.0) / span

    def state(self) -> list[float]:
        return [self._count, self._mean, *self._top]

    def load(self, state: list[float]) -> None:
        self._count, self._mean, self._top = int(state[0]), state[1], state[2:]
