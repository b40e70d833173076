"""Adding, scaling and comparing native histograms, as PromQL's operators do."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np

from sentinel.model import Buckets, Floats, Histogram
from sentinel.model.histogram import NO_BUCKETS, ResetHint
from sentinel.promql.histograms.reconcile import Layout, merged_index
from sentinel.promql.histograms.resets import is_reset


class Combined(NamedTuple):
    """What several histograms made, and what there is to tell about it."""

    histogram: Histogram
    collision: bool
    """One was said to come after a counter reset, another not to: what the sum comes after nobody knows."""
    reconciled: bool
    """Custom bounds differed; those that all have are left."""


def combined(layout: Layout, row: Floats, parts: list[Histogram]) -> Combined:
    """A row made of these histograms, with the hint and the remarks that follow from theirs."""
    hints = {part.reset_hint for part in parts}
    hint: ResetHint = "unknown"
    if "gauge" in hints:
        hint = "gauge"
    elif len(hints) == 1:
        hint = parts[0].reset_hint
    return Combined(
        layout.histogram(row, hint),
        collision=hints >= {"reset", "not_reset"},
        reconciled=any(part.custom_values != layout.custom_values for part in parts),
    )


@np.errstate(all="ignore")
def add(left: Histogram, right: Histogram) -> Combined:
    """The sum of two histograms. Raises IncompatibleError."""
    layout = Layout.of((left, right))
    return combined(layout, layout.row(left) + layout.row(right), [left, right])


@np.errstate(all="ignore")
def subtract(left: Histogram, right: Histogram) -> Combined:
    """The difference of two histograms, with the hint of their sum: who knows it for a gauge must say so.

    Raises IncompatibleError.
    """
    layout = Layout.of((left, right))
    return combined(layout, layout.row(left) - layout.row(right), [left, right])


@np.errstate(all="ignore")
def interpolate(before: Histogram, after: Histogram, share: float, *, counter: bool) -> Combined:
    """What lay between two histograms at `share`, 0 to 1, of the way from the one to the other.

    A counter that was reset between them is taken to have started from zero at the first. Raises
    IncompatibleError.
    """
    if counter and is_reset(after, before):
        return Combined(scale(after, share), collision=False, reconciled=False)
    layout = Layout.of((before, after))
    start = layout.row(before)
    return combined(layout, start + (layout.row(after) - start) * share, [before, after])


@np.errstate(all="ignore")
def scale(histogram: Histogram, factor: float) -> Histogram:
    """The histogram with every count and the sum multiplied; a negative factor makes it a gauge."""
    return msgspec.structs.replace(
        histogram,
        zero_count=histogram.zero_count * factor,
        count=histogram.count * factor,
        sum=histogram.sum * factor,
        positive=_populated(histogram.positive, histogram.positive.counts * factor),
        negative=_populated(histogram.negative, histogram.negative.counts * factor),
        reset_hint="gauge" if factor < 0 else histogram.reset_hint,
    )


@np.errstate(all="ignore")
def divide(histogram: Histogram, by: float) -> Histogram:
    """The histogram with every count and the sum divided; division by zero also removes all buckets."""
    if by == 0:
        bare = msgspec.structs.replace(histogram, positive=NO_BUCKETS, negative=NO_BUCKETS)
        infinite = scale(bare, math.copysign(math.inf, by))
        return msgspec.structs.replace(infinite, reset_hint=histogram.reset_hint)
    return msgspec.structs.replace(
        histogram,
        zero_count=histogram.zero_count / by,
        count=histogram.count / by,
        sum=histogram.sum / by,
        positive=_populated(histogram.positive, histogram.positive.counts / by),
        negative=_populated(histogram.negative, histogram.negative.counts / by),
        reset_hint="gauge" if by < 0 else histogram.reset_hint,
    )


def _populated(side: Buckets, counts: Floats) -> Buckets:
    """The side with other counts. Empty buckets stay empty, whatever they were multiplied with."""
    return Buckets.of(side.offset, np.where(side.counts == 0, 0, counts))


def with_schema(histogram: Histogram, schema: int) -> Histogram:
    """An exponential histogram at a lower resolution, or the same one at its own."""
    shift = histogram.schema - schema
    if shift == 0:
        return histogram
    if histogram.is_custom or shift < 0:
        raise ValueError(f"a histogram of schema {histogram.schema} cannot be given schema {schema}")
    return msgspec.structs.replace(
        histogram,
        schema=schema,
        positive=_merged(histogram.positive, shift),
        negative=_merged(histogram.negative, shift),
    )


def _merged(side: Buckets, shift: int) -> Buckets:
    if not len(side):
        return side
    index = merged_index(side, shift)
    counts: Floats = np.bincount(index - index[0], side.counts).astype(np.float64, copy=False)
    return Buckets.of(int(index[0]), counts)


def equal(left: Histogram, right: Histogram) -> bool:
    """PromQL's `==`: the same layout and, bit by bit, the same figures. Hints do not matter."""
    return (
        (left.schema, left.custom_values, left.zero_threshold)
        == (right.schema, right.custom_values, right.zero_threshold)
        and _same(_figures(left), _figures(right))
        and _same_side(left.positive, right.positive)
        and _same_side(left.negative, right.negative)
    )


def _figures(histogram: Histogram) -> Floats:
    return np.array([histogram.zero_count, histogram.count, histogram.sum])


def _same_side(left: Buckets, right: Buckets) -> bool:
    """An empty bucket is an empty bucket, whatever the sign of its zero."""
    return left.offset == right.offset and _same(left.counts + 0.0, right.counts + 0.0)


def _same(left: Floats, right: Floats) -> bool:
    return left.tobytes() == right.tobytes()
