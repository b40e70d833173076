"""Adding, scaling and comparing histograms; counter resets."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from given_histograms import ANY, PAIRS, close, counted, exponential, histogram
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Buckets, Histogram
from sentinel.model.histogram import ResetHint
from sentinel.promql.histograms import (
    IncompatibleError,
    add,
    buckets,
    divide,
    equal,
    fraction,
    interpolate,
    is_reset,
    scale,
    subtract,
    text,
    with_schema,
)

SUMS = [
    (
        "same layout",
        "count:3 sum:4 buckets:[1 2]",
        "count:5 sum:6 buckets:[2]",
        "count:8 sum:10 buckets:[3 2]",
    ),
    (
        "apart",
        "offset:-1 buckets:[1]",
        "n_buckets:[3] offset:2 buckets:[2]",
        "n_buckets:[3] offset:-1 buckets:[1 0 0 2]",
    ),
    ("coarser", "schema:1 buckets:[1 2 4 8]", "schema:0 buckets:[1 1]", "schema:0 buckets:[2 7 8]"),
    ("coarser below one", "schema:2 offset:-5 buckets:[1 2 4 8 16]", "", "offset:-1 buckets:[3 28]"),
    (
        "wider zero bucket",
        "z_bucket:1 z_bucket_w:0.5 buckets:[4]",
        "z_bucket_w:1 buckets:[0 3]",
        "z_bucket:5 z_bucket_w:1 buckets:[0 3]",
    ),
    (
        "zero bucket cuts a bucket",
        "z_bucket:1 z_bucket_w:0.7",
        "buckets:[2] n_buckets:[0 5]",
        "z_bucket:3 z_bucket_w:1 n_buckets:[0 5]",
    ),
    (
        "zero bucket cuts an empty one",
        "z_bucket:1 z_bucket_w:0.7",
        "offset:-1 buckets:[3 0 5]",
        "z_bucket:4 z_bucket_w:0.7 offset:1 buckets:[5]",
    ),
    (
        "one cut makes another",
        "schema:-1 z_bucket:1 z_bucket_w:0.3 buckets:[2]",
        "n_offset:-1 n_buckets:[3]",
        "schema:-1 z_bucket:6 z_bucket_w:1",
    ),
    (
        "custom",
        "schema:-53 custom_values:[5 10] buckets:[1 2 3]",
        "schema:-53 custom_values:[5 10] offset:1 buckets:[1]",
        "schema:-53 custom_values:[5 10] buckets:[1 3 3]",
    ),
    (
        "custom, shared bounds",
        "schema:-53 custom_values:[2 5 10] buckets:[1 2 4 8]",
        "schema:-53 custom_values:[1 5 20] buckets:[1 1 1 1]",
        "schema:-53 custom_values:[5] buckets:[5 14]",
    ),
    (
        "custom, no shared bounds",
        "schema:-53 custom_values:[2] buckets:[1 2]",
        "schema:-53 custom_values:[5] buckets:[1 1]",
        "schema:-53 buckets:[5]",
    ),
]


@pytest.mark.parametrize(
    ("left", "right", "expected"), [case[1:] for case in SUMS], ids=[case[0] for case in SUMS]
)
def test_sums(left: str, right: str, expected: str) -> None:
    both = add(histogram(left), histogram(right))
    assert text(both.histogram) == text(histogram(expected))
    assert equal(both.histogram, histogram(expected))
    assert both.reconciled is (histogram(left).custom_values != histogram(right).custom_values)


HINTS: list[tuple[ResetHint, ResetHint, ResetHint, bool]] = [
    ("unknown", "unknown", "unknown", False),
    ("reset", "reset", "reset", False),
    ("not_reset", "not_reset", "not_reset", False),
    ("reset", "not_reset", "unknown", True),
    ("reset", "unknown", "unknown", False),
    ("not_reset", "unknown", "unknown", False),
    ("gauge", "reset", "gauge", False),
    ("gauge", "unknown", "gauge", False),
]


@pytest.mark.parametrize(("left", "right", "expected", "collision"), HINTS)
def test_hints(left: ResetHint, right: ResetHint, expected: ResetHint, collision: bool) -> None:
    one, other = Histogram(reset_hint=left), Histogram(reset_hint=right)
    for combine in (add, subtract):
        for both in (combine(one, other), combine(other, one)):
            assert (both.histogram.reset_hint, both.collision) == (expected, collision)


def test_exponential_and_custom_do_not_go_together() -> None:
    pair = histogram("buckets:[1]"), histogram("schema:-53 custom_values:[1] buckets:[1]")
    for combine in (add, subtract):
        with pytest.raises(IncompatibleError):
            combine(*pair)
    assert is_reset(*pair)
    assert is_reset(*reversed(pair))
    assert not equal(*pair)


@given(PAIRS)
@settings(max_examples=150)
def test_addition_commutes_and_loses_nothing(pair: tuple[Histogram, Histogram]) -> None:
    left, right = pair
    both = add(left, right).histogram
    assert equal(both, add(right, left).histogram)
    assert (both.count, both.sum) == (left.count + right.count, left.sum + right.sum)
    assert counted(both) == counted(left) + counted(right)


@given(PAIRS, st.sampled_from([-2.0, 0.5, 3.0]))
@settings(max_examples=60)
def test_scaling_distributes(pair: tuple[Histogram, Histogram], factor: float) -> None:
    left, right = pair
    together = scale(add(left, right).histogram, factor)
    assert close(together, add(scale(left, factor), scale(right, factor)).histogram)
    assert close(divide(together, factor), add(left, right).histogram)


@given(PAIRS)
@settings(max_examples=60)
def test_subtraction_undoes_addition(pair: tuple[Histogram, Histogram]) -> None:
    left, right = pair
    both = add(left, right).histogram
    back = subtract(both, right).histogram
    assert (back.count, back.sum, counted(back)) == (left.count, left.sum, counted(left))
    assert counted(subtract(both, both).histogram) == 0


DIVISIONS = [
    ("count:6 sum:9 z_bucket:3 z_bucket_w:0.5 buckets:[3]", 3.0, "{count:2, sum:3, [-0.5,0.5]:1, (0.5,1]:1}"),
    ("count:6 sum:-9 buckets:[6]", 0.0, "{count:+Inf, sum:-Inf, [-0,0]:NaN}"),
    ("count:6 sum:-9 z_bucket:6", -0.0, "{count:-Inf, sum:+Inf, [-0,0]:-Inf}"),
    ("count:6 sum:NaN buckets:[6]", math.inf, "{count:0, sum:NaN}"),
]


@pytest.mark.parametrize(("described", "by", "expected"), DIVISIONS)
def test_division(described: str, by: float, expected: str) -> None:
    assert text(divide(histogram(described), by)) == expected


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(2.0, "reset"), (0.0, "reset"), (-0.0, "reset"), (math.nan, "reset"), (-1.0, "gauge")],
)
def test_only_a_negative_factor_makes_a_gauge(factor: float, expected: str) -> None:
    one = histogram("buckets:[1 0 2] counter_reset_hint:reset")
    assert scale(one, factor).reset_hint == divide(one, factor).reset_hint == expected


def test_what_is_empty_stays_empty() -> None:
    one = histogram("buckets:[1 0 2]")
    assert text(scale(one, math.inf)) == "{count:NaN, sum:NaN, [-0,0]:NaN, (0.5,1]:+Inf, (2,4]:+Inf}"
    assert text(scale(one, 0)) == "{count:0, sum:0}"


@given(exponential(), st.integers(-4, 3), st.integers(-4, 3))
@settings(max_examples=80)
def test_lowering_the_schema_keeps_the_counts(one: Histogram, first: int, second: int) -> None:
    low, mid = sorted((min(first, one.schema), min(second, one.schema)))
    lowered = with_schema(one, low)
    assert equal(with_schema(with_schema(one, mid), low), lowered)
    assert (lowered.schema, counted(lowered), lowered.sum) == (low, counted(one), one.sum)
    if one.count:
        for bound in buckets(lowered).upper:
            share = fraction(one, -math.inf, bound)
            assert fraction(lowered, -math.inf, bound) == pytest.approx(share), "a bound of both schemas"


@pytest.mark.parametrize("described", ["schema:0 buckets:[1]", "schema:-53 custom_values:[1] buckets:[1]"])
def test_a_schema_is_never_raised(described: str) -> None:
    with pytest.raises(ValueError, match="cannot be given schema 1"):
        with_schema(histogram(described), 1)


UNEQUAL = [
    "schema:1 count:3 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[1]",
    "count:4 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[1]",
    "count:3 sum:-2 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[1]",
    "count:3 sum:2 z_bucket:2 z_bucket_w:0.1 buckets:[1 2] n_buckets:[1]",
    "count:3 sum:2 z_bucket:1 z_bucket_w:0.2 buckets:[1 2] n_buckets:[1]",
    "count:3 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[1 3] n_buckets:[1]",
    "count:3 sum:2 z_bucket:1 z_bucket_w:0.1 offset:1 buckets:[1 2] n_buckets:[1]",
    "count:3 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[0 1]",
    "count:3 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[1 2]",
]


def test_equality_is_of_all_but_the_hint() -> None:
    one = histogram("count:3 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[1]")
    assert equal(one, msgspec.structs.replace(one, reset_hint="gauge"))
    assert not [described for described in UNEQUAL if equal(one, histogram(described))]
    assert equal(histogram("sum:NaN buckets:[1 0 NaN]"), histogram("sum:NaN buckets:[1 0 NaN]"))
    assert not equal(histogram("sum:0"), scale(histogram("sum:0"), -1.0))
    signed = Histogram(positive=Buckets(0, np.array([1, -0.0, 2])))
    assert equal(signed, Histogram(positive=Buckets(0, np.array([1, 0.0, 2]))))


RESETS = [
    ("count:5 buckets:[2 3]", "count:5 buckets:[2 3]", False),
    ("count:5 sum:1 buckets:[2 3]", "count:5 sum:9 buckets:[2 3]", False),
    ("count:4", "count:5", True),
    ("count:5 buckets:[1 4]", "count:4 buckets:[2 2]", True),
    ("count:5 buckets:[0 4]", "count:5 buckets:[2]", True),
    ("count:5 n_buckets:[1]", "count:5 n_buckets:[2]", True),
    ("count:5 z_bucket:1", "count:5 z_bucket:2", True),
    ("count:5 schema:0 buckets:[3 3]", "count:5 schema:1 buckets:[1 1 2 3]", True),
    ("count:9 schema:0 buckets:[1 3 3]", "count:5 schema:1 buckets:[1 1 2 3]", False),
    ("count:9 schema:1 buckets:[9]", "count:5 schema:0 buckets:[5]", True),
    ("count:5 z_bucket_w:0.5", "count:5 z_bucket_w:0.6", True),
    ("count:5 z_bucket:3 z_bucket_w:1", "count:5 z_bucket:1 z_bucket_w:0.5 buckets:[2]", False),
    ("count:5 z_bucket:2 z_bucket_w:1", "count:5 z_bucket:1 z_bucket_w:0.5 buckets:[2]", True),
    ("count:5 z_bucket:9 z_bucket_w:0.7", "count:5 buckets:[2]", True),
    ("count:5 counter_reset_hint:not_reset", "count:9", False),
    ("count:9 counter_reset_hint:reset", "count:5", True),
    ("count:4 counter_reset_hint:gauge", "count:5 counter_reset_hint:gauge", True),
    (
        "schema:-53 count:5 custom_values:[5] buckets:[3 2]",
        "schema:-53 count:5 custom_values:[2 5] buckets:[1 2 2]",
        False,
    ),
    (
        "schema:-53 count:5 custom_values:[2 5] buckets:[3 2]",
        "schema:-53 count:5 custom_values:[5 7] buckets:[1 3 1]",
        True,
    ),
]


@pytest.mark.parametrize(("now", "before", "expected"), RESETS)
def test_resets(now: str, before: str, expected: bool) -> None:
    assert is_reset(histogram(now), histogram(before)) is expected


@given(PAIRS)
@settings(max_examples=100)
def test_growing_is_no_reset_and_shrinking_is_one(pair: tuple[Histogram, Histogram]) -> None:
    before, more = pair
    now = add(before, more).histogram
    assert not is_reset(now, before)
    assert is_reset(before, now) or more.count == 0


@given(ANY, ANY)
@settings(max_examples=60)
def test_a_layout_is_the_same_forever_without_reset(one: Histogram, other: Histogram) -> None:
    """A counter that only grew can be subtracted from what it became without a negative count."""
    if one.is_custom is other.is_custom and not is_reset(one, other):
        assert (buckets(subtract(one, other).histogram).count > 0).all()


def test_a_zero_bucket_without_width_ends_the_search_for_one() -> None:
    one = msgspec.structs.replace(histogram("count:2 buckets:[2]"), zero_threshold=math.nan)
    assert add(one, histogram("count:1 z_bucket_w:0.7")).histogram.count == 3


def test_interpolation() -> None:
    before, after = histogram("count:4 sum:8 buckets:[1 3]"), histogram("count:8 sum:4 buckets:[3 5]")
    between = interpolate(before, after, 0.25, counter=True).histogram
    assert text(between) == "{count:5, sum:7, (0.5,1]:1.5, (1,2]:3.5}"
    restarted = interpolate(after, before, 0.5, counter=True).histogram
    assert text(restarted) == "{count:2, sum:4, (0.5,1]:0.5, (1,2]:1.5}"
    gauge = interpolate(after, before, 0.5, counter=False).histogram
    assert text(gauge) == "{count:6, sum:6, (0.5,1]:2, (1,2]:4}"
