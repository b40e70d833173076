"""Attributes of OpenTelemetry: keys and values as they are on the wire, and values as labels have them."""

from __future__ import annotations

import base64
import functools
import json
import math
import re
import struct
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NoReturn

from sentinel.decode._remote_write_plain import BYTES, FIXED64, VARINT, Field, read_fields, signed
from sentinel.errors import DecodeError

KEY, VALUE = 1, 2
_STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _MAP, _RAW = range(1, 8)
_KINDS: Final = {
    _STRING: BYTES,
    _BOOL: VARINT,
    _INT: VARINT,
    _DOUBLE: FIXED64,
    _ARRAY: BYTES,
    _MAP: BYTES,
    _RAW: BYTES,
}
MOST_DEEP: Final = 16
"""Lists in lists, and maps in maps."""
MOST_FIELDS: Final = 1 << 14
"""Of one message that is read here: short ones take a hundred times the room of their text."""
_HTML: Final = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
"""What Go's JSON escapes besides what it must."""

Pairs = list[tuple[str, str]]


def refuse(reason: str, detail: str = "") -> NoReturn:
    raise DecodeError("otlp", reason, detail)


def need(field: Field, kind: int) -> None:
    """Raises DecodeError if a known field is not written as it must be."""
    if field.kind != kind:
        refuse("invalid_protobuf", f"field {field.number} is not written as it should be")


def read_message(data: bytes) -> list[Field]:
    """All fields of a message. Raises DecodeError."""
    try:
        fields = list(islice(read_fields(data, 0, len(data)), MOST_FIELDS + 1))
    except DecodeError as error:
        refuse("invalid_protobuf", error.detail)
    if len(fields) > MOST_FIELDS:
        refuse("too_many_fields", f"at most {MOST_FIELDS} in one message")
    return fields


def read_attributes(data: bytes, number: int) -> Pairs:
    """(key, value as text) of the KeyValue messages in field `number`; others are passed over.

    Raises DecodeError.
    """
    if (simple := _simple_pairs(data, number << 3 | BYTES)) is not None:
        return simple
    pairs = []
    for field in read_message(data):
        if field.number == number:
            need(field, BYTES)
            key, value = _read_pair(field.data, 0)
            pairs.append((key, as_text(value)))
    return pairs


def _simple_pairs(data: bytes, tag: int) -> Pairs | None:
    """The same where these fields are all that is there, and each is short, key before value; else None.

    Every new series comes by here.
    """
    pairs, pos = list[tuple[str, str]](), 0
    try:
        while pos < len(data):
            size, key_size = data[pos + 1], data[pos + 3]
            end, key_end = pos + 2 + size, pos + 4 + key_size
            value_size = data[key_end + 1]
            shapely = data[pos] == tag and data[pos + 2] == 10 and data[key_end] == 18
            shapely = shapely and len(pairs) < MOST_FIELDS
            if not shapely or size > 127 or key_end + 2 + value_size != end or end > len(data):
                return None
            value = data[key_end + 2 : end]
            if value_size > 1 and value[0] == 10 and value[1] == value_size - 2:
                text = value[2:].decode()
            else:
                text = _text_of(value)
            pairs.append((data[pos + 4 : key_end].decode(), text))
            pos = end
    except (IndexError, UnicodeDecodeError, DecodeError):
        return None
    return pairs


@functools.lru_cache(maxsize=4096)
def _text_of(value: bytes) -> str:
    """Of a short AnyValue: numbers come again and again. Raises DecodeError."""
    return as_text(_read_value(value, 0))


def _read_pair(data: bytes, depth: int) -> tuple[str, Any]:
    key, value = "", None
    for field in read_message(data):
        if field.number in (KEY, VALUE):
            need(field, BYTES)
            if field.number == KEY:
                key = _text(field.data)
            else:
                value = _read_value(field.data, depth)
    return key, value


def _read_value(data: bytes, depth: int) -> Any:
    """An AnyValue; None if it has none. Of several the last counts."""
    if depth > MOST_DEEP:
        refuse("too_deep", f"an attribute of more than {MOST_DEEP} levels")
    value: Any = None
    for field in read_message(data):
        if field.number in _KINDS:
            need(field, _KINDS[field.number])
            value = _READERS[field.number](field, depth)
    return value


def _read_array(field: Field, depth: int) -> list[Any]:
    found = []
    for each in read_message(field.data):
        if each.number == 1:
            need(each, BYTES)
            found.append(_read_value(each.data, depth + 1))
    return found


def _read_map(field: Field, depth: int) -> dict[str, Any]:
    found = {}
    for each in read_message(field.data):
        if each.number == 1:
            need(each, BYTES)
            key, value = _read_pair(each.data, depth + 1)
            found[key] = value
    return found


_READERS: Final[dict[int, Callable[[Field, int], Any]]] = {
    _STRING: lambda field, depth: _text(field.data),
    _BOOL: lambda field, depth: field.value != 0,
    _INT: lambda field, depth: signed(field.value),
    _DOUBLE: lambda field, depth: struct.unpack("<d", field.data)[0],
    _ARRAY: _read_array,
    _MAP: _read_map,
    _RAW: lambda field, depth: base64.b64encode(field.data).decode(),
}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        refuse("invalid_utf8")


def as_text(value: Any) -> str:
    """A value as the value of a label: text as it is, lists and maps as JSON, bytes in base64."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    return _json(value).translate(_HTML) if isinstance(value, list | dict) else str(value)


def _json(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_json, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, float) and math.isfinite(value):
        return _float_text(value)
    if isinstance(value, float):
        return f'"{_float_text(value)}"'
    return json.dumps(value, ensure_ascii=False)


def _float_text(value: float) -> str:
    """As JSON in Go writes it: the shortest that reads back, an exponent only far away from 1."""
    if not math.isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    if value and not 1e-6 <= abs(value) < 1e21:
        return re.sub(r"e([+-])0*", r"e\1", repr(value).replace(".0e", "e"))
    return plain_float(value)


def plain_float(value: float) -> str:
    """The shortest that reads back, without an exponent: as `le` and `quantile` have it."""
    if not math.isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        from decimal import Decimal

        text = format(Decimal(text), "f")
    return text.removesuffix(".0")
