"""OTLP's JSON to its protocol buffers: a request is written anew, field by field, and read as any other.

JSON here is that of the OTLP specification: keys in lowerCamelCase (or as the definition has them), 64-bit
numbers as strings or numbers, enums as numbers, floats also as "NaN", "Infinity" and "-Infinity". Unknown
keys are passed over, and so is what is never read: descriptions, exemplars, metadata.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from sentinel.decode._otlp_attributes import MOST_DEEP
from sentinel.decode._otlp_cut import varint
from sentinel.decode._remote_write_plain import BYTES, FIXED64, VARINT

_DEEPEST: Final = 2 * MOST_DEEP + 16
"""Messages in messages: a request's own, and two for each level of an attribute."""
_WHOLE: Final = re.compile("-?[0-9]+")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SPECIAL: Final = frozenset(["NaN", "Infinity", "-Infinity"])
_32_BITS, _64_BITS = (1 << 32) - 1, (1 << 64) - 1


class _WrongError(Exception):
    """A value is not what its key has; `path` begins with the innermost key."""

    def __init__(self, wanted: str, value: Any) -> None:
        self.wanted, self.value, self.path = wanted, value, list[str]()


def to_protobuf(body: bytes) -> bytes:
    """The request that this JSON means. Raises ValueError with a text for the client."""
    try:
        return _message("ExportMetricsServiceRequest", msgspec.json.decode(body), 0)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    except _WrongError as error:
        where = ".".join(reversed(error.path)) or "the body"
        raise ValueError(f"{where} has to be {error.wanted}, not {str(error.value)[:40]!r}") from None


def _message(name: str, value: Any, depth: int) -> bytes:
    if not isinstance(value, dict):
        raise _WrongError("an object", value)
    if depth > _DEEPEST:
        raise ValueError("the body has attributes in attributes, too many of them")
    fields, out = _FIELDS[name], list[bytes]()
    for key, given in value.items():
        field = fields.get(key)
        if field is None or given is None:
            continue
        try:
            if not field.many:
                out.append(_write(field, given, depth))
            elif isinstance(given, list):
                out += [_write(field, each, depth) for each in given]
            else:
                raise _WrongError("an array", given)
        except _WrongError as error:
            error.path.append(key)
            raise
    return b"".join(out)


def _write(field: _Field, value: Any, depth: int) -> bytes:
    """One field with its tag."""
    if field.writer is None:
        data = _message(field.kind, value, depth + 1)
        return field.tag + varint(len(data)) + data
    try:
        return field.tag + field.writer(value)
    except (ValueError, TypeError, OverflowError, struct.error, binascii.Error):
        raise _WrongError(_WORDS[field.kind], value) from None


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    return _sized(value.encode())


def _integer(value: Any) -> int:
    """A number, or one as text."""
    if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
        raise TypeError
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError
    return int(value)


def _varint(value: Any) -> bytes:
    found = _integer(value)
    if not -(1 << 63) <= found <= _64_BITS:
        raise OverflowError
    return varint(found & _64_BITS)


def _zigzag(value: Any) -> bytes:
    found = _integer(value)
    if not -(1 << 31) <= found < 1 << 31:
        raise OverflowError
    return varint(((found << 1) ^ (found >> 31)) & _32_BITS)


