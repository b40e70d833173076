"""Totals and means of many histograms."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from given_histograms import PAIRS, close, counted, custom, exponential, figures, histogram
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Histogram
from sentinel.promql.histograms import IncompatibleError, add, divide, equal, mean, text, total

MANY = st.lists(exponential(), min_size=1, max_size=6) | st.lists(custom(), min_size=1, max_size=6)


@given(MANY, st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_order_does_not_matter(many: list[Histogram], chance: random.Random) -> None:
    shuffled = chance.sample(many, len(many))
    assert equal(total(many).histogram, total(shuffled).histogram)
    assert close(mean(many).histogram, mean(shuffled).histogram)


@given(MANY)
@settings(max_examples=80)
def test_nothing_is_lost(many: list[Histogram]) -> None:
    sum_of_all = total(many).histogram
    assert sum_of_all.count == sum(one.count for one in many)
    assert counted(sum_of_all) == sum(counted(one) for one in many)
    assert close(mean(many).histogram, divide(sum_of_all, len(many)))


@given(PAIRS)
@settings(max_examples=40)
def test_a_total_of_two_is_their_sum(pair: tuple[Histogram, Histogram]) -> None:
    assert equal(total(pair).histogram, add(*pair).histogram)


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        ([1, 1e100, 1, -1e100], 2.0),
        ([5.3, 1e100, 1, -1e100, 2, 1e50, -1e50], 8.3),
        ([0.1] * 10, 1.0),
        ([math.inf, 1.0], math.inf),
        ([math.inf, 1.0, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
    ],
)
def test_what_rounding_takes_away_is_added_again(sums: list[float], expected: float) -> None:
    many = [Histogram(count=2.0, sum=one) for one in sums]
    assert total(many).histogram.sum == pytest.approx(expected, rel=1e-15, nan_ok=True)
    assert mean(many).histogram.sum == pytest.approx(expected / len(sums), rel=1e-15, nan_ok=True)
    assert mean(many).histogram.count == 2


def test_a_mean_may_be_where_the_total_overflows() -> None:
    many = [
        histogram("count:1.5e308 sum:1 z_bucket:1e308 buckets:[1.7e308 4]"),
        histogram("count:1.5e308 sum:1e100 z_bucket:1e308 buckets:[1.7e308]"),
        histogram("count:0 sum:4 z_bucket:1e308 buckets:[0.2e308 8]"),
        histogram("count:1e308 sum:-1e100 z_bucket:1e308 buckets:[0]"),
    ]
    assert total(many).histogram.count == math.inf
    middle = mean(many).histogram
    assert figures(middle) == pytest.approx(np.array([1e308, 1e308, 1.25, 0.9e308, 3]))


def test_remarks_are_of_all() -> None:
    said = [histogram(f"count:1 counter_reset_hint:{hint}") for hint in ("reset", "unknown", "not_reset")]
    assert total(said).collision
    assert mean(said).collision
    assert not total(said[:2]).collision
    assert total(said[:2]).histogram.reset_hint == "unknown"
    gauge = histogram("count:1 counter_reset_hint:gauge")
    for many in ([*said, gauge], [gauge, *said]):
        assert (total(many).collision, total(many).histogram.reset_hint) == (True, "gauge")


def test_bounds_that_all_have_stay() -> None:
    shapes = [
        "custom_values:[2 5 10] buckets:[1 2 4 8]",
        "custom_values:[5 10] buckets:[1 1 1]",
        "custom_values:[5]",
    ]
    many = [histogram("schema:-53 " + shape) for shape in shapes]
    assert total(many).reconciled
    assert text(total(many).histogram) == "{count:0, sum:0, [-Inf,5]:4, (5,+Inf]:14}"
    assert not mean(many[:1] * 3).reconciled


def test_exponential_and_custom_do_not_go_together() -> None:
    for fold in (total, mean):
        with pytest.raises(IncompatibleError):
            fold([histogram("buckets:[1]"), histogram("buckets:[1]"), histogram("schema:-53 buckets:[1]")])
