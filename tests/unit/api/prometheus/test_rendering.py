"""Numbers and results, byte for byte as Prometheus writes them."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.api.prometheus import rendering
from sentinel.api.prometheus.results import Table, metric
from sentinel.model import Buckets, Histogram, Labels
from sentinel.model.histogram import CUSTOM_SCHEMA

NUMBERS = [
    (0.0, "0"),
    (-0.0, "-0"),
    (1.0, "1"),
    (-1.5, "-1.5"),
    (0.1, "0.1"),
    (1e-6, "0.000001"),
    (9.5e-7, "9.5e-07"),
    (-1e-7, "-1e-07"),
    (1e16, "10000000000000000"),
    (123456789012345680000.0, "123456789012345680000"),
    (1e21, "1e+21"),
    (-1.25e300, "-1.25e+300"),
    (5e-324, "5e-324"),
    (math.inf, "+Inf"),
    (-math.inf, "-Inf"),
    (math.nan, "NaN"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_numbers(value: float, text: str) -> None:
    assert rendering.number(value) == text


@given(st.floats(allow_nan=False))
def test_numbers_read_back_as_themselves(value: float) -> None:
    text = rendering.number(value)
    assert float(text) == value
    ordinary = value == 0 or (1e-6 <= abs(value) < 1e21)
    assert ("e" in text) is (math.isfinite(value) and not ordinary)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5e+00"),
        (0.0, "0e+00"),
        (-0.0, "-0e+00"),
        (123.0, "1.23e+02"),
        (-1e-7, "-1e-07"),
        (1e100, "1e+100"),
        (math.nan, "NaN"),
        (-math.inf, "-Inf"),
    ],
)
def test_values_of_alerts(value: float, text: str) -> None:
    assert rendering.exponent(value) == text


@pytest.mark.parametrize(
    ("time_ms", "text"), [(0, "0"), (1500, "1.500"), (1007, "1.007"), (-1, "-0.001"), (-2000, "-2")]
)
def test_times(time_ms: int, text: str) -> None:
    assert rendering.seconds(time_ms) == text


EXPONENTIAL = Histogram(
    schema=0,
    count=13,
    sum=3.7,
    zero_threshold=0.25,
    zero_count=3,
    positive=Buckets(0, np.array([2.0, 0.0, 7.0])),
    negative=Buckets(1, np.array([1.0])),
)
CUSTOM = Histogram(
    schema=CUSTOM_SCHEMA, count=3, sum=8.0, positive=Buckets(0, np.array([1.0, 2.0])), custom_values=(0.5,)
)


def table(labels: list[Labels], lasts: list[int], histograms: dict[int, Histogram]) -> Table:
    """Samples 0, 1, 2... at 0, 500, 1000... ms, rows ending at `lasts`."""
    count = lasts[-1] if lasts else 0
    values = np.arange(count, dtype=np.float64)
    metrics = list(map(metric, labels))
    return Table(metrics, [0, *lasts[:-1]], lasts, np.arange(count) * 500, values, histograms)


def test_a_matrix() -> None:
    found = table([Labels({"__name__": "a", "b": 'x"\n'}), Labels()], [2, 3], {})
    assert bytes(rendering.matrix(found)).decode() == (
        '[{"metric":{"__name__":"a","b":"x\\"\\n"},"values":[[0,"0"],[0.500,"1"]]},'
        '{"metric":{},"values":[[1,"2"]]}]'
    )


def test_floats_and_histograms_of_a_series_are_told_apart() -> None:
    found = table([Labels({"a": "b"}), Labels({"a": "c"})], [3, 4], {1: CUSTOM, 3: CUSTOM})
    drawn = {"count": "3", "sum": "8", "buckets": [[3, "-Inf", "0.5", "1"], [0, "0.5", "+Inf", "2"]]}
    assert msgspec.json.decode(rendering.matrix(found)) == [
        {"metric": {"a": "b"}, "values": [[0, "0"], [1, "2"]], "histograms": [[0.5, drawn]]},
        {"metric": {"a": "c"}, "histograms": [[1.5, drawn]]},
    ]


def test_a_vector() -> None:
    found = table([Labels({"a": "b"}), Labels({"a": "c"})], [1, 2], {1: CUSTOM})
    first, second = msgspec.json.decode(rendering.vector(found))
    assert first == {"metric": {"a": "b"}, "value": [0, "0"]}
    assert second["histogram"][1]["count"] == "3"
    assert bytes(rendering.vector(found.head(1))) == b'[{"metric":{"a":"b"},"value":[0,"0"]}]'


def test_nothing_is_an_empty_list() -> None:
    assert bytes(rendering.matrix(table([], [], {}))) == b"[]" == bytes(rendering.vector(table([], [], {})))


def test_an_exponential_histogram() -> None:
    assert rendering.histogram(EXPONENTIAL) == {
        "count": "13",
        "sum": "3.7",
        "buckets": [
            [1, "-2", "-1", "1"],
            [3, "-0.25", "0.25", "3"],
            [0, "0.5", "1", "2"],
            [0, "2", "4", "7"],
        ],
    }


def test_a_histogram_without_observations_has_no_buckets() -> None:
    assert rendering.histogram(Histogram()) == {"count": "0", "sum": "0"}