def _bool(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise TypeError
    return varint(value)


def _double(value: Any) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    found = float(value)
    if (
        isinstance(value, str)
        and value not in _SPECIAL
        and not (_NUMBER.fullmatch(value) and math.isfinite(found))
    ):
        raise ValueError
    return struct.pack("<d", found)


class _Field(NamedTuple):
    tag: bytes
    kind: str
    many: bool
    writer: Callable[[Any], bytes] | None
    """None of messages."""


_WRITERS: Final[Mapping[str, tuple[int, Callable[[Any], bytes]]]] = {
    "string": (BYTES, _text),
    "bool": (VARINT, _bool),
    "varint": (VARINT, _varint),
    "sint32": (VARINT, _zigzag),
    "fixed64": (FIXED64, lambda value: struct.pack("<Q", _integer(value))),
    "sfixed64": (FIXED64, lambda value: struct.pack("<q", _integer(value))),
    "double": (FIXED64, _double),
    "bytes": (BYTES, lambda value: _sized(base64.b64decode(value, validate=True))),
}
"""How each kind of value is written, with its wire type."""
_WORDS: Final = {
    "string": "a string",
    "bool": "true or false",
    "varint": "a whole number",
    "sint32": "a whole number of 32 bits",
    "fixed64": "a whole number of 64 bits, not negative",
    "sfixed64": "a whole number of 64 bits",
    "double": "a number",
    "bytes": "text in base64",
}
_TIMES: Final = {"startTimeUnixNano": (2, "fixed64"), "timeUnixNano": (3, "fixed64")}
_POINTS_OF: Final = {"aggregationTemporality": (2, "varint"), "isMonotonic": (3, "bool")}
_ATTRIBUTES: Final = "*KeyValue"
_MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "ExportMetricsServiceRequest": {"resourceMetrics": (1, "*ResourceMetrics")},
    "ResourceMetrics": {"resource": (1, "Resource"), "scopeMetrics": (2, "*ScopeMetrics")},
    "Resource": {"attributes": (1, _ATTRIBUTES)},
    "ScopeMetrics": {"scope": (1, "Scope"), "metrics": (2, "*Metric"), "schemaUrl": (3, "string")},
    "Scope": {"name": (1, "string"), "version": (2, "string"), "attributes": (3, _ATTRIBUTES)},
    "Metric": {
        "name": (1, "string"),
        "unit": (3, "string"),
        "gauge": (5, "Gauge"),
        "sum": (7, "Sum"),
        "histogram": (9, "Histogram"),
        "exponentialHistogram": (10, "ExponentialHistogram"),
        "summary": (11, "Summary"),
    },
    "Gauge": {"dataPoints": (1, "*Number")},
    "Sum": {"dataPoints": (1, "*Number"), **_POINTS_OF},
    "Histogram": {"dataPoints": (1, "*HistogramPoint"), **_POINTS_OF},
    "ExponentialHistogram": {"dataPoints": (1, "*ExponentialPoint"), **_POINTS_OF},
    "Summary": {"dataPoints": (1, "*SummaryPoint")},
    "Number": {
        **_TIMES,
        "asDouble": (4, "double"),
        "asInt": (6, "sfixed64"),
        "attributes": (7, _ATTRIBUTES),
        "flags": (8, "varint"),
    },
    "HistogramPoint": {
        **_TIMES,
        "count": (4, "fixed64"),
        "sum": (5, "double"),
        "bucketCounts": (6, "*fixed64"),
        "explicitBounds": (7, "*double"),
        "attributes": (9, _ATTRIBUTES),
        "flags": (10, "varint"),
    },
    "ExponentialPoint": {
        "attributes": (1, _ATTRIBUTES),
        **_TIMES,
        "count": (4, "fixed64"),
        "sum": (5, "double"),
        "scale": (6, "sint32"),
        "zeroCount": (7, "fixed64"),
        "positive": (8, "Buckets"),
        "negative": (9, "Buckets"),
        "flags": (10, "varint"),
        "zeroThreshold": (14, "double"),
    },
    "Buckets": {"offset": (1, "sint32"), "bucketCounts": (2, "*varint")},
    "SummaryPoint": {
        **_TIMES,
        "count": (4, "fixed64"),
        "sum": (5, "double"),
        "quantileValues": (6, "*Quantile"),
        "attributes": (7, _ATTRIBUTES),
        "flags": (8, "varint"),
    },
    "Quantile": {"quantile": (1, "double"), "value": (2, "double")},
    "KeyValue": {"key": (1, "string"), "value": (2, "AnyValue")},
    "AnyValue": {
        "stringValue": (1, "string"),
        "boolValue": (2, "bool"),
        "intValue": (3, "varint"),
        "doubleValue": (4, "double"),
        "arrayValue": (5, "List"),
        "kvlistValue": (6, "Map"),
        "bytesValue": (7, "bytes"),
    },
    "List": {"values": (1, "*AnyValue")},
    "Map": {"values": (1, "*KeyValue")},
}


def _snake(key: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in key)


def _field(number: int, kind: str) -> _Field:
    one = kind.removeprefix("*")
    wire, writer = _WRITERS.get(one, (BYTES, None))
    return _Field(varint(number << 3 | wire), one, kind.startswith("*"), writer)


_FIELDS: Final = {
    name: {spelled: _field(*form) for key, form in fields.items() for spelled in (key, _snake(key))}
    for name, fields in _MESSAGES.items()
}
"""By message and by key."""
