"""The trim operators, and histograms made of classic ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from given_histograms import ANY, close, counted, custom, exponential, histogram
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sentinel.model import Histogram
from sentinel.promql.histograms import buckets, fraction, text, trim_lower, trim_upper
from sentinel.promql.histograms.bounds import populated
from tests.conformance.classic_histograms import from_classic

EXPONENTIAL = "count:34 sum:99 z_bucket:1 z_bucket_w:0.5 n_buckets:[0 1 2] buckets:[0 4 8]"
ONE_SIDED = "count:6 sum:9 z_bucket:2 z_bucket_w:0.5 buckets:[4]"
ZERO_ONLY = "count:4 z_bucket:4 z_bucket_w:1"
ZERO_WIDTH = "count:6 sum:9 z_bucket:2 buckets:[4]"
CUSTOM = "schema:-53 count:15 sum:99 custom_values:[-10 4 8] buckets:[2 7 4 2]"
FROM_ZERO = "schema:-53 count:6 sum:9 custom_values:[5] buckets:[5 1]"
ONE_BUCKET = "schema:-53 count:9 sum:9 buckets:[9]"
INF = math.inf

UPPER = [
    (EXPONENTIAL, INF, EXPONENTIAL),
    (EXPONENTIAL, 4, EXPONENTIAL),
    (
        EXPONENTIAL,
        2,
        "count:8 sum:-1.4142135623731 z_bucket:1 z_bucket_w:0.5 n_buckets:[0 1 2] buckets:[0 4]",
    ),
    (EXPONENTIAL, 0, "count:3.5 sum:-7.196067811865475 z_bucket:0.5 z_bucket_w:0.5 n_buckets:[0 1 2]"),
    (EXPONENTIAL, -math.sqrt(2), "count:2.5 sum:-6.4977506647461 z_bucket_w:0.5 n_buckets:[0 0.5 2]"),
    (EXPONENTIAL, -INF, "z_bucket_w:0.5"),
    (ONE_SIDED, 0.25, "count:1 sum:0.125 z_bucket:1 z_bucket_w:0.5"),
    (ZERO_ONLY, -0.5, "count:1 sum:-0.75 z_bucket:1 z_bucket_w:1"),
    (ZERO_WIDTH, 0, ""),
    (CUSTOM, 4, "schema:-53 count:9 sum:-41 custom_values:[-10 4 8] buckets:[2 7]"),
    (CUSTOM, 6, "schema:-53 count:11 sum:-31 custom_values:[-10 4 8] buckets:[2 7 2]"),
    (CUSTOM, 100, "schema:-53 count:13 sum:-17 custom_values:[-10 4 8] buckets:[2 7 4]"),
    (CUSTOM, -20, "schema:-53 count:2 sum:-40 custom_values:[-10 4 8] buckets:[2]"),
    (CUSTOM, INF, CUSTOM),
    (FROM_ZERO, 2, "schema:-53 count:2 sum:2 custom_values:[5] buckets:[2]"),
    (FROM_ZERO, 0, "schema:-53 custom_values:[5]"),
    (ONE_BUCKET, 3, "schema:-53"),
    (ONE_BUCKET, INF, ONE_BUCKET),
]
LOWER = [
    (EXPONENTIAL, -INF, EXPONENTIAL),
    (EXPONENTIAL, -4, EXPONENTIAL),
    (EXPONENTIAL, 0, "count:12.5 sum:28.409271247462 z_bucket:0.5 z_bucket_w:0.5 buckets:[0 4 8]"),
    (EXPONENTIAL, 2, "count:8 sum:22.62741699796952 z_bucket_w:0.5 buckets:[0 0 8]"),
    (EXPONENTIAL, 2 * math.sqrt(2), "count:4 sum:13.454342644059432 z_bucket_w:0.5 buckets:[0 0 4]"),
    (EXPONENTIAL, INF, "z_bucket_w:0.5"),
    (ONE_SIDED, 0, ONE_SIDED),
    (ONE_SIDED, 0.25, "count:5 sum:3.2034271247461903 z_bucket:1 z_bucket_w:0.5 buckets:[4]"),
    (ZERO_ONLY, 1, "z_bucket_w:1"),
    (ZERO_WIDTH, 0, ZERO_WIDTH),
    (CUSTOM, 6, "schema:-53 count:4 sum:30 custom_values:[-10 4 8] offset:2 buckets:[2 2]"),
    (CUSTOM, 10, "schema:-53 count:2 sum:20 custom_values:[-10 4 8] offset:3 buckets:[2]"),
    (CUSTOM, -10, "schema:-53 count:13 sum:19 custom_values:[-10 4 8] offset:1 buckets:[7 4 2]"),
    (CUSTOM, -20, "schema:-53 count:13 sum:19 custom_values:[-10 4 8] offset:1 buckets:[7 4 2]"),
    (FROM_ZERO, 0, FROM_ZERO),
    (FROM_ZERO, 2, "schema:-53 count:4 sum:15.5 custom_values:[5] buckets:[3 1]"),
    (FROM_ZERO, -1, "schema:-53 count:1 sum:5 custom_values:[5] offset:1 buckets:[1]"),
    (ONE_BUCKET, 3, "schema:-53"),
    (ONE_BUCKET, -INF, ONE_BUCKET),
]


@pytest.mark.parametrize(("described", "bound", "expected"), UPPER)
def test_what_lies_above_is_cut_off(described: str, bound: float, expected: str) -> None:
    found = trim_upper(histogram(described), bound)
    assert close(found, histogram(expected)), text(found)


@pytest.mark.parametrize(("described", "bound", "expected"), LOWER)
def test_what_lies_below_is_cut_off(described: str, bound: float, expected: str) -> None:
    found = trim_lower(histogram(described), bound)
    assert close(found, histogram(expected)), text(found)


BOUNDS = st.floats(-20, 20) | st.sampled_from([-INF, -1.0, 0.0, 0.5, 5.0, INF])


@given(exponential(), BOUNDS)
@settings(max_examples=150)
def test_a_cut_parts_the_observations(one: Histogram, bound: float) -> None:
    table = populated(one, zero=False)
    nearest = np.minimum(abs(table.lower), abs(table.upper)).min(initial=INF)
    assume(0 < one.zero_threshold <= nearest and one.count > 0)  # no bucket reaches into the zero bucket
    below, above = trim_upper(one, bound), trim_lower(one, bound)
    assert below.count + above.count == pytest.approx(one.count)
    assert below.count == pytest.approx(
        fraction(one, -INF, bound) * one.count, abs=0.5 * one.zero_count + 1e-9
    )
    for part in (below, above):
        assert counted(part) == pytest.approx(part.count)
        assert part.reset_hint == one.reset_hint


@given(ANY, BOUNDS)
@settings(max_examples=100)
def test_cutting_again_cuts_nothing_at_a_bound(one: Histogram, bound: float) -> None:
    ends = set(buckets(one).upper.tolist()) - {INF}
    for end in (at for at in ends if one.is_custom or abs(at) > one.zero_threshold):
        once = trim_upper(one, end)
        assert close(trim_upper(once, end), once)
    assert trim_lower(one, -INF) is one
    assert trim_upper(one, INF) is one


@given(custom())
@settings(max_examples=60)
def test_a_classic_histogram_becomes_what_it_was(one: Histogram) -> None:
    table = [
        one.count if end == INF else fraction(one, -INF, end) * one.count for end in (*one.custom_values, INF)
    ]
    assume(one.count > 0 and not any(end <= 0 for end in one.custom_values))
    made = from_classic((*one.custom_values, INF), np.round(table).tolist(), one.sum, one.count)
    assert close(made, one)


CLASSIC = [
    ([1, 2, INF], [3, 5, 9], 9, "{count:9, sum:7, [-Inf,1]:3, (1,2]:2, (2,+Inf]:4}"),
    ([INF, 2, 1], [9, 5, 3], None, "{count:9, sum:7, [-Inf,1]:3, (1,2]:2, (2,+Inf]:4}"),
    ([1, 2], [3, 5], 9, "{count:9, sum:7, [-Inf,1]:3, (1,2]:2, (2,+Inf]:4}"),
    ([1, 2], [3, 5], None, "{count:5, sum:7, [-Inf,1]:3, (1,2]:2}"),
    ([1, 1, INF], [3, 4, 5], None, "{count:5, sum:7, [-Inf,1]:3, (1,+Inf]:2}"),
    ([INF], [4], 4, "{count:4, sum:7, [-Inf,+Inf]:4}"),
    ([], [], 4, "{count:4, sum:7, [-Inf,+Inf]:4}"),
    ([], [], None, "{count:0, sum:7}"),
    ([0.5, INF], [0.25, 1.5], None, "{count:1.5, sum:7, [-Inf,0.5]:0.25, (0.5,+Inf]:1.25}"),
]


@pytest.mark.parametrize(("bounds", "cumulative", "count", "expected"), CLASSIC)
def test_classic(bounds: list[float], cumulative: list[float], count: float | None, expected: str) -> None:
    assert text(from_classic(bounds, cumulative, 7, count)) == expected


@pytest.mark.parametrize(
    ("bounds", "cumulative", "count", "reason"),
    [
        ([1, 2, INF], [3, 2, 9], None, "not cumulative: le=2, count=2"),
        ([1, INF], [-1, 9], None, "not cumulative: le=1, count=-1"),
        ([1, INF], [1, 9], 8.0, "count mismatch: 8, but 9 at"),
        ([1], [3], 2.0, "not cumulative: le=\\+Inf, count=2"),
        ([math.nan, INF], [1, 9], None, "must not be NaN"),
    ],
)
def test_bad_classic(bounds: list[float], cumulative: list[float], count: float | None, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_classic(bounds, cumulative, 7, count)
