"""Native histograms as remote write carries them: with integer or float counts, buckets in spans.

What Prometheus refuses is refused: buckets that spans do not account for, negative counts, a count that is
not the sum of all buckets, custom bounds that do not ascend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, NoReturn

import numpy as np

from sentinel.decode._remote_write_plain import (
    BYTES,
    FIXED64,
    VARINT,
    Field,
    need,
    read_fields,
    read_varint,
)
from sentinel.errors import DecodeError
from sentinel.model import STALE_BITS, Buckets, Floats, Histogram
from sentinel.model.histogram import (
    CUSTOM_SCHEMA,
    MAX_SCHEMA,
    MIN_SCHEMA,
    NO_BUCKETS,
    ResetHint,
    farthest_bucket,
)

_HINTS: Final[tuple[ResetHint, ...]] = ("unknown", "reset", "not_reset", "gauge")
_INT32: Final = 1 << 31

Span = tuple[int, int]
"""(gap before it, number of buckets)."""


class Message:
    """The fields of a Histogram message, numbers as they are written and lists put together."""

    def __init__(self, data: bytes) -> None:
        """Raises DecodeError."""
        self.ints = dict.fromkeys((1, 4, 6, 14), 0)
        self.floats = dict.fromkeys((2, 3, 5, 7), 0.0)
        self.spans: dict[int, list[Span]] = {8: [], 11: []}
        self.deltas: dict[int, list[int]] = {9: [], 12: []}
        self.counts: dict[int, list[float]] = {10: [], 13: [], 16: []}
        self.is_float = self.is_stale = False
        for field in read_fields(data, 0, len(data)):
            self._take(field)

    def _take(self, field: Field) -> None:
        number = field.number
        if number in self.ints:
            need(field, VARINT)
            self.ints[number] = field.value
        elif number in self.floats:
            need(field, FIXED64)
            self.floats[number] = float(np.frombuffer(field.data, "<f8")[0])
        elif number in self.spans:
            need(field, BYTES)
            self.spans[number].append(_span(field.data))
        elif number in self.deltas:
            self.deltas[number] += map(_zigzag, _integers(field))
        elif number in self.counts:
            self.counts[number] += _doubles(field)
        if number in (1, 2):
            self.is_float = number == 2
        elif number == 3:
            self.is_stale = int.from_bytes(field.data, "little") == STALE_BITS


def read_histogram(data: bytes, most_buckets: int) -> Histogram | None:
    """The histogram of a Histogram message, or None for a staleness marker.

    Raises DecodeError for what is none, or has more than `most_buckets` from the first to the last of a side.
    """
    message = Message(data)
    if message.is_stale:
        return None
    schema, custom = _zigzag(message.ints[4]), tuple(message.counts[16])
    positive = _Side(message, 11, most_buckets)
    negative = _Side(message, 8, most_buckets)
    zero_count = message.floats[7] if message.is_float else message.ints[6]
    count = message.floats[2] if message.is_float else message.ints[1]
    if zero_count < 0 or count < 0:
        refuse("a negative count")
    if schema == CUSTOM_SCHEMA:
        _check_bounds(custom, positive)
        if zero_count or message.floats[5] or negative.spans or negative.given:
            refuse("custom bounds beside a zero bucket or negative ones")
    elif not MIN_SCHEMA <= schema <= MAX_SCHEMA or custom:
        refuse(f"schema {schema}, or custom bounds that it has not")
    else:
        _check_reach(schema, positive, negative)
    total = message.floats[3]
    if not message.is_float:
        _check_sum(int(count), int(zero_count) + positive.total + negative.total, math.isnan(total))
    return Histogram(
        schema=schema,
        zero_threshold=message.floats[5],
        zero_count=float(zero_count),
        count=float(count),
        sum=total,
        positive=positive.buckets(),
        negative=negative.buckets(),
        custom_values=custom,
        reset_hint=_HINTS[message.ints[14]] if message.ints[14] < len(_HINTS) else "unknown",
    )


class _Side:
    """The buckets of one sign. Raises DecodeError."""

    def __init__(self, message: Message, number: int, most: int) -> None:
        self.spans = message.spans[number]
        counts: Sequence[float] = message.counts[number + 2]
        self.given = counts if message.is_float else list(accumulate(message.deltas[number + 1]))
        self.total = 0 if message.is_float else int(sum(self.given))
        if any(gap < 0 for gap, _ in self.spans[1:]):
            refuse("buckets that go back")
        if sum(length for _, length in self.spans) != len(self.given):
            refuse("spans that do not fit the buckets")
        if any(count < 0 for count in self.given):
            refuse("a negative count")
        self.first = self.spans[0][0] if self.spans else 0
        self.width = sum(gap + length for gap, length in self.spans) - self.first
        if self.width > most or not -_INT32 <= self.first < _INT32 - self.width:
            refuse(f"buckets further apart than {most}")

    def buckets(self) -> Buckets:
        if not self.given:
            return NO_BUCKETS
        counts: Floats = np.zeros(self.width)
        place, taken = -self.first, 0
        for gap, length in self.spans:
            place += gap
            counts[place : place + length] = self.given[taken : taken + length]
            place, taken = place + length, taken + length
        return Buckets.of(self.first, counts)


def refuse(detail: str) -> NoReturn:
    raise DecodeError("remote_write", "invalid_histogram", detail)


def _check_bounds(bounds: tuple[float, ...], side: _Side) -> None:
    if any(map(math.isnan, bounds)) or any(b <= a for a, b in pairwise(bounds)) or math.inf in bounds:
        refuse("custom bounds that do not ascend, or reach +Inf")
    if side.first < 0 or side.first + side.width > len(bounds) + 1:
        refuse("more buckets than custom bounds")


def _check_reach(schema: int, *sides: _Side) -> None:
    reach = farthest_bucket(schema)
    if any(side.given and not -reach <= side.first <= reach - side.width for side in sides):
        refuse(f"buckets beyond all floats: those of schema {schema} end at {reach}")


def _check_sum(count: int, found: int, sum_is_nan: bool) -> None:
    """Observations of NaN are counted, but lie in no bucket."""
    if found > count or (found < count and not sum_is_nan):
        refuse(f"a count of {count} with {found} in the buckets")


def _span(data: bytes) -> Span:
    parts = {1: 0, 2: 0}
    for field in read_fields(data, 0, len(data)):
        if field.number in parts:
            need(field, VARINT)
            parts[field.number] = field.value & 0xFFFF_FFFF
    return _zigzag(parts[1]), parts[2]


def _integers(field: Field) -> list[int]:
    """One number, or many in one field."""
    if field.kind == VARINT:
        return [field.value]
    need(field, BYTES)
    if field.data.isascii():  # as nearly always: every byte is a number
        return list(field.data)
    found, pos = [], 0
    while pos < len(field.data):
        pos, value = read_varint(field.data, pos, len(field.data))
        found.append(value)
    return found


def _doubles(field: Field) -> list[float]:
    if field.kind != FIXED64:
        need(field, BYTES)
    if len(field.data) % 8:
        refuse("a list of floats that is cut off")
    return list(map(float, np.frombuffer(field.data, "<f8")))


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
