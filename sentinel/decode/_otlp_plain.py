"""The plain reader of OpenTelemetry's metrics, and the words it shares with the kernel it is the oracle of.

A request is a list of resources; a resource has scopes, a scope metrics, a metric data points. What stands
once by definition and comes twice (`resource`, `scope`, a metric's data) makes a request malformed, though
protocol buffers would merge it: nobody writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from sentinel.decode._otlp_attributes import need, read_message, refuse
from sentinel.decode._remote_write_plain import BYTES, FIXED64, VARINT, Field, plain_bits, signed
from sentinel.decode.timestamps import refusal
from sentinel.model import STALE_BITS

GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY = 5, 7, 9, 10, 11
"""Which field of a metric has its data: what kind it is."""
NUMBERS: Final = (GAUGE, SUM)
ATTRIBUTES: Final = {GAUGE: 7, SUM: 7, HISTOGRAM: 9, EXPONENTIAL: 1, SUMMARY: 7}
FLAGS: Final = {GAUGE: 8, SUM: 8, HISTOGRAM: 10, EXPONENTIAL: 10, SUMMARY: 8}
"""Fields of a data point, by its metric's kind."""
FROM, TIME, DOUBLE, INTEGER = 2, 3, 4, 6
"""Fields of a number's data point; the first two of all."""
NO_RECORDED_VALUE: Final = 1
DELTA, CUMULATIVE = 1, 2

VERDICTS: Final = (
    "",
    "invalid_protobuf",
    "invalid_temporality",
    "delta_temporality",
    "missing_name",
    "invalid_label",
    "too_many_labels",
    "label_too_long",
    "invalid_utf8",
    "too_deep",
    "missing_value",
    "timestamp_past",
    "timestamp_future",
    "invalid_histogram",
    "too_many_fields",
)
"""Why a data point is refused."""


class PlainMetric(NamedTuple):
    """A metric and where it stands; the bytes of what it inherits."""

    resource_body: bytes
    scope_body: bytes
    scope_url: bytes
    name: bytes
    unit: bytes
    kind: int
    monotonic: bool
    temporality: int


class PlainPoint(NamedTuple):
    """A data point: its metric, where its field lies, its fields, and what is said of its value and time."""

    metric: PlainMetric
    span: tuple[int, int]
    body: bytes
    at_ms: int
    bits: int
    """Of a number's value."""
    no_value: bool
    """It says that there is none."""
    verdict: str


def read_points(data: bytes, latest_ms: int) -> Iterator[PlainPoint]:
    """All data points of a request, labels not looked at. Raises DecodeError where this is none."""
    for field in _fields(data, 0, 1):
        body, scopes = _once(field.data, 1), _fields(field.data, field.start, 2)
        for scope in scopes:
            scope_body, url = _once(scope.data, 1), _last(scope.data, 3)
            for metric in _fields(scope.data, scope.start, 2):
                yield from _read_metric(metric, (body, scope_body, url), latest_ms)


def _fields(data: bytes, base: int, number: int) -> list[Field]:
    """The messages in the fields of this number; spans are those in the whole request."""
    found = []
    for field in read_message(data):
        if field.number == number:
            need(field, BYTES)
            spans = (base + field.first, base + field.start, base + field.end)
            found.append(Field(number, BYTES, 0, field.data, *spans))
    return found


def _once(data: bytes, number: int) -> bytes:
    found = _fields(data, 0, number)
    if len(found) > 1:
        refuse("invalid_protobuf", f"field {number} twice")
    return found[0].data if found else b""


def _last(data: bytes, number: int) -> bytes:
    found = _fields(data, 0, number)
    return found[-1].data if found else b""


def _read_metric(field: Field, parents: tuple[bytes, bytes, bytes], latest_ms: int) -> Iterator[PlainPoint]:
    bodies = [each for kind in ATTRIBUTES for each in _fields(field.data, field.start, kind)]
    name, unit = _last(field.data, 1), _last(field.data, 3)
    if len(bodies) > 1:
        refuse("invalid_protobuf", "a metric with two kinds of data")
    for body in bodies:
        numbers = {2: 0, 3: 0}
        for part in read_message(body.data):
            if part.number in numbers:
                need(part, VARINT)
                numbers[part.number] = part.value
        metric = PlainMetric(*parents, name, unit, body.number, numbers[3] != 0, signed(numbers[2]))
        for point in _fields(body.data, body.start, 1):
            yield _read_point(metric, point, latest_ms)


def _read_point(metric: PlainMetric, point: Field, latest_ms: int) -> PlainPoint:
    times, flags, bits = {FROM: 0, TIME: 0}, 0, None
    for field in read_message(point.data):
        if field.number in times:
            need(field, FIXED64)
            times[field.number] = int.from_bytes(field.data, "little") // 1_000_000
        elif metric.kind in NUMBERS and field.number in (DOUBLE, INTEGER):
            need(field, FIXED64)
            bits = _bits(field)
        elif field.number == ATTRIBUTES[metric.kind]:
            need(field, BYTES)
        elif field.number == FLAGS[metric.kind]:
            need(field, VARINT)
            flags = field.value
    no_value = flags & NO_RECORDED_VALUE != 0
    if no_value:
        bits = STALE_BITS
    missing = "missing_value" if bits is None and metric.kind in NUMBERS else ""
    verdict = missing or refusal(times[TIME], latest_ms)
    span = point.first, point.end
    return PlainPoint(metric, span, point.data, times[TIME], bits or 0, no_value, verdict)


def _bits(field: Field) -> int:
    """Of a double as it is, and of an integer as a double."""
    if field.number == DOUBLE:
        return plain_bits(int.from_bytes(field.data, "little"))
    (value,) = struct.unpack("<q", field.data)
    return int.from_bytes(struct.pack("<d", float(value)), "little")
