"""The windows against a plain twin: lists of samples, and the rules said in words."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import STALE
from sentinel.store import _kernels as kernels
from sentinel.store.index import UNASKED
from sentinel.store.windows import Windows

LONG_AGO = -(1 << 62)


class PlainWindow:
    """What a window must show, written for reading."""

    def __init__(self, keep_ms: int) -> None:
        self.keep_ms = keep_ms
        self.samples: dict[int, float] = {}

    def append(self, at: int, value: float, horizon: int) -> int:
        if self.keep_ms == UNASKED and self.samples:
            newest = max(self.samples)
            if at > newest:
                self.samples = {at: value}
                return kernels.STORED
            return self._same_time(at, value) if at == newest else kernels.OUT_OF_ORDER
        if any(at < other <= horizon - self.keep_ms for other in self.samples):
            return kernels.TOO_LATE
        if at in self.samples:
            return self._same_time(at, value)
        self.samples[at] = value
        return kernels.STORED

    def _same_time(self, at: int, value: float) -> int:
        self.samples[at] = max(self.samples[at], value)
        return kernels.DUPLICATE

    def visible(self, horizon: int) -> list[tuple[int, float]]:
        """What an evaluation at the horizon or later can reach: newer than horizon - keep, and one before."""
        reach = horizon - max(self.keep_ms, 0)
        old = [at for at in self.samples if at <= reach]
        kept = [at for at in self.samples if at > reach] + ([max(old)] if old else [])
        return [(at, self.samples[at]) for at in sorted(kept)]


appends = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 120), st.integers(0, 3), st.booleans()), max_size=120
)


@settings(max_examples=150, deadline=None)
@given(appends, st.lists(st.sampled_from([UNASKED, 0, 10, 50]), min_size=4, max_size=4))
def test_windows_show_what_the_plain_twin_shows(
    rows: list[tuple[int, int, int, bool]], keeps: list[int]
) -> None:
    windows, plain = Windows(), [PlainWindow(keep) for keep in keeps]
    windows.open(np.arange(4), np.array(keeps), np.arange(1, 5))
    horizon = LONG_AGO
    for slot, at, value, moves in rows:
        outcome = windows.append(np.array([slot]), np.array([at]), np.array([float(value)]), 1)
        assert outcome[0] == plain[slot].append(at, float(value), horizon)
        if moves:
            horizon = max(horizon, at - 20)
            windows.horizon_ms = horizon
    slots = np.arange(4)
    first, last = windows.spans(slots, LONG_AGO, 1 << 62)
    for slot in range(4):
        span = slice(first[slot], last[slot])
        shown = list(zip(windows.timestamp_ms[span].tolist(), windows.value[span].tolist(), strict=True))
        expected = plain[slot].visible(horizon)
        assert shown[len(shown) - len(expected) :] == expected
        assert shown == sorted(shown)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30, unique_by=lambda row: row[0]),
    st.integers(0, 60),
    st.integers(1, 30),
)
def test_latest_is_the_newest_sample_in_a_left_open_lookback(
    samples: list[tuple[int, bool]], at: int, lookback: int
) -> None:
    windows = Windows()
    windows.open(np.array([0]), np.array([1000]), np.array([1]))
    for time, stale in samples:
        windows.append(np.array([0]), np.array([time]), np.array([STALE if stale else float(time)]), 0)
    present, value, when = windows.latest(np.array([0]), at, lookback)
    within = [row for row in sorted(samples) if at - lookback < row[0] <= at]
    expected = bool(within) and not within[-1][1]
    assert bool(present[0]) == expected
    if expected:
        assert value[0] == when[0] == within[-1][0]


def test_growth_and_reuse_keep_every_sample() -> None:
    windows = Windows()
    slots, count = np.arange(300), 200
    windows.open(slots, np.full(300, 1 << 40), slots + 1)
    for at in range(count):
        windows.append(slots, np.full(300, at), np.full(300, float(at)), 1)
    counts, times, values = windows.export(slots)
    assert counts.tolist() == [count] * 300
    assert times.reshape(300, count).tolist() == [list(range(count))] * 300
    assert (values == times).all()
    reserved = windows.nbytes
    windows.close(slots)
    windows.open(slots, np.full(300, 1 << 40), slots + 1000)
    for at in range(count):
        windows.append(slots, np.full(300, at), np.full(300, float(at)), 1)
    assert windows.nbytes < 1.2 * reserved, "freed segments are taken again"


def test_a_short_window_takes_bounded_memory() -> None:
    windows = Windows()
    windows.open(np.array([0]), np.array([60_000]), np.array([1]))
    for at in range(0, 3_600_000, 1000):
        windows.horizon_ms = at - 1000
        windows.append(np.array([0]), np.array([at]), np.array([1.0]), 1)
    assert windows.meta[0, kernels.CAPACITY] <= 128


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=6, unique=True), min_size=1, max_size=5), st.integers(0, 9)
)
def test_a_survey_is_the_spans_and_what_they_hold(times: list[list[int]], after: int) -> None:
    """A tenth of the samples, those at 7, are staleness markers."""
    windows, slots = Windows(), np.arange(len(times))
    windows.open(slots, np.full(len(times), 1 << 40), slots + 1)
    for slot, found in enumerate(times):
        values = np.array([STALE if at == 7 else float(at) for at in sorted(found)])
        windows.append(np.full(len(found), slot), np.array(sorted(found), np.int64), values, 1)
    first, last, total, least, marked = windows.survey(slots, after, 9)
    assert [first.tolist(), last.tolist()] == [each.tolist() for each in windows.spans(slots, after, 9)]
    within = [[at for at in found if at > after] for found in times]
    assert (total, least) == (sum(map(len, within)), min(map(len, within)))
    assert marked == any(7 in found for found in within)
