"""Range selectors' windows made fit for the functions: no empty rows, no staleness markers."""

from __future__ import annotations

import numpy as np

from sentinel.model import STALE_BITS, Int64s
from sentinel.promql.values import Matrix


def without_stale(matrix: Matrix, where: Int64s) -> Matrix:
    """The matrix in its final order, without markers and rows that have no sample.

    `matrix.first` and `last` come in the order of slots; `where` says by row which of them is its own.
    Samples are copied only if there are markers among them.
    """
    from sentinel.promql.functions import _kernels

    bits, marker = matrix.value.view(np.uint64), np.uint64(STALE_BITS)
    first, last, timestamp_ms, value = matrix.first, matrix.last, matrix.timestamp_ms, matrix.value
    if _kernels.has_marker(first, last, bits, marker):
        size = int(matrix.count.sum())
        timestamp_ms, value = np.empty(size, np.int64), np.empty(size)
        spans = (first, last, matrix.timestamp_ms, matrix.value)
        last = _kernels.copy_samples(*spans, bits, marker, timestamp_ms, value)
        first = np.concatenate(([0], last[:-1]))
    first, last = first[where], last[where]
    filled = last > first
    start_ms, end_ms = matrix.start_ms, matrix.end_ms
    matrix = Matrix(matrix.ids, first, last, timestamp_ms, value, start_ms, end_ms)
    return matrix if filled.all() else matrix.take(filled)
