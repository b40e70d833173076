"""PromQL's trim operators: a histogram without what lies above or below a value."""

from __future__ import annotations

import msgspec
import numpy as np

from sentinel.model import Buckets, Floats, Histogram
from sentinel.promql.histograms.bounds import limits
from sentinel.promql.histograms.statistics import share_below, zero_bucket


def trim_upper(histogram: Histogram, bound: float) -> Histogram:
    """`histogram </ bound`: what lies below. Count and sum are estimated anew if anything goes."""
    return _trimmed(histogram, bound, below=True)


def trim_lower(histogram: Histogram, bound: float) -> Histogram:
    """`histogram >/ bound`: what lies above. Count and sum are estimated anew if anything goes."""
    return _trimmed(histogram, bound, below=False)


@np.errstate(all="ignore")
def _trimmed(histogram: Histogram, bound: float, *, below: bool) -> Histogram:
    cut = _Cut(bound, below=below)
    near, far = limits(histogram, histogram.positive)
    positive = cut.side(near, far, histogram.positive.counts, linear=histogram.is_custom)
    near, far = limits(histogram, histogram.negative)
    negative = cut.side(-far, -near, histogram.negative.counts, linear=False)
    zero = histogram.zero_count
    if zero > 0:
        lower, upper = zero_bucket(histogram)
        zero = float(cut.side(np.array([lower]), np.array([upper]), np.array([zero]), linear=True)[0])
    if not cut.trimmed:
        return histogram
    return msgspec.structs.replace(
        histogram,
        zero_count=zero,
        count=cut.count,
        sum=cut.sum,
        positive=Buckets.of(histogram.positive.offset, positive),
        negative=Buckets.of(histogram.negative.offset, negative),
    )


class _Cut:
    """A cut through a histogram, and what was counted on the side that is kept."""

    def __init__(self, bound: float, *, below: bool) -> None:
        self._bound, self._below = bound, below
        self.count = self.sum = 0.0
        self.trimmed = False

    def side(self, lower: Floats, upper: Floats, counts: Floats, *, linear: bool) -> Floats:
        """What is kept of these buckets."""
        if not len(counts):
            return counts
        inside = (lower < self._bound) & (self._bound < upper)
        whole = (lower < self._bound) & (upper <= self._bound) if self._below else lower >= self._bound
        kept = np.where(whole, counts, np.where(inside, self._part(lower, upper, counts, linear), 0))
        if self._below:
            upper = np.where(inside, self._bound, upper)
        else:
            lower = np.where(inside, self._bound, lower)
        self.count += float(kept.sum())
        self.sum += float((kept * _middle(lower, upper, linear))[kept != 0].sum())
        self.trimmed |= not np.array_equal(kept, counts)
        return kept

    def _part(self, lower: Floats, upper: Floats, counts: Floats, linear: bool) -> Floats:
        """What is kept of buckets that the bound lies in.

        One from -Inf to a positive bound counts from zero; where that does not tell, nothing of it is kept.
        """
        from_zero = (lower == -np.inf) & (upper > 0)
        share = share_below(np.where(from_zero, 0, lower), upper, self._bound, linear=linear)
        part = counts * share if self._below else counts - counts * share
        return np.where(from_zero & ((self._bound < 0) | (upper == np.inf)), 0, part)


def _middle(lower: Floats, upper: Floats, linear: bool) -> Floats:
    """Where the observations of an interval are taken to lie; at its finite end, or half way to zero."""
    if linear:
        middle = (lower + upper) / 2
    else:
        middle = np.copysign(np.sqrt(np.abs(lower)) * np.sqrt(np.abs(upper)), upper)
    middle = np.where(upper == np.inf, lower, middle)
    from_below = np.where(upper == np.inf, 0, np.where(upper > 0, upper / 2, upper))
    return np.where(lower == -np.inf, from_below, middle)
