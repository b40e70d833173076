"""What expressions evaluate to: columns, never an object per series.

Label sets are ids of the evaluator's `LabelSets`. `drop_name` marks rows whose `__name__` goes at the end of
the evaluation (Prometheus's delayed name removal); None stands for no such row.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from sentinel.model import Bools, Floats, Int64s


class Scalar(msgspec.Struct, frozen=True, eq=False):
    value: float


class String(msgspec.Struct, frozen=True, eq=False):
    value: str


class Vector(msgspec.Struct, frozen=True, eq=False):
    """One sample of each series, all at the time of the evaluation.

    `timestamp_ms` holds when the samples were taken; only selectors set it, and only `timestamp()` asks.
    """

    ids: Int64s
    values: Floats
    drop_name: Bools | None = None
    timestamp_ms: Int64s | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int64s | Bools) -> Vector:
        """Some of the rows, chosen by a mask or in the order of an index."""
        drop_name = None if self.drop_name is None else self.drop_name[rows]
        return Vector(self.ids[rows], self.values[rows], drop_name)

    def with_values(self, values: Floats) -> Vector:
        return Vector(self.ids, values, self.drop_name)


class Matrix(msgspec.Struct, frozen=True, eq=False):
    """Samples of each series within (start, end], in time order: row `i` is slab `[first[i], last[i])`.

    No row is empty and no sample is a staleness marker. The slabs may be the store's own: never write there.
    """

    ids: Int64s
    first: Int64s
    last: Int64s
    timestamp_ms: Int64s
    value: Floats
    start_ms: int
    end_ms: int
    drop_name: Bools | None = None
    least: int = 0
    """No row has fewer samples."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def count(self) -> Int64s:
        """Samples by row."""
        return self.last - self.first

    def take(self, rows: Int64s | Bools) -> Matrix:
        drop_name = None if self.drop_name is None else self.drop_name[rows]
        return msgspec.structs.replace(
            self, ids=self.ids[rows], first=self.first[rows], last=self.last[rows], drop_name=drop_name
        )


Value = Scalar | String | Vector | Matrix


NO_SERIES: Final = Vector(np.empty(0, np.int64), np.empty(0))


def either(left: Bools | None, right: Bools | None) -> Bools | None:
    """Where one of two row-aligned marks is set."""
    if left is None or right is None:
        return right if left is None else left
    return left | right
