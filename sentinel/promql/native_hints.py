"""What is known of native histograms' counters: whether a sample begins anew.

Samples say so themselves (`reset_hint`). What lies between the steps of a subquery is unseen, so there nobody
can say; and where only count or sum are asked for, each sample is compared with the one before it, as
Prometheus does when it leaves the buckets unread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from sentinel.model import Histogram
from sentinel.model.histogram import ResetHint, boxed
from sentinel.promql import ast
from sentinel.promql.histograms import is_reset
from sentinel.promql.moment import Run
from sentinel.promql.native import kinds
from sentinel.promql.steps import flat
from sentinel.promql.values import Matrix

_OF_COUNTS: Final = ("histogram_count", "histogram_sum", "histogram_avg")
_OF_BUCKETS: Final = ("histogram_quantile", "histogram_quantiles", "histogram_fraction")


def counted(expr: ast.Expr, *, asked: bool = False) -> Iterator[int]:
    """The id() of each selector of whose histograms only count and sum are asked."""
    if isinstance(expr, ast.Selector) and asked:
        yield id(expr)
    if isinstance(expr, ast.Subquery):
        return
    if isinstance(expr, ast.Call):
        if expr.function in _OF_BUCKETS:
            return
        asked = asked or expr.function in _OF_COUNTS
    if isinstance(expr, ast.Binary) and expr.op in ast.TRIMS:
        return
    for child in expr.children():
        yield from counted(child, asked=asked)


def unknown(run: Run, matrix: Matrix) -> Matrix:
    """A subquery's samples, of which nobody can say."""
    return _rewritten(run, matrix, lambda histograms: [_hinted(each, "unknown") for each in histograms])


def detected(run: Run, matrix: Matrix) -> Matrix:
    """Samples compared each with the one before it."""
    return _rewritten(run, matrix, _detected)


def _detected(histograms: Sequence[Histogram]) -> list[Histogram]:
    found = list(histograms[:1])
    for before, now in pairwise(histograms):
        hint: ResetHint = "reset" if is_reset(now, before) else "not_reset"
        found.append(now if now.reset_hint != "unknown" else _hinted(now, hint))
    return found


def _hinted(histogram: Histogram, hint: ResetHint) -> Histogram:
    if histogram.reset_hint in (hint, "gauge"):
        return histogram
    return msgspec.structs.replace(histogram, reset_hint=hint)


def _rewritten(run: Run, matrix: Matrix, change: Callable[[Sequence[Histogram]], list[Histogram]]) -> Matrix:
    where, row_of = flat(matrix)
    values = matrix.value[where]
    for row in np.flatnonzero(kinds(matrix)[1]).tolist():
        places = np.flatnonzero((row_of == row) & boxed(values))
        values[places] = run.histograms.box(change(run.histograms.unbox(values[places])))
    last = np.cumsum(matrix.count)
    timestamp_ms = matrix.timestamp_ms[where]
    return msgspec.structs.replace(
        matrix, first=last - matrix.count, last=last, timestamp_ms=timestamp_ms, value=values
    )
