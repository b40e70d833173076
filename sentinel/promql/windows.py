"""Range selectors' windows made fit for the functions: no empty rows, no staleness markers."""

from __future__ import annotations

import numpy as np

from sentinel.model import STALE_BITS, Int64s
from sentinel.promql.values import Matrix


def tidied(matrix: Matrix, where: Int64s | None, marked: bool) -> Matrix:
    """The matrix in its final order, without empty rows and, if any is `marked`, without markers.

    `matrix.first` and `last` come in the order of slots; `where` says by row which of them is its own, None
    that they are in order already. Samples are copied only if there are markers among them.
    """
    from sentinel.promql.functions import _kernels

    first, last, timestamp_ms, value, least = (
        matrix.first,
        matrix.last,
        matrix.timestamp_ms,
        matrix.value,
        matrix.least,
    )
    if marked:
        size, least = int(matrix.count.sum()), 0
        spans = (first, last, timestamp_ms, value, value.view(np.uint64), np.uint64(STALE_BITS))
        timestamp_ms, value = np.empty(size, np.int64), np.empty(size)
        last = _kernels.copy_samples(*spans, timestamp_ms, value)
        first = np.concatenate(([0], last[:-1]))
    if where is not None:
        first, last = first[where], last[where]
    start_ms, end_ms = matrix.start_ms, matrix.end_ms
    matrix = Matrix(matrix.ids, first, last, timestamp_ms, value, start_ms, end_ms, least=least)
    if least:
        return matrix
    filled = last > first
    return matrix if filled.all() else matrix.take(filled)
