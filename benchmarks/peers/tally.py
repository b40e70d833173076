"""What each peer does with a sample, and how it tells the benchmark.

A series' state is [samples seen, mean, variance], both exponentially weighted (after West): the mean starts
as the first value, the variance as 0. A value is an alert if it lies more than THRESHOLD standard deviations
off the mean, from the WARM_UP-th sample on; then it is learned. All in float64, in this order of operations.

After WARM_MESSAGES messages, and after the last, a peer says so on standard output and waits for a line, so
that its CPU time can be read in between. Only the standard library: it runs in each peer's environment.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

ALPHA = 0.1
THRESHOLD = 6.0
WARM_UP = 10
WARM_MESSAGES = 20_000

State = list[float]
SeriesKey = tuple[str, tuple[tuple[str, str], ...]]


def series_key(name: str, labels: Mapping[str, str]) -> SeriesKey:
    """Equal for equal series, in whatever order their labels come."""
    return name, tuple(sorted(labels.items()))


def judge(state: State, value: float) -> bool:
    """Whether the value is an alert; changes the state."""
    seen, mean, variance = state
    off = value - mean
    square = off * off
    state[0] = seen + 1
    state[1] = mean + ALPHA * off
    state[2] = (1 - ALPHA) * (variance + ALPHA * square)
    return seen >= WARM_UP and square > THRESHOLD * THRESHOLD * variance


class Tally:
    """Counts what was read. `add` after each sample."""

    def __init__(self, samples: int) -> None:
        self.left = samples
        self.samples = self.alerts = 0
        self.total = 0.0
        self._next = min(WARM_MESSAGES, samples)

    def add(self, value: float, alert: bool) -> None:
        self.samples += 1
        self.total += value
        self.alerts += alert
        if self.samples >= self._next:
            self._tell()

    def _tell(self) -> None:
        found = {"samples": self.samples, "sum": self.total, "alerts": self.alerts}
        print("bench:" + json.dumps(found), flush=True)
        sys.stdin.readline()
        self._next = self.left


def arguments() -> argparse.Namespace:
    """What the benchmark tells a peer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--folder", required=True, help="for state; empty, and removed afterwards")
    return parser.parse_args()
