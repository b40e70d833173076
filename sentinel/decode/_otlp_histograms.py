"""Data points that are more than a number: histograms with given bounds, exponential ones, summaries.

A histogram with bounds becomes the series `_bucket`, `_count` and `_sum`, a summary the quantiles, `_count`
and `_sum`; an exponential histogram is one sample, a native histogram.
"""

from __future__ import annotations

import functools
import math
import struct
from itertools import pairwise
from typing import Final, NamedTuple, NoReturn

import numpy as np

from sentinel.decode._otlp_attributes import need, read_message, refuse
from sentinel.decode._otlp_labels import OF_BUCKET, OF_COUNT, OF_QUANTILE, OF_SUM
from sentinel.decode._remote_write_plain import BYTES, FIXED64, VARINT, Field, read_varint
from sentinel.errors import DecodeError
from sentinel.model import Buckets, Floats, Histogram
from sentinel.model.histogram import MAX_SCHEMA, MIN_SCHEMA, NO_BUCKETS, farthest_bucket

MOST_BUCKETS: Final = 1 << 16
"""Of one side of an exponential histogram."""
MOST_BOUNDS: Final = 1 << 12
"""Of one histogram with bounds, and quantiles of one summary: each of them is a series."""
ZERO_THRESHOLD: Final = 1e-128
"""Of exponential histograms that name none: Prometheus's."""
_COUNT, _SUM = 4, 5
_QUANTILES: Final = 6
_BUCKET_COUNTS, _BOUNDS = 6, 7
_SCALE, _ZERO_COUNT, _POSITIVE, _NEGATIVE, _ZERO_THRESHOLD = 6, 7, 8, 9, 14
_OFFSET, _COUNTS = 1, 2


class Several(NamedTuple):
    """The samples of one point: the suffix and the bound of each series, and the values."""

    suffixes: tuple[int, ...]
    bounds: tuple[float, ...]
    values: Floats


def read_explicit(body: bytes) -> Several:
    """A HistogramDataPoint. Raises DecodeError."""
    count, total = 0, None
    parts: dict[int, list[bytes]] = {_BUCKET_COUNTS: [], _BOUNDS: []}
    for field in read_message(body):
        if field.number == _COUNT:
            count = _fixed(field)
        elif field.number == _SUM:
            total = _double(field)
        elif field.number in parts:
            parts[field.number].append(_packed(field))
    counts, bounds = map(b"".join, parts.values())
    if len(counts) != len(bounds) + 8 and (counts or bounds):
        _wrong(f"{len(counts) // 8} buckets with {len(bounds) // 8} bounds")
    if len(bounds) > 8 * MOST_BOUNDS:
        _wrong(f"more than {MOST_BOUNDS} bounds")
    suffixes, ends = _series(bounds, total is not None)
    finite = len(suffixes) - (2 if total is None else 3)
    values = np.full(len(suffixes), float(count))
    values[:finite] = np.cumsum(np.frombuffer(counts, "<u8")[:finite].astype(np.float64))
    if total is not None:
        values[-1] = total
    return Several(suffixes, ends, values)


