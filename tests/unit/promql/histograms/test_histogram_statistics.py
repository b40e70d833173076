"""Quantiles, fractions and variances."""

from __future__ import annotations

import math

import pytest
from given_histograms import exponential, histogram
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sentinel.model import Histogram
from sentinel.promql.histograms import buckets, fraction, has_nan_observations, quantile, variance

POSITIVE = "count:12 sum:100 z_bucket:2 z_bucket_w:0.001 buckets:[2 3 0 1 4]"
NEGATIVE = "count:12 sum:-100 z_bucket:2 z_bucket_w:0.001 n_buckets:[2 3 0 1 4]"
BOTH = "count:5 z_bucket:1 z_bucket_w:0.5 buckets:[2] n_buckets:[2]"
CUSTOM = "schema:-53 count:12 custom_values:[5 10 20] buckets:[2 4 5 1]"
BELOW_ZERO = "schema:-53 count:8 custom_values:[-5 5] buckets:[2 4 2]"
WITH_NANS = "count:15 sum:NaN buckets:[6 6]"
ROOT = math.sqrt(2)

QUANTILES = [
    (POSITIVE, 0.5, ROOT ** (2 / 3 * 2)),
    (POSITIVE, 1 / 12, 0.0005),
    (POSITIVE, 0.25, ROOT / 2),
    (POSITIVE, 1.0, 16),
    (POSITIVE, 0.0, 0),
    (POSITIVE, 10 / 12, 8 * ROOT),
    (NEGATIVE, 0.5, -(ROOT ** (2 / 3 * 2))),
    (NEGATIVE, 0.0, -16),
    (NEGATIVE, 11 / 12, -0.0005),
    (BOTH, 0.5, 0),
    (BOTH, 0.45, -0.25),
    (BOTH, 0.2, -ROOT / 2),
    ("schema:-1 count:5 offset:1 buckets:[5]", 0.5, 2),
    ("schema:1 count:5 offset:1 buckets:[5]", 0.5, 1.189207115002721),
    (CUSTOM, 1 / 12, 2.5),
    (CUSTOM, 4 / 12, 7.5),
    (CUSTOM, 0.5, 10),
    (CUSTOM, 0.99, 20),
    (BELOW_ZERO, 0.1, -5),
    (BELOW_ZERO, 0.5, 0),
    (BELOW_ZERO, 0.9, 5),
    ("schema:-53 count:2 custom_values:[0] buckets:[2]", 0.5, 0),
    ("schema:-53 count:2 buckets:[2]", 0.5, math.inf),
    (WITH_NANS, 0.2, ROOT / 2),
    (WITH_NANS, 0.6, ROOT),
    (WITH_NANS, 0.8, 2),
    (WITH_NANS, 0.81, math.nan),
    ("count:3 sum:NaN", 0.1, math.nan),
    ("count:4 sum:8 buckets:[2]", 0.1, 0.5 * 2**0.2),
    ("", 0.5, math.nan),
    ("", 2, math.inf),
    (POSITIVE, math.nan, math.nan),
    (POSITIVE, -0.1, -math.inf),
    (POSITIVE, 1.1, math.inf),
    ("count:2 offset:1025 buckets:[2]", 0.5, math.inf),
    ("count:2 n_offset:1025 n_buckets:[2]", 0.5, -math.inf),
]


@pytest.mark.parametrize(("described", "q", "expected"), QUANTILES)
def test_quantiles(described: str, q: float, expected: float) -> None:
    assert quantile(histogram(described), q) == pytest.approx(expected, nan_ok=True, abs=1e-15)


