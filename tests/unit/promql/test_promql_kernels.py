"""Kernels against their plain twins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import STALE, STALE_BITS
from sentinel.promql import _kernels as folds
from sentinel.promql.functions import _histogram_kernels as histograms
from sentinel.promql.functions import _kernels as kernels

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
ODD = NUMBERS | st.just(math.nan)


def windows(value: st.SearchStrategy[float], least: int = 1) -> st.SearchStrategy[list[twins.Window]]:
    """A few series, times rising."""
    sample = st.tuples(st.integers(1, 60_000), value)

    def window(samples: Sequence[tuple[int, float]]) -> twins.Window:
        return np.cumsum([gap for gap, _ in samples]).tolist(), [x for _, x in samples]

    return st.lists(st.lists(sample, min_size=least, max_size=12).map(window), min_size=1, max_size=5)


def slabs(found: list[twins.Window]) -> tuple[Any, Any, Any, Any]:
    """first, last, time, value, with a sample between rows that belongs to nobody."""
    first, last, times, values = [], [], [0], [1e300]
    for time, value in found:
        first.append(len(times))
        times += [*time, 0]
        values += [*value, 1e300]
        last.append(len(times) - 1)
    return np.array(first), np.array(last), np.array(times), np.array(values, np.float64)


def close(got: Any, wanted: Sequence[float], scale: float = 1.0) -> None:
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize(
    ("kernel", "twin"),
    [(kernels.sums, twins.total), (kernels.averages, twins.average), (kernels.variances, twins.variance)],
)
@given(found=windows(NUMBERS))
@settings(max_examples=40, deadline=None)
def test_folds(kernel: Callable[..., Any], twin: Callable[..., float], found: list[twins.Window]) -> None:
    first, last, _, value = slabs(found)
    close(kernel(first, last, value), [twin(values) for _, values in found], 1e3)


@given(found=windows(ODD))
@settings(max_examples=40, deadline=None)
def test_extremes_and_changes(found: list[twins.Window]) -> None:
    first, last, _, value = slabs(found)
    low = kernels.extremes(first, last, value, False, False)
    high = kernels.extremes(first, last, value, True, False)
    assert (low - first).tolist() == [twins.lowest(values) for _, values in found]
    assert (high - first).tolist() == [twins.lowest([-x for x in values]) for _, values in found]
    assert kernels.changes(first, last, value, False).tolist() == [
        twins.changes(values) for _, values in found
    ]
    assert kernels.changes(first, last, value, True).tolist() == [twins.resets(values) for _, values in found]


@given(
    found=windows(st.integers(0, 1000).map(float), least=2),
    early=st.integers(0, 90_000),
    late=st.integers(0, 90_000),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("counter", [True, False])
def test_increases(counter: bool, found: list[twins.Window], early: int, late: int) -> None:
    first, last, time, value = slabs(found)
    start, end = min(times[0] for times, _ in found) - early, max(times[-1] for times, _ in found) + late
    got = kernels.increases(first, last, time, value, start, end, counter, 1.0)
    close(got, [twins.increase(window, start, end, counter=counter) for window in found])


def test_a_rate_is_the_same_to_the_last_bit_as_elsewhere() -> None:
    first, last, time, value = slabs([([60_000, 120_000], [0.0, 92.0])])
    (got,) = kernels.increases(first, last, time, value, 0, 120_000, True, 300.0)
    assert got == 92.0 * (1.0 / 300.0) != 92.0 / 300.0


@given(found=windows(st.integers(-1000, 1000).map(float), least=2))
@settings(max_examples=40, deadline=None)
def test_regressions(found: list[twins.Window]) -> None:
    first, last, time, value = slabs(found)
    slope, intercept = kernels.regressions(first, last, time, value, time[first])
    wanted = [twins.regression(window, window[0][0]) for window in found]
    np.testing.assert_allclose(slope, [pair[0] for pair in wanted], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(intercept, [pair[1] for pair in wanted], rtol=1e-6, atol=1e-6)


@given(found=windows(NUMBERS, least=2), level=st.floats(0.1, 0.9), trend=st.floats(0.1, 0.9))
@settings(max_examples=30, deadline=None)
def test_smoothing(found: list[twins.Window], level: float, trend: float) -> None:
    first, last, _, value = slabs(found)
    got = kernels.smoothed(first, last, value, level, trend)
    close(got, [twins.holt(values, level, trend) for _, values in found], 1e6)


@given(found=windows(ODD))
@settings(max_examples=30, deadline=None)
def test_sorted_values(found: list[twins.Window]) -> None:
    first, last, _, value = slabs(found)
    wanted = [sorted(values, key=lambda x: (not math.isnan(x), x)) for _, values in found]
    np.testing.assert_array_equal(kernels.sorted_values(first, last, value), np.concatenate(wanted))


@given(found=windows(ODD | st.just(STALE)))
@settings(max_examples=30, deadline=None)
def test_markers_are_told_from_other_nans(found: list[twins.Window]) -> None:
    first, last, time, value = slabs(found)
    bits, marker = value.view(np.uint64), np.uint64(STALE_BITS)
    stale = [[b == STALE_BITS for b in np.array(values).view(np.uint64).tolist()] for _, values in found]
    size = int((last - first).sum())
    time_to, value_to = np.empty(size, np.int64), np.empty(size)
    ends = kernels.copy_samples(first, last, time, value, bits, marker, time_to, value_to)
    kept = [
        [t for t, gone in zip(times, mask, strict=True) if not gone]
        for (times, _), mask in zip(found, stale, strict=True)
    ]
    assert time_to[: ends[-1]].tolist() == list(chain(*kept))
    assert ends.tolist() == np.cumsum([len(times) for times in kept]).tolist()


def test_spans_outside_the_slabs_are_our_bug() -> None:
    with pytest.raises(AssertionError):
        kernels.sums(np.array([0]), np.array([4]), np.zeros(3))
    with pytest.raises(AssertionError):
        kernels.sums(np.array([-1]), np.array([2]), np.zeros(3))


@given(st.lists(st.tuples(st.integers(0, 4), NUMBERS), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_folds_by_group(rows: list[tuple[int, float]]) -> None:
    ids = np.array([10 * group for group, _ in rows])
    group, members = np.empty(len(rows), np.int32), np.empty(len(rows), np.int64)
    groups = folds.number_groups(ids, np.full(50, 3, np.int32), group, members)
    assert members[:groups].tolist() == list(dict.fromkeys(ids.tolist()))
    assert members[group].tolist() == ids.tolist()
    values = np.array([value for _, value in rows])
    parts = [values[group == number].tolist() for number in range(groups)]
    close(folds.sums(values, group, groups), list(map(twins.total, parts)), 1e3)
    close(folds.averages(values, group, groups), list(map(twins.average, parts)), 1e3)
    close(folds.variances(values, group, groups), list(map(twins.variance, parts)), 1e3)
    assert folds.minima(values, group, groups).tolist() == list(map(min, parts))
    assert folds.maxima(values, group, groups).tolist() == list(map(max, parts))


BUCKETS = st.lists(
    st.tuples(st.integers(-5, 20), st.integers(0, 9)), max_size=8, unique_by=lambda pair: pair[0]
)


@given(buckets=BUCKETS, rest=st.integers(0, 9), q=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_bucket_quantiles(buckets: list[tuple[int, int]], rest: int, q: float) -> None:
    bound = [*(float(at) for at, _ in sorted(buckets)), math.inf]
    count = np.cumsum([*(new for _, new in sorted(buckets)), rest]).astype(np.float64)
    fixed = np.array([[math.inf, -math.inf, 0.0]])
    spans = np.array([0]), np.array([len(bound)])
    got = histograms.quantiles(*spans, np.array(bound), count.copy(), q, fixed)
    np.testing.assert_allclose(
        got, [twins.bucket_quantile(q, list(zip(bound, count.tolist(), strict=True)))], rtol=1e-9, atol=1e-300
    )
    assert fixed[0, 2] == 0
    whole = histograms.fractions(*spans, np.array(bound), count.copy(), -math.inf, math.inf)
    assert whole[0] == 1 if count[-1] else math.isnan(whole[0])
