"""Histograms for tests: written as in test scripts, or made up by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from sentinel.model import Buckets, Floats, Histogram
from sentinel.model.histogram import CUSTOM_SCHEMA
from sentinel.promql.histogram_description import parse_histogram
from sentinel.promql.histograms import buckets
from sentinel.promql.histograms.bounds import bounds


def histogram(text: str) -> Histogram:
    """`histogram("schema:1 count:3 buckets:[1 2]")`."""
    return parse_histogram(text)[0]


def close(left: Histogram, right: Histogram) -> bool:
    """Whether two histograms have one layout and the same figures but for rounding. Hints do not matter."""
    return (
        (left.schema, left.zero_threshold, left.custom_values)
        == (right.schema, right.zero_threshold, right.custom_values)
        and (left.positive.offset, len(left.positive)) == (right.positive.offset, len(right.positive))
        and (left.negative.offset, len(left.negative)) == (right.negative.offset, len(right.negative))
        and np.allclose(figures(left), figures(right), rtol=1e-9, atol=1e-12, equal_nan=True)
    )


def figures(one: Histogram) -> Floats:
    return np.array([one.zero_count, one.count, one.sum, *one.positive.counts, *one.negative.counts])


def counted(one: Histogram) -> float:
    """How many observations are in buckets."""
    return float(buckets(one).count.sum())


COUNTS = st.lists(st.integers(0, 50).map(float), max_size=8)
SIDES = st.builds(lambda offset, counts: Buckets.of(offset, np.array(counts)), st.integers(-12, 12), COUNTS)


@st.composite
def exponential(draw: st.DrawFn, schemas: tuple[int, int] = (-2, 3)) -> Histogram:
    """An exponential histogram that counts what is in its buckets."""
    schema = draw(st.integers(*schemas))
    threshold = draw(st.sampled_from([0.0, 2.0**-128, 0.001, 0.25, 0.7]))
    positive, negative = (_beyond(threshold, schema, draw(SIDES)) for _ in range(2))
    zero = float(draw(st.integers(0, 9)))
    return Histogram(
        schema=schema,
        zero_threshold=threshold,
        zero_count=zero,
        count=float(positive.counts.sum() + negative.counts.sum()) + zero,
        sum=float(draw(st.integers(-1000, 1000))),
        positive=positive,
        negative=negative,
    )


def _beyond(threshold: float, schema: int, side: Buckets) -> Buckets:
    """Without the buckets that lie within the zero bucket."""
    ends = bounds(schema, np.arange(side.offset, side.offset + len(side)))
    return Buckets.of(side.offset, np.where(ends > threshold, side.counts, 0))


@st.composite
def custom(draw: st.DrawFn) -> Histogram:
    """A histogram with custom bounds that counts what is in its buckets."""
    bounds = sorted(draw(st.sets(st.sampled_from([-5.0, 0.0, 1.0, 2.0, 5.0, 10.0]), max_size=5)))
    size = len(bounds) + 1
    counts = draw(st.lists(st.integers(0, 50).map(float), min_size=size, max_size=size))
    return Histogram(
        schema=CUSTOM_SCHEMA,
        count=sum(counts),
        sum=float(draw(st.integers(-1000, 1000))),
        positive=Buckets.of(0, np.array(counts)),
        custom_values=tuple(bounds),
    )


ANY = exponential() | custom()
PAIRS = st.tuples(exponential(), exponential()) | st.tuples(custom(), custom())
