"""One bucket layout for several histograms, in which they can be added and compared.

The coarsest schema wins. The zero bucket grows until it holds everybody's and cuts no populated bucket. Of
custom bounds those stay that all have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np

from sentinel.model import Buckets, Floats, Histogram, Int64s
from sentinel.model.histogram import ResetHint
from sentinel.promql.histograms.bounds import limits

_SUM, _COUNT, _ZERO, _HEAD = range(4)


class IncompatibleError(ValueError):
    """An exponential histogram met one with custom bounds: there is no layout that both fit."""


class Span(NamedTuple):
    """Neighbouring buckets: the index of the first, and how many."""

    first: int
    length: int


class Layout(NamedTuple):
    """Where a histogram's figures stand in a row: sum, count, zero bucket, positive and negative buckets."""

    schema: int
    zero_threshold: float
    custom_values: tuple[float, ...]
    positive: Span
    negative: Span

    @classmethod
    def of(cls, histograms: Sequence[Histogram]) -> Self:
        """The finest layout that fits every histogram.

        Raises IncompatibleError.
        """
        first = histograms[0]
        if any(one.is_custom is not first.is_custom for one in histograms):
            raise IncompatibleError("a mix of histograms with exponential and custom bounds")
        if first.is_custom:
            shared = _shared_bounds(histograms)
            return cls(first.schema, 0.0, shared, Span(0, len(shared) + 1), Span(0, 0))
        schema = min(one.schema for one in histograms)
        positive = _span((one.schema - schema, one.positive) for one in histograms)
        negative = _span((one.schema - schema, one.negative) for one in histograms)
        return cls(schema, _zero_threshold(histograms), (), positive, negative)

    @property
    def width(self) -> int:
        """How many figures a row holds."""
        return _HEAD + self.positive.length + self.negative.length

    def row(self, histogram: Histogram) -> Floats:
        """The histogram's figures in this layout."""
        positive, negative, zero = histogram.positive, histogram.negative, histogram.zero_count
        if histogram.zero_threshold != self.zero_threshold:
            positive, near_above = self._beyond_zero(histogram, positive)
            negative, near_below = self._beyond_zero(histogram, negative)
            zero += near_above + near_below
        row = np.zeros(self.width)
        row[:_HEAD] = histogram.sum, histogram.count, zero
        middle = _HEAD + self.positive.length
        self._fill(row[_HEAD:middle], self.positive.first, histogram, positive)
        self._fill(row[middle:], self.negative.first, histogram, negative)
        return row

    def histogram(self, row: Floats, hint: ResetHint) -> Histogram:
        """The histogram whose row this is."""
        middle = _HEAD + self.positive.length
        return Histogram(
            schema=self.schema,
            zero_threshold=self.zero_threshold,
            zero_count=float(row[_ZERO]),
            count=float(row[_COUNT]),
            sum=float(row[_SUM]),
            positive=Buckets.of(self.positive.first, row[_HEAD:middle]),
            negative=Buckets.of(self.negative.first, row[middle:]),
            custom_values=self.custom_values,
            reset_hint=hint,
        )

    def _beyond_zero(self, histogram: Histogram, side: Buckets) -> tuple[Buckets, float]:
        """The side without what lies within this zero bucket, and how much that is."""
        within = limits(histogram, side)[1] <= self.zero_threshold
        return Buckets(side.offset, np.where(within, 0, side.counts)), float(side.counts[within].sum())

    def _fill(self, part: Floats, first: int, histogram: Histogram, side: Buckets) -> None:
        """Put a side's counts where they stand in this layout, whose bucket `first` is `part[0]`."""
        if (histogram.schema, histogram.custom_values) == (self.schema, self.custom_values):
            start = side.offset - first
            part[start : start + len(side)] = side.counts
            return
        if histogram.is_custom:
            index = np.searchsorted(self.custom_values, limits(histogram, side)[1])
        else:
            index = merged_index(side, histogram.schema - self.schema)
        part[:] = np.bincount(index - first, side.counts, len(part))


def merged_index(side: Buckets, shift: int) -> Int64s:
    """Where each of these buckets goes in a schema that is lower by `shift`."""
    index: Int64s = ((np.arange(side.offset, side.offset + len(side)) - 1) >> shift) + 1
    return index


def _span(sides: Iterator[tuple[int, Buckets]]) -> Span:
    """What sides cover once their schemas are lowered by the given shifts."""
    first, last = [], []
    for shift, side in sides:
        if len(side):
            first.append(((side.offset - 1) >> shift) + 1)
            last.append(((side.offset + len(side) - 2) >> shift) + 1)
    return Span(min(first), max(last) + 1 - min(first)) if first else Span(0, 0)


def _shared_bounds(histograms: Sequence[Histogram]) -> tuple[float, ...]:
    shared = histograms[0].custom_values
    for one in histograms[1:]:
        if one.custom_values != shared:
            known = frozenset(one.custom_values)
            shared = tuple(bound for bound in shared if bound in known)
    return shared


def _zero_threshold(histograms: Sequence[Histogram]) -> float:
    """The smallest threshold that reaches everybody's and lies within nobody's populated bucket."""
    threshold = max(one.zero_threshold for one in histograms)
    while (wider := max(_cleared(one, threshold) for one in histograms)) > threshold:
        threshold = wider
    return threshold


def _cleared(histogram: Histogram, threshold: float) -> float:
    """The threshold, or if a populated bucket holds it the end of that bucket."""
    if threshold == histogram.zero_threshold:
        return threshold
    for side in (histogram.positive, histogram.negative):
        near, far = limits(histogram, side)
        holding = far[(near < threshold) & (threshold < far) & (side.counts != 0)]
        threshold = float(max(holding, default=threshold))
    return threshold
