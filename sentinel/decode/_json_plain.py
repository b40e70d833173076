"""The plain reader of one JSON record: the oracle of the kernel, and the reader of all it leaves.

The standard library's parser is used because it alone shows duplicate keys and numbers as written.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from sentinel.decode.limits import Limits
from sentinel.decode.rows import NAMES_PER_BYTE
from sentinel.decode.timestamps import ms_of_integer, ms_of_rfc3339, ms_of_seconds
from sentinel.decode.units import ms_of_count
from sentinel.errors import DecodeError

MAX_DEPTH = 32
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)

Path = tuple[str, ...]


class Sample(NamedTuple):
    """One record as read; `timestamp_ms` is None if the record names no time."""

    name: str
    labels: dict[str, str]
    value: float
    timestamp_ms: int | None


class Shape(NamedTuple):
    """How records are made."""

    paths: tuple[Path, Path, Path, Path]
    """Of name, labels, value and timestamp."""
    many: bool = False
    """The value is an object of values: each number or boolean in it is a sample."""
    strings: bool = False
    """A string that spells a number is one."""
    batch: str = ""
    """The member of a record that may hold many events; none if empty."""
    separator: str = "_"
    value_field: str = ""
    times: int = 0
    """A timestamp counts `times / per` milliseconds; 0 if it says by itself what it counts."""
    per: int = 1

    @property
    def usual(self) -> bool:
        """One sample a record, its time says itself what it counts, its value is a number."""
        return not (self.many or self.strings or self.batch or self.times)


class _Number(str):
    """A number as it is written."""


class _Object(list[tuple[str, Any]]):
    """The members of an object in their order, duplicates included."""


def refuse(reason: str, detail: str = "") -> NoReturn:
    raise DecodeError("json", reason, detail)


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_PARSER = json.JSONDecoder(
    object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_constant
)


def read_sample(record: bytes, paths: tuple[Path, Path, Path, Path], limits: Limits) -> Sample:
    """Reads the members at `paths` (name, labels, value, timestamp). Raises DecodeError."""
    (sample,) = _event(_parse(record, limits), Shape(paths), limits)
    return sample


def read_samples(record: bytes, shape: Shape, limits: Limits) -> list[Sample]:
    """The samples of all events of a record. Raises DecodeError."""
    document = _parse(record, limits)
    group = _find(document, (shape.batch,)) if shape.batch else None
    if group is not None and type(group) is not list:
        refuse("wrong_type", f"{shape.batch} is not an array")
    events = [document] if group is None else group
    samples, room = list[Sample](), NAMES_PER_BYTE * len(record)
    for sample in (sample for event in events for sample in _event(event, shape, limits)):
        samples.append(sample)
        room -= len(sample.name.encode())
        if shape.many and room < 0:
            refuse("record_too_large", f"names of more than {NAMES_PER_BYTE} times its length")
    return samples


def _event(event: Any, shape: Shape, limits: Limits) -> Iterator[Sample]:
    if not isinstance(event, _Object):
        refuse("wrong_type", "an event is an object")
    found = [_find(event, path) for path in shape.paths]
    name, labels, timestamp_ms = (
        _name(found[0], limits),
        _labels(found[1], limits),
        _timestamp(found[3], shape),
    )
    if not shape.many:
        yield Sample(name, labels, _value(found[2], shape.strings), timestamp_ms)
        return
    for each, value in _values(name, found[2], shape, limits):
        yield Sample(each, labels, value, timestamp_ms)


def _values(name: str, fields: Any, shape: Shape, limits: Limits) -> Iterator[tuple[str, float]]:
    """The metric's name and value for each field that is a number or a boolean."""
    if fields is None:
        refuse("missing_value")
    if not isinstance(fields, _Object):
        refuse("wrong_type", "the values are not an object")
    for field, value in fields:
        if isinstance(value, bool):
            number = float(value)
        elif isinstance(value, _Number) or (shape.strings and _spells_number(value)):
            number = _value(value, shape.strings)
        else:
            continue
        alone = field == shape.value_field and field != ""
        full = name if alone else f"{name}{shape.separator}{field}"
        _bounded(full, limits.label_value_bytes)
        yield full, number


