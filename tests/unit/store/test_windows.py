"""The windows against a plain twin: lists of samples, and the rules said in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import STALE
from sentinel.store import _kernels as kernels
from sentinel.store import _segment_kernels as segments
from sentinel.store.index import UNASKED
from sentinel.store.windows import Windows

from .plain import PlainWindow

LONG_AGO = -(1 << 62)


appends = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 120), st.integers(0, 3), st.booleans()), max_size=120
)


@settings(max_examples=150, deadline=None)
@given(appends, st.lists(st.sampled_from([UNASKED, 0, 10, 50]), min_size=4, max_size=4), st.booleans())
def test_windows_show_what_the_plain_twin_shows(
    rows: list[tuple[int, int, int, bool]], keeps: list[int], in_place: bool
) -> None:
    windows, plain = Windows(in_place=in_place), [PlainWindow(keep) for keep in keeps]
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


@pytest.mark.parametrize("in_place", [True, False])
def test_growth_and_reuse_keep_every_sample(in_place: bool) -> None:
    windows = Windows(in_place=in_place)
    slots, count = np.arange(300), 150
    windows.open(slots, np.full(300, 1 << 40), slots + 1)
    for at in range(count):
        windows.append(slots, np.full(300, at), np.full(300, float(at)), 1)
    held = windows.dump(slots)
    assert held["count"].tolist() == [count] * 300 and not held["packed"].any()
    assert held["timestamp_ms"].reshape(300, count).tolist() == [list(range(count))] * 300
    assert (held["value"] == held["timestamp_ms"]).all()
    reserved = windows.nbytes
    windows.close(slots)
    windows.open(slots, np.full(300, 1 << 40), slots + 1000)
    for at in range(count):
        windows.append(slots, np.full(300, at), np.full(300, float(at)), 1)
    assert windows.nbytes < 1.2 * reserved, "freed segments are taken again"


@pytest.mark.timeout(60, method="thread")  # of blocks that overwrite each other a kernel finds no end
@pytest.mark.parametrize("in_place", [True, False])
def test_late_samples_find_room_among_packed_ones(in_place: bool) -> None:
    """Between any two samples comes another: nearly all go into blocks, which are split again and again."""
    windows, slots, ends = Windows(in_place=in_place), np.arange(300), 600
    windows.open(slots, np.full(300, 1 << 40), slots + 1)
    times = [*range(0, ends, 2), *range(1, ends, 2)]
    values = np.random.default_rng(7).random((ends, 300))  # no decimals: blocks are large
    for at in times:
        outcome = windows.append(slots, np.full(300, at), values[at], 1)
        assert outcome.tolist() == [kernels.STORED] * 300
    counts, found_ms, found = windows.export(slots)
    assert counts.tolist() == [ends] * 300
    assert found_ms.reshape(300, ends).tolist() == [list(range(ends))] * 300
    assert (found.reshape(300, ends) == values.T).all()


def test_a_short_window_takes_bounded_memory() -> None:
    windows = Windows()
    windows.open(np.array([0]), np.array([60_000]), np.array([1]))
    for at in range(0, 3_600_000, 1000):
        windows.horizon_ms = at - 1000
        windows.append(np.array([0]), np.array([at]), np.array([1.0]), 1)
    assert windows.capacity(np.array([0]))[0] <= 128


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
    seen = windows.survey(slots, after, 9)
    assert [seen.first.tolist(), seen.last.tolist()] == [
        each.tolist() for each in windows.spans(slots, after, 9)
    ]
    within = [[at for at in found if at > after] for found in times]
    assert (seen.total, seen.least) == (sum(map(len, within)), min(map(len, within)))
    assert seen.marked == any(7 in found for found in within)


def test_memory_is_flat_while_series_come_and_go() -> None:
    """A tenth of the series is replaced again and again, and windows of all ages lie side by side."""
    windows, slots = Windows(), np.arange(2000)
    windows.open(slots, np.full(2000, 1 << 40), slots + 1)
    chunks = []
    for at in range(300):
        gone = slots[at % 10 :: 10]
        windows.close(gone)
        windows.open(gone, np.full(len(gone), 1 << 40), gone + 1)
        windows.append(slots, np.full(2000, at), np.full(2000, float(at)), 1)
        chunks.append(int(windows._samples.heads[segments.END]))
    assert chunks[-1] == chunks[100]
    windows.close(slots)
    assert windows.nbytes == windows.meta.nbytes
    assert windows._samples.heads[segments.IDLE] <= 64