@functools.lru_cache(maxsize=128)
def _series(bounds: bytes, has_sum: bool) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The series of histograms with these bounds. Raises DecodeError."""
    ends = np.frombuffer(bounds, "<f8").tolist()
    if any(map(math.isnan, ends)) or any(b <= a for a, b in pairwise(ends)):
        _wrong("bounds that do not ascend")
    if math.inf not in ends:
        ends.append(math.inf)
    rest = (OF_COUNT, OF_SUM) if has_sum else (OF_COUNT,)
    return (OF_BUCKET,) * len(ends) + rest, (*ends, *(0.0 for _ in rest))


def read_summary(body: bytes) -> Several:
    """A SummaryDataPoint. Raises DecodeError."""
    count, total = 0, 0.0
    quantiles: dict[float, float] = {}
    for field in read_message(body):
        if field.number == _COUNT:
            count = _fixed(field)
        elif field.number == _SUM:
            total = _double(field)
        elif field.number == _QUANTILES:
            need(field, BYTES)
            parts = {1: 0.0, 2: 0.0}
            for part in read_message(field.data):
                if part.number in parts:
                    parts[part.number] = _double(part)
            quantiles[parts[1]] = parts[2]
    if len(quantiles) > MOST_BOUNDS:
        _wrong(f"more than {MOST_BOUNDS} quantiles")
    suffixes = (*(OF_QUANTILE for _ in quantiles), OF_COUNT, OF_SUM)
    values = [*quantiles.values(), float(count), total]
    return Several(suffixes, (*quantiles, 0.0, 0.0), np.array(values))


def read_exponential(body: bytes) -> Histogram:
    """An ExponentialHistogramDataPoint, its scale lowered to what native ones have. Raises DecodeError."""
    numbers, total = {_COUNT: 0, _ZERO_COUNT: 0}, 0.0
    scale, threshold = 0, 0.0
    sides = {_POSITIVE: b"", _NEGATIVE: b""}
    for field in read_message(body):
        if field.number in numbers:
            numbers[field.number] = _fixed(field)
        elif field.number == _SUM:
            total = _double(field)
        elif field.number == _ZERO_THRESHOLD:
            threshold = _double(field)
        elif field.number == _SCALE:
            scale = _signed32(field)
        elif field.number in sides:
            need(field, BYTES)
            sides[field.number] = field.data
    if scale < MIN_SCHEMA:
        _wrong(f"scale {scale}, at least {MIN_SCHEMA}")
    positive, negative = (_buckets(side, min(scale, MAX_SCHEMA), scale) for side in sides.values())
    found = numbers[_ZERO_COUNT] + int(positive.counts.sum()) + int(negative.counts.sum())
    if found > numbers[_COUNT] or (found < numbers[_COUNT] and not math.isnan(total)):
        _wrong(f"a count of {numbers[_COUNT]} with {found} in the buckets")
    return Histogram(
        schema=min(scale, MAX_SCHEMA),
        zero_threshold=threshold if 0 < threshold < math.inf else ZERO_THRESHOLD,
        zero_count=float(numbers[_ZERO_COUNT]),
        count=float(numbers[_COUNT]),
        sum=total,
        positive=positive,
        negative=negative,
    )


def _buckets(data: bytes, schema: int, scale: int) -> Buckets:
    """Bucket `i` of OpenTelemetry begins where that of a native histogram ends. Raises DecodeError."""
    offset, parts = 0, []
    for field in read_message(data):
        if field.number == _OFFSET:
            offset = _signed32(field)
        elif field.number == _COUNTS:
            parts.append(_varints(field))
    counts = np.concatenate([np.empty(0), *parts])
    if not counts.any():
        return NO_BUCKETS
    if len(counts) > MOST_BUCKETS:
        _wrong(f"more than {MOST_BUCKETS} buckets")
    places = ((np.arange(len(counts)) + offset) >> min(scale - schema, 62)) + 1
    first, reach = int(places[0]), farthest_bucket(schema)
    if not -reach <= first <= int(places[-1]) <= reach:
        _wrong(f"buckets beyond all floats: those of scale {schema} end at {reach}")
    summed: Floats = np.bincount(places - first, weights=counts).astype(np.float64)
    return Buckets.of(first, summed)


def _wrong(detail: str) -> NoReturn:
    refuse("invalid_histogram", detail)


def _fixed(field: Field) -> int:
    need(field, FIXED64)
    return int.from_bytes(field.data, "little")


def _double(field: Field) -> float:
    """Of all NaN one: others may look like boxes, or like staleness markers."""
    need(field, FIXED64)
    value: float = struct.unpack("<d", field.data)[0]
    return math.nan if value != value else value


def _signed32(field: Field) -> int:
    need(field, VARINT)
    value = field.value & 0xFFFF_FFFF
    return (value >> 1) ^ -(value & 1)


def _packed(field: Field) -> bytes:
    """Of numbers of eight bytes: one, or many in one field."""
    if field.kind != FIXED64:
        need(field, BYTES)
    if len(field.data) % 8:
        refuse("invalid_protobuf", "a list of numbers that is cut off")
    return field.data


def _varints(field: Field) -> Floats:
    """One number, or many in one field."""
    if field.kind == VARINT:
        return np.array([float(field.value)])
    need(field, BYTES)
    if len(field.data) > 10 * MOST_BUCKETS:
        _wrong(f"more than {MOST_BUCKETS} buckets")
    if field.data.isascii():  # as nearly always: every byte is a number
        return np.frombuffer(field.data, np.uint8).astype(np.float64)
    found, pos = list[int](), 0
    try:
        while pos < len(field.data):
            pos, value = read_varint(field.data, pos, len(field.data))
            found.append(value)
    except DecodeError as error:
        refuse("invalid_protobuf", error.detail)
    return np.array(found, np.float64)