def _parse(record: bytes, limits: Limits) -> _Object:
    if len(record) > limits.record_bytes:
        refuse("record_too_large", f"{len(record)} bytes, at most {limits.record_bytes}")
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        refuse("invalid_utf8", f"byte {error.start}")
    if text.count("{") + text.count("[") > MAX_DEPTH and _too_deep(text):
        refuse("too_deep", f"more than {MAX_DEPTH} levels")
    try:
        document = _PARSER.decode(text)
    except ValueError as error:
        refuse("invalid_json", str(error))
    if not isinstance(document, _Object):
        refuse("wrong_type", "a record is an object")
    return document


def _too_deep(text: str) -> bool:
    """Stops where it is sure: whoever nests a record without end is not to be read to it."""
    level = 0
    for found in _NESTING.finditer(text):
        token = found[0]
        level += (token in "[{") - (token in "]}")
        if level > MAX_DEPTH:
            return True
    return False


def _find(document: _Object, path: Path) -> Any:
    """The member at `path`; None if it is missing, as if it were null."""
    node: Any = document
    for key in path:
        found = [value for name, value in node if name == key] if isinstance(node, _Object) else []
        if len(found) > 1:
            refuse("duplicate_field", ".".join(path))
        node = found[0] if found else None
    return node


def _name(name: Any, limits: Limits) -> str:
    if name is None:
        refuse("missing_name")
    if type(name) is not str:
        refuse("wrong_type", "the name is not a string")
    if not name:
        refuse("invalid_name", "the name is empty")
    _bounded(name, limits.label_value_bytes)
    return name


def _labels(labels: Any, limits: Limits) -> dict[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, _Object):
        refuse("wrong_type", "the labels are not an object")
    if len(labels) > limits.labels:
        refuse("too_many_labels", f"{len(labels)}, at most {limits.labels}")
    for name, value in labels:
        if type(value) is not str:
            refuse("wrong_type", f"label {name!r} is not a string")
        if name in ("", "__name__"):
            refuse("invalid_label", f"label {name!r} is not allowed")
        _bounded(name, limits.label_name_bytes)
        _bounded(value, limits.label_value_bytes)
    read = dict(labels)
    if len(read) < len(labels):
        refuse("duplicate_label")
    return read


def _bounded(text: str, limit: int) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        refuse("invalid_utf8", "half of a surrogate pair")
    if length > limit:
        refuse("label_too_long", f"{length} bytes, at most {limit}")


def _spells_number(value: Any) -> bool:
    return type(value) is str and _NUMBER.fullmatch(value) is not None


def _value(value: Any, strings: bool) -> float:
    if value is None:
        refuse("missing_value")
    if not isinstance(value, _Number) and not (strings and _spells_number(value)):
        refuse("wrong_type", "the value is not a number")
    number = float(value)
    if not math.isfinite(number):
        refuse("value_not_finite", value[:40])
    return number


def _timestamp(timestamp: Any, shape: Shape) -> int | None:
    if timestamp is None:
        return None
    try:
        if isinstance(timestamp, _Number) or (shape.strings and _spells_number(timestamp)):
            return _ms(timestamp, shape)
        if type(timestamp) is str:
            return ms_of_rfc3339(timestamp)
    except ValueError as error:
        refuse("timestamp_invalid", str(error))
    refuse("wrong_type", "the timestamp is neither a number nor a string")


def _ms(number: str, shape: Shape) -> int:
    """Raises ValueError if it is not finite."""
    whole = number.lstrip("-").isdigit()
    if shape.times and whole:
        return ms_of_count(number, shape.times, shape.per)
    if shape.times:
        return ms_of_seconds(float(number) * shape.times / shape.per / 1000)
    return ms_of_integer(number) if whole else ms_of_seconds(float(number))
