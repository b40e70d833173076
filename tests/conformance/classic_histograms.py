"""Native histograms made of classic ones."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from sentinel.model import Buckets, Histogram
from sentinel.model.histogram import CUSTOM_SCHEMA
from sentinel.template.gonumber import shortest


def from_classic(
    bounds: Iterable[float], cumulative: Iterable[float], sum: float, count: float | None = None
) -> Histogram:
    """The native histogram, with custom bounds, of a classic one.

    `bounds` are the values of `le`, in any order, and `cumulative` their counts; of a bound that comes twice
    the first counts. Without a bucket `+Inf` the `count` stands for it, without a `count` the highest bucket
    does. Raises ValueError for counts that are negative or go down, and if `count` is not that of `+Inf`.
    """
    reached: dict[float, float] = {}
    for bound, value in zip(bounds, cumulative, strict=True):
        if math.isnan(bound):
            raise ValueError("bucket boundary must not be NaN")
        reached.setdefault(bound, value)
    whole = reached[max(reached)] if count is None and reached else count or 0.0
    reached.setdefault(math.inf, whole)
    ends = sorted(reached)
    counts = np.diff([0.0, *(reached[end] for end in ends)])
    if (counts < 0).any():
        end = ends[int(np.argmax(counts < 0))]
        raise ValueError(f"count is not cumulative: le={shortest(end)}, count={shortest(reached[end])}")
    if whole != reached[math.inf]:
        raise ValueError(f"count mismatch: {shortest(whole)}, but {shortest(reached[math.inf])} at le=+Inf")
    return Histogram(
        schema=CUSTOM_SCHEMA,
        count=whole,
        sum=sum,
        positive=Buckets.of(0, counts),
        custom_values=tuple(ends[:-1]),
    )
