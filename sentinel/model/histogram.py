"""Native histograms: one sample that holds a whole distribution.

A sample's column stays one of floats: a histogram stands there as a box, a signalling NaN whose low bits
say where the histogram lies (see `store.histograms`). Arithmetic on a box quiets it, so what forgets to look
gives an ordinary NaN and never another sample's histogram.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
import numpy as np

from sentinel.model.columns import Bools, Floats

ResetHint = Literal["unknown", "reset", "not_reset", "gauge"]
"""What the sample's maker said of the counter; `gauge` is none."""

CUSTOM_SCHEMA: Final = -53
"""The schema of histograms whose bounds are given one by one (`custom_values`)."""
MIN_SCHEMA, MAX_SCHEMA = -4, 8
"""The exponential schemas: bounds grow by 2 ** 2 ** -schema."""
_OCTAVES: Final = 1100
"""Floats reach from 2 ** -1074 to 2 ** 1024: no bucket of schema 0 has an index beyond this."""

BOX_BITS: Final = 0x7FF4_0000_0000_0000
"""With a number below 2**32 added: the box of the histogram of that number."""
_BOX_MASK: Final = np.uint64(0xFFFF_FFFF_0000_0000)


class Buckets(msgspec.Struct, frozen=True, eq=False):
    """Neighbouring buckets of one sign: `counts[i]` is that of bucket `offset + i`. Neither end is empty.

    Bucket `i` of an exponential schema is (base ** (i - 1), base ** i], of the negative side mirrored; bucket
    `i` of custom bounds ends at `custom_values[i]`, the last one at +Inf. Counts are not cumulative.
    """

    offset: int = 0
    counts: Floats = np.empty(0)

    @classmethod
    def of(cls, offset: int, counts: Floats) -> Buckets:
        """Without the empty buckets at both ends."""
        filled = np.flatnonzero(counts)
        if not len(filled):
            return NO_BUCKETS
        first, last = int(filled[0]), int(filled[-1]) + 1
        return cls(offset + first, counts[first:last])

    def __len__(self) -> int:
        return len(self.counts)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Buckets)
            and self.offset == other.offset
            and np.array_equal(self.counts, other.counts, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]


NO_BUCKETS: Final = Buckets()


class Histogram(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A native histogram with float counts. Immutable: operations make new ones."""

    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    count: float = 0.0
    sum: float = 0.0
    positive: Buckets = NO_BUCKETS
    negative: Buckets = NO_BUCKETS
    custom_values: tuple[float, ...] = ()
    """Upper bounds, ascending, without +Inf; only of `CUSTOM_SCHEMA`."""
    reset_hint: ResetHint = "unknown"

    @classmethod
    def load(cls, state: Histogram | dict[str, Any]) -> Histogram:
        """As it was put in a snapshot, or as it comes back from the disk."""
        if isinstance(state, Histogram):
            return state
        sides = {name: Buckets(**state[name]) for name in ("positive", "negative")}
        return cls(**{**state, **sides, "custom_values": tuple(state["custom_values"])})

    @property
    def is_custom(self) -> bool:
        return self.schema == CUSTOM_SCHEMA


def farthest_bucket(schema: int) -> int:
    """Beyond this index, or below its negative, no bucket of an exponential schema can hold a float.

    Sums take room for all buckets between the lowest and the highest, so nothing farther may come in.
    """
    return int(_OCTAVES * 2.0 ** max(schema, 0))


def boxed(values: Floats | np.float64) -> Bools:
    """By row, whether the value is a box."""
    marks: Bools = (values.view(np.uint64) & _BOX_MASK) == np.uint64(BOX_BITS)
    return marks
