"""Buckets as tables and as text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from given_histograms import ANY, histogram
from hypothesis import given, settings

from sentinel.model import Buckets, Histogram
from sentinel.promql.histograms import buckets, text
from sentinel.promql.histograms.bounds import bounds

MAX = float(np.finfo(np.float64).max)

BOUNDS = [
    (0, -1, 0.5),
    (0, 0, 1.0),
    (0, 3, 8.0),
    (1, 1, 1.414213562373095),
    (2, 1, 1.189207115002721),
    (3, 1, 1.0905077326652577),
    (8, 1, 1.0027112750502025),
    (8, 256, 2.0),
    (8, -256, 0.5),
    (-1, 1, 4.0),
    (-4, -1, 2.0**-16),
    (0, 1024, MAX),
    (0, 1025, math.inf),
    (-4, 64, MAX),
    (-4, 65, math.inf),
    (8, 1024 * 256, MAX),
    (8, 1024 * 256 + 1, math.inf),
    (0, -1074, 5e-324),
    (0, -1076, 0.0),
    (0, 2**31, math.inf),
]


@pytest.mark.parametrize(("schema", "index", "expected"), BOUNDS)
def test_bounds_are_prometheus_s_to_the_last_digit(schema: int, index: int, expected: float) -> None:
    assert bounds(schema, np.array([index])).tolist() == [expected]


@pytest.mark.parametrize("schema", range(-4, 9))
def test_bounds_of_a_schema_are_among_those_of_the_next(schema: int) -> None:
    index = np.arange(-40, 40)
    fine = bounds(8, index << (8 - schema))
    assert bounds(schema, index).tolist() == fine.tolist()
    assert (np.diff(fine) > 0).all()


TABLES = [
    ("", []),
    ("count:3 sum:5 buckets:[1 0 2]", [(0.5, 1, 1, 0), (2, 4, 2, 0)]),
    ("schema:-1 offset:1 buckets:[3]", [(1, 4, 3, 0)]),
    (
        "z_bucket:5 z_bucket_w:0.001 buckets:[2] n_buckets:[3 4]",
        [(-2, -1, 4, 1), (-1, -0.5, 3, 1), (-0.001, 0.001, 5, 3), (0.5, 1, 2, 0)],
    ),
    (
        "z_bucket:1 z_bucket_w:0.75 buckets:[2] n_buckets:[3]",
        [(-1, -0.75, 3, 1), (-0.75, 0.75, 1, 3), (0.75, 1, 2, 0)],
    ),
    (
        "schema:-53 custom_values:[5 10] buckets:[1 2 4]",
        [(-math.inf, 5, 1, 3), (5, 10, 2, 0), (10, math.inf, 4, 0)],
    ),
    ("schema:-53 custom_values:[5 10] offset:2 buckets:[4]", [(10, math.inf, 4, 0)]),
    ("schema:-53 buckets:[7]", [(-math.inf, math.inf, 7, 3)]),
]


@pytest.mark.parametrize(("described", "expected"), TABLES)
def test_bucket_tables(described: str, expected: list[tuple[float, float, float, int]]) -> None:
    table = buckets(histogram(described))
    assert list(zip(table.lower, table.upper, table.count, table.boundaries, strict=True)) == expected


TEXTS = [
    ("", "{count:0, sum:0}"),
    ("count:3 sum:2 buckets:[1 2]", "{count:3, sum:2, (0.5,1]:1, (1,2]:2}"),
    ("count:1 sum:-1.5 n_buckets:[0 1]", "{count:1, sum:-1.5, [-2,-1):1}"),
    ("count:1e9 z_bucket:-2 z_bucket_w:0.5 buckets:[1]", "{count:1e+09, sum:0, [-0.5,0.5]:-2, (0.5,1]:1}"),
    ("z_bucket:1 z_bucket_w:0.75 buckets:[2]", "{count:0, sum:0, [-0.75,0.75]:1, (0.5,1]:2}"),
    (
        "schema:-53 sum:NaN count:6 custom_values:[2.5] buckets:[1 5]",
        "{count:6, sum:NaN, [-Inf,2.5]:1, (2.5,+Inf]:5}",
    ),
]


@pytest.mark.parametrize(("described", "expected"), TEXTS)
def test_text_is_prometheus_s(described: str, expected: str) -> None:
    assert text(histogram(described)) == expected


@given(ANY)
@settings(max_examples=60)
def test_a_table_ascends_and_holds_every_observation(one: Histogram) -> None:
    table = buckets(one)
    assert (table.count > 0).all()
    assert table.count.sum() == one.count
    assert (np.diff(table.upper) > 0).all()


def test_infinities_have_buckets_of_their_own() -> None:
    beyond = Histogram(count=2, positive=Buckets(1024, np.ones(2)), negative=Buckets(1025, np.ones(1)))
    assert text(beyond) == (
        "{count:2, sum:0, [-Inf,-1.7976931348623157e+308):1, "
        "(8.98846567431158e+307,1.7976931348623157e+308]:1, (1.7976931348623157e+308,+Inf]:1}"
    )
