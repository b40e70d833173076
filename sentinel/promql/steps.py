"""Vectors of many times put together as a matrix: what a subquery and a range query do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Bools, Int32s, Int64s
from sentinel.promql.labelsets import LabelSets
from sentinel.promql.values import Matrix, Vector


def number_groups(sets: LabelSets, ids: Int64s) -> tuple[Int32s, Int64s]:
    """(number by row, id by number) of the distinct ids, numbered in the order in which they appear."""
    from sentinel.promql import _kernels

    group, members = np.empty(len(ids), np.int32), np.empty(len(ids), np.int64)
    found = _kernels.number_groups(np.ascontiguousarray(ids), sets.scratch(), group, members)
    return group, members[:found].copy()


def gather(sets: LabelSets, steps: Sequence[tuple[int, Vector]], start_ms: int, end_ms: int) -> Matrix:
    """The matrix of (time, vector) pairs in order of time; rows in the order in which series appear."""
    vectors = [vector for _, vector in steps]
    ids = np.concatenate([vector.ids for vector in vectors]) if steps else np.empty(0, np.int64)
    values = np.concatenate([vector.values for vector in vectors]) if steps else np.empty(0)
    times = np.array([at_ms for at_ms, _ in steps], np.int64)
    timestamp_ms = np.repeat(times, [len(vector) for vector in vectors])
    marks = _marks(vectors)
    group, members = number_groups(sets, ids)
    order = np.argsort(group, kind="stable")
    last = np.cumsum(np.bincount(group, minlength=len(members)))
    first = np.concatenate(([0], last[:-1])).astype(np.int64) if len(members) else last
    drop_name = None if marks is None else marks[order][first]
    return Matrix(members, first, last, timestamp_ms[order], values[order], start_ms, end_ms, drop_name)


def merged(sets: LabelSets, matrix: Matrix) -> Matrix:
    """The matrix with rows of equal labels made one; QueryError if they have samples at the same time."""
    if sets.duplicate(matrix.ids) < 0:
        return matrix
    where, row = flat(matrix)
    ids, timestamp_ms, values = matrix.ids[row], matrix.timestamp_ms[where], matrix.value[where]
    group, members = number_groups(sets, ids)
    order = np.lexsort((timestamp_ms, group))
    group, timestamp_ms = group[order], timestamp_ms[order]
    if ((group[1:] == group[:-1]) & (timestamp_ms[1:] == timestamp_ms[:-1])).any():
        raise QueryError("vector cannot contain metrics with the same labelset", kind="execution")
    last = np.cumsum(np.bincount(group, minlength=len(members)))
    first = np.concatenate(([0], last[:-1])).astype(np.int64)
    return Matrix(members, first, last, timestamp_ms, values[order], matrix.start_ms, matrix.end_ms)


def flat(matrix: Matrix) -> tuple[Int64s, Int64s]:
    """(place in the slabs, row) of each sample, row after row."""
    count = matrix.count
    row = np.repeat(np.arange(len(matrix)), count)
    begin = np.cumsum(count) - count
    return (matrix.first - begin)[row] + np.arange(len(row)), row


def _marks(vectors: Sequence[Vector]) -> Bools | None:
    if all(vector.drop_name is None for vector in vectors):
        return None
    none: list[Bools] = [np.zeros(len(vector), np.bool_) for vector in vectors]
    return np.concatenate(
        [
            mark if vector.drop_name is None else vector.drop_name
            for vector, mark in zip(vectors, none, strict=True)
        ]
    )
