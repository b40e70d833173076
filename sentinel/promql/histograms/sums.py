"""Totals and means of many histograms, with compensated sums.

The sums are Neumaier's (ZAMM 54, 1974): what each addition rounds away is kept and added at the end. The mean
divides such a total; where that would overflow, it goes on from there as a running mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sentinel.model import Floats, Histogram
from sentinel.promql.histograms.arithmetic import Combined, combined
from sentinel.promql.histograms.reconcile import Layout


@np.errstate(all="ignore")
def total(histograms: Sequence[Histogram]) -> Combined:
    """The sum of one or more histograms. Raises IncompatibleError."""
    layout = Layout.of(histograms)
    running, lost = layout.row(histograms[0]), np.zeros(layout.width)
    for one in histograms[1:]:
        running, lost = _plus(layout.row(one), running, lost)
    return combined(layout, running + lost, list(histograms))


@np.errstate(all="ignore")
def mean(histograms: Sequence[Histogram]) -> Combined:
    """The mean of one or more histograms. Raises IncompatibleError."""
    layout = Layout.of(histograms)
    running, lost = layout.row(histograms[0]), np.zeros(layout.width)
    for number, one in enumerate(histograms[1:], start=2):
        row = layout.row(one)
        further = _plus(row, running, lost)
        if np.isinf(further[0]).any():
            return _running_mean(layout, histograms, running / (number - 1), lost / (number - 1), number - 1)
        running, lost = further
    size = len(histograms)
    return combined(layout, running / size + lost / size, list(histograms))


def _running_mean(
    layout: Layout, histograms: Sequence[Histogram], mean: Floats, lost: Floats, taken: int
) -> Combined:
    """The mean of all, given that of those `taken` first."""
    for number, one in enumerate(histograms[taken:], start=taken + 1):
        keep = (number - 1) / number
        mean, lost = _plus(layout.row(one) / number, mean * keep, lost * keep)
    return combined(layout, mean + lost, list(histograms))


def _plus(term: Floats, running: Floats, lost: Floats) -> tuple[Floats, Floats]:
    """One step of the sum: the new running sum, and what was lost so far."""
    after = running + term
    rounded = np.where(np.abs(running) >= np.abs(term), (running - after) + term, (term - after) + running)
    return after, np.where(np.isinf(after), 0, lost + rounded)