INF = math.inf
FRACTIONS = [
    (POSITIVE, -INF, INF, 1),
    (POSITIVE, 0, INF, 1),
    (POSITIVE, -INF, 0, 0),
    (POSITIVE, 0, 0.0005, 1 / 12),
    (POSITIVE, 0.001, INF, 10 / 12),
    (POSITIVE, 1, 2, 0.25),
    (POSITIVE, 1, ROOT, 1.5 / 12),
    (POSITIVE, 3, 4, 0),
    (NEGATIVE, -2, -1, 0.25),
    (NEGATIVE, -ROOT, -1, 1.5 / 12),
    (NEGATIVE, -0.0005, 0, 1 / 12),
    (NEGATIVE, 0, INF, 0),
    (BOTH, -0.25, 0.25, 0.1),
    (BOTH, -ROOT / 2, INF, 0.8),
    (CUSTOM, 0, 5, 2 / 12),
    (CUSTOM, 2.5, 7.5, 3 / 12),
    (CUSTOM, -INF, -1, 0),
    (CUSTOM, 20, 1000, 0),
    (CUSTOM, 20, INF, 1 / 12),
    (BELOW_ZERO, -INF, -7, 2 / 8),
    (BELOW_ZERO, -7, 0, 0),
    (BELOW_ZERO, 0, 2.5, 2 / 8),
    (WITH_NANS, -INF, INF, 0.8),
    (WITH_NANS, -INF, ROOT / 2, 0.2),
    (POSITIVE, 2, 1, 0),
    (POSITIVE, 1, 1, 0),
    (POSITIVE, math.nan, 1, math.nan),
    (POSITIVE, 1, math.nan, math.nan),
    ("", 0, 1, math.nan),
    ("count:3", -INF, INF, 0),
    ("count:4 buckets:[3]", 0, INF, 1),
]


@pytest.mark.parametrize(("described", "lower", "upper", "expected"), FRACTIONS)
def test_fractions(described: str, lower: float, upper: float, expected: float) -> None:
    found = fraction(histogram(described), lower, upper)
    assert found == pytest.approx(expected, nan_ok=True, abs=1e-15)


VARIANCES = [
    ("count:2 sum:2.8284271247461903 offset:1 buckets:[2]", 0),
    ("count:2 sum:0 buckets:[0 1] n_buckets:[0 1]", 2),
    ("count:3 sum:0 z_bucket:1 z_bucket_w:0.1 offset:1 buckets:[1] n_offset:1 n_buckets:[1]", 4 / 3),
    ("schema:-53 count:4 sum:30 custom_values:[5 10] offset:1 buckets:[4]", 0),
    ("schema:-53 count:2 sum:20 custom_values:[0 10 20] offset:1 buckets:[1 1]", 25),
    ("schema:-53 count:2 sum:20 custom_values:[10] buckets:[1 1]", math.inf),
    ("count:2 sum:NaN buckets:[2]", math.nan),
    ("", math.nan),
]


@pytest.mark.parametrize(("described", "expected"), VARIANCES)
def test_variances(described: str, expected: float) -> None:
    assert variance(histogram(described)) == pytest.approx(expected, nan_ok=True, abs=1e-12)


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        (WITH_NANS, True),
        ("count:3 sum:NaN", True),
        ("count:12 sum:NaN buckets:[6 6]", False),
        ("count:15 sum:9 buckets:[6 6]", False),
    ],
)
def test_nans_are_what_no_bucket_holds(described: str, expected: bool) -> None:
    assert has_nan_observations(histogram(described)) is expected


SHARES = st.floats(0, 1)


@given(exponential(), SHARES, SHARES)
@settings(max_examples=150)
def test_quantiles_ascend_within_the_buckets(one: Histogram, first: float, second: float) -> None:
    assume(one.count > 0)
    low, high = (quantile(one, q) for q in sorted((first, second)))
    assert low <= high or low == pytest.approx(high)
    table = buckets(one)
    assert table.lower[0] <= low or low == pytest.approx(table.lower[0])
    assert high <= table.upper[-1] or high == pytest.approx(table.upper[-1])


@given(exponential(), SHARES)
@settings(max_examples=150)
def test_a_fraction_undoes_a_quantile(one: Histogram, q: float) -> None:
    assume(one.count > 0 and one.zero_threshold > 0)
    assert fraction(one, -INF, quantile(one, q)) == pytest.approx(q, abs=1e-9)


@given(exponential(), st.lists(st.floats(-50, 50), min_size=3, max_size=3).map(sorted))
@settings(max_examples=80)
def test_fractions_add_up(one: Histogram, cuts: list[float]) -> None:
    assume(one.count > 0)
    low, mid, high = cuts
    parts = fraction(one, low, mid) + fraction(one, mid, high)
    assert fraction(one, low, high) == pytest.approx(parts, abs=1e-12)
