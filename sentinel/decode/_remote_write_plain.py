"""The plain reader of remote write requests, and the words it shares with the kernel it is the oracle of.

Both versions are read by their field numbers, which have none in common: `prometheus.WriteRequest` has its
series in field 1, `io.prometheus.write.v2.Request` strings in field 4 and series in field 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, NoReturn

from sentinel.decode.limits import Limits
from sentinel.decode.timestamps import refusal
from sentinel.errors import DecodeError
from sentinel.model import STALE_BITS

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How a field is written, in the lower three bits of its tag; groups are not taken."""

SERIES_V1, SYMBOL, SERIES_V2 = 1, 4, 5
LABELS, SAMPLES = 1, 2
HISTOGRAMS: Final = (0, 4, 3)
EXEMPLARS: Final = (0, 3, 4)
"""Field numbers within a series, by version where they differ."""
TIMESTAMP_OF_HISTOGRAM: Final = 15

VERDICTS: Final = (
    "",
    "missing_name",
    "invalid_label",
    "duplicate_label",
    "too_many_labels",
    "label_too_long",
    "invalid_utf8",
    "timestamp_past",
    "timestamp_future",
    "invalid_histogram",
)
"""Why one series is refused; what is wrong with its labels comes first, then its times."""

CANONICAL_NAN: Final = 0x7FF8_0000_0000_0001


class Field(NamedTuple):
    """One field of a message: number, how it is written, its integer or its bytes, and where it lies."""

    number: int
    kind: int
    value: int
    data: bytes
    first: int
    """Where the tag begins."""
    start: int
    end: int
    """The bytes, without tag and length; the end is that of the whole field too."""


class PlainSeries(NamedTuple):
    """One series as written: where its field lies, its verdict and its key."""

    span: tuple[int, int]
    verdict: str
    name: bytes
    labels: bytes
    rows: list[tuple[int, int | None]]
    """Milliseconds, and the bits of the value; None of a histogram."""
    histograms: list[tuple[int, int]]
    """Where Histogram messages lie, in the order of their rows."""
    exemplars: int


def malformed(detail: str = "") -> NoReturn:
    raise DecodeError("remote_write", "invalid_protobuf", detail)


def read_varint(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """(position behind, unsigned value) of at most 64 bits. Raises DecodeError."""
    value = 0
    for shift in range(0, 70, 7):
        if pos >= end:
            malformed("cut off within a number")
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return pos, value
    malformed("a number of more than 64 bits")


def read_fields(data: bytes, pos: int, end: int) -> Iterator[Field]:
    """The fields of the message between two positions. Raises DecodeError."""
    while pos < end:
        first = pos
        pos, tag = read_varint(data, pos, end)
        number, kind = tag >> 3, tag & 7
        if number == 0 or tag >> 32:
            malformed("no such field number")
        value, start = 0, pos
        if kind == VARINT:
            pos, value = read_varint(data, pos, end)
        elif kind == BYTES:
            start, length = read_varint(data, pos, end)
            pos = start + length
        elif kind in (FIXED64, FIXED32):
            pos += 8 if kind == FIXED64 else 4
        else:
            malformed("a field of an unknown kind")
        if pos > end:
            malformed("cut off within a field")
        yield Field(number, kind, value, data[start:pos], first, start, pos)


def need(field: Field, kind: int) -> None:
    """Raises DecodeError if a known field is not written as it must be."""
    if field.kind != kind:
        malformed(f"field {field.number} is not written as it should be")


def read_request(data: bytes, limits: Limits, latest_ms: int) -> tuple[int, list[PlainSeries]]:
    """(version, its series); version 0 has none. Raises DecodeError where this is no request."""
    series: list[Field] = []
    symbols: list[Field] = []
    seen = set()
    for field in read_fields(data, 0, len(data)):
        if field.number in (SERIES_V1, SYMBOL, SERIES_V2):
            need(field, BYTES)
            seen.add(1 if field.number == SERIES_V1 else 2)
            (symbols if field.number == SYMBOL else series).append(field)
    if len(seen) > 1:
        malformed("series of both versions")
    version = max(seen, default=0)
    texts = [symbol.data for symbol in symbols]
    return version, [_read_series(data, version, field, texts, limits, latest_ms) for field in series]


def _read_series(
    data: bytes, version: int, whole: Field, symbols: list[bytes], limits: Limits, latest_ms: int
) -> PlainSeries:
    labels: list[bytes | None] = []
    rows: list[tuple[int, int | None]] = []
    histograms, exemplars = [], 0
    for field in read_fields(data, whole.start, whole.end):
        if field.number == LABELS:
            labels += _label_v1(field) if version == 1 else _labels_v2(field, symbols)
        elif field.number == SAMPLES:
            rows.append(_sample(field))
        elif field.number == HISTOGRAMS[version]:
            rows.append((_histogram_time(field), None))
            histograms.append((field.start, field.end))
        elif field.number == EXEMPLARS[version]:
            need(field, BYTES)
            exemplars += 1
    verdict = _judge_labels(labels, limits) or next(
        (reason for at_ms, _ in rows if (reason := refusal(at_ms, latest_ms))), ""
    )
    name, text = (b"", b"") if verdict else spell(labels)
    return PlainSeries((whole.first, whole.end), verdict, name, text, rows, histograms, exemplars)


def _label_v1(field: Field) -> tuple[bytes, bytes]:
    need(field, BYTES)
    parts = {1: b"", 2: b""}
    for part in read_fields(field.data, 0, len(field.data)):
        if part.number in parts:
            need(part, BYTES)
            parts[part.number] = part.data
    return parts[1], parts[2]


def _labels_v2(field: Field, symbols: list[bytes]) -> list[bytes | None]:
    """The strings that one field of references means; None where there is no such symbol."""
    refs = [field.value] if field.kind == VARINT else []
    if field.kind != VARINT:
        need(field, BYTES)
        pos = 0
        while pos < len(field.data):
            pos, ref = read_varint(field.data, pos, len(field.data))
            refs.append(ref)
    return [symbols[ref] if ref < len(symbols) else None for ref in refs]


def _sample(field: Field) -> tuple[int, int]:
    need(field, BYTES)
    at_ms = bits = 0
    for part in read_fields(field.data, 0, len(field.data)):
        if part.number == 1:
            need(part, FIXED64)
            bits = int.from_bytes(part.data, "little")
        elif part.number == 2:
            need(part, VARINT)
            at_ms = signed(part.value)
    return at_ms, plain_bits(bits)


def plain_bits(bits: int) -> int:
    """A value's bits; of all NaN only the staleness marker stays, since others may look like boxes."""
    value = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return CANONICAL_NAN if value != value and bits != STALE_BITS else bits


def _histogram_time(field: Field) -> int:
    need(field, BYTES)
    at_ms = 0
    for part in read_fields(field.data, 0, len(field.data)):
        if part.number == TIMESTAMP_OF_HISTOGRAM:
            need(part, VARINT)
            at_ms = signed(part.value)
    return at_ms


def signed(value: int) -> int:
    """The int64 of these 64 bits."""
    return value - (1 << 64) if value >> 63 else value


def _judge_labels(strings: Sequence[bytes | None], limits: Limits) -> str:
    """The first thing wrong with names and values in turn, or nothing."""
    if len(strings) % 2:
        return "invalid_label"
    names: set[bytes] = set()
    named = False
    for name, value in zip(strings[::2], strings[1::2], strict=True):
        if not name or value is None:
            return "invalid_label"
        reserved = name == b"__name__"
        if (len(name) > limits.label_name_bytes and not reserved) or len(value) > limits.label_value_bytes:
            return "label_too_long"
        if not (_is_utf8(name) and _is_utf8(value)):
            return "invalid_utf8"
        if name in names:
            return "duplicate_label"
        names.add(name)
        if len(names) - (b"__name__" in names) > limits.labels:
            return "too_many_labels"
        named = named or (reserved and bool(value))
    return "" if named else "missing_name"


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def spell(strings: Sequence[bytes | None]) -> tuple[bytes, bytes]:
    """The key of a good series, quoted as in an exposition: its name, and `"name"="value",` of each label."""
    pairs = list(zip(map(_escape, strings[::2]), map(_escape, strings[1::2]), strict=True))
    labels = (b'"%b"="%b",' % pair for pair in pairs if pair[0] != b"__name__" and pair[1])
    return dict(pairs).get(b"__name__", b""), b"".join(labels)


def _escape(text: bytes | None) -> bytes:
    return (text or b"").replace(b"\\", b"\\\\").replace(b'"', b'\\"')
