"""The plain reader of line protocol: the oracle of the kernel, and the reader of all it leaves.

A backslash right before a comma, a space or an equals sign takes that character as it is; any other backslash
stands for itself, as InfluxDB has it. Inside quotes a backslash takes the next character, whatever it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from sentinel.decode.limits import Limits
from sentinel.decode.rows import NAMES_PER_BYTE
from sentinel.decode.units import ms_of_count
from sentinel.errors import DecodeError

_WORD = rb"(?:\\[ ,=]|[^ ,=\n])++"
_BLANKS = re.compile(rb"[ \t\r]*+")
_MEASUREMENT = re.compile(rb"(?:\\[ ,=]|[^ ,\n])*+")
_TAG = re.compile(rb",(%b)=(%b)" % (_WORD, _WORD))
_FIELD = re.compile(rb'(%b)=(?:"((?:\\.|[^"\\])*+)"|([^ ,"\t\r\n]++))' % _WORD, re.DOTALL)
_TIME = re.compile(rb"[^ \t\r\n]*+")
_WHOLE = re.compile(rb"-?[0-9]++")
_NUMBER = re.compile(rb"[+-]?(?:(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?|[0-9]++[iu])")
_LOGICAL = dict.fromkeys((b"t", b"T", b"true", b"True", b"TRUE"), 1.0)
_LOGICAL |= dict.fromkeys((b"f", b"F", b"false", b"False", b"FALSE"), 0.0)
_ESCAPE = re.compile(rb"\\([ ,=])")
_SEPARATING = re.compile(rb"([ ,=])")
_SPECIAL = re.compile(rb'(["\\])')
_LINE = re.compile(
    rb'[ \t\r]*+(?:#[^\n]*+|(?:\\[ ,=]|[^ \n])*+(?: (?:(?<=[^\\]=)"(?:\\.|[^"\\])*+"|[^\n])*+)?+)\n?',
    re.DOTALL,
)


class Naming(NamedTuple):
    """How metrics are named, and what timestamps count."""

    separator: bytes
    value_field: bytes
    """The field that adds nothing to the measurement's name; none if empty."""
    times: int
    per: int
    """A timestamp counts `times / per` milliseconds."""


class Sample(NamedTuple):
    """One field: its key as `read_labels` takes it, its value, and its time if the line names one."""

    name: bytes
    labels: bytes
    value: float
    timestamp_ms: int | None


Pairs = list[tuple[bytes, bytes]]
Fields = list[tuple[bytes, float]]


def refuse(reason: str, detail: str = "") -> NoReturn:
    raise DecodeError("influx", reason, detail)


def split_plain(body: bytes) -> Iterator[tuple[int, int]]:
    """Spans of lines without their breaks; a break inside a string that is closed ends no line."""
    pos = 0
    while pos < len(body):
        found = _LINE.match(body, pos)
        assert found is not None  # it matches anything
        yield pos, found.end() - body.endswith(b"\n", pos, found.end())
        pos = found.end()


def read_record(record: bytes, naming: Naming, limits: Limits) -> Iterator[Sample]:
    """The samples of all lines. Raises DecodeError, the line's number in its detail."""
    if len(record) > limits.record_bytes:
        refuse("record_too_large", f"{len(record)} bytes, at most {limits.record_bytes}")
    try:
        record.decode()
    except UnicodeDecodeError as error:
        refuse("invalid_utf8", f"byte {error.start}")
    pos = 0
    while pos < len(record):
        start = _blanks(record, pos)
        if record[start : start + 1] in (b"", b"\n", b"#"):
            pos = _behind_line(record, start)
            continue
        try:
            samples, pos = _read_point(record, start, naming, limits)
        except DecodeError as error:
            number = record.count(b"\n", 0, start) + 1
            refuse(error.reason, f"line {number}: {error.detail}" if number > 1 else error.detail)
        yield from samples


def _behind_line(record: bytes, pos: int) -> int:
    return (record.find(b"\n", pos) + 1) or len(record)


def _blanks(record: bytes, pos: int) -> int:
    found = _BLANKS.match(record, pos)
    return found.end() if found else pos


def _read_point(record: bytes, start: int, naming: Naming, limits: Limits) -> tuple[list[Sample], int]:
    """The samples of the line that begins at `start`, and where the next one begins."""
    measurement, pairs, pos = _read_series(record, start, limits)
    fields, pos = _read_fields(record, pos)
    timestamp_ms, pos = _read_time(record, pos, naming)
    names, room = list[bytes](), NAMES_PER_BYTE * (pos - start)
    for field, _ in fields:
        names.append(_name(measurement, field, naming))
        room -= len(names[-1])
        if len(names[-1]) > limits.label_value_bytes:
            refuse("label_too_long", f"a metric's name of more than {limits.label_value_bytes} bytes")
        if room < 0:
            refuse("record_too_large", f"names of more than {NAMES_PER_BYTE} times the line's length")
    labels = b"".join(b'"%b"="%b",' % (escaped(name), escaped(value)) for name, value in pairs)
    samples = [
        Sample(escaped(name), labels, value, timestamp_ms)
        for name, (_, value) in zip(names, fields, strict=True)
    ]
    return samples, pos + (record[pos : pos + 1] == b"\n")


def _name(measurement: bytes, field: bytes, naming: Naming) -> bytes:
    return measurement if field == naming.value_field else measurement + naming.separator + field


def escaped(text: bytes) -> bytes:
    """A name or value as keys spell it."""
    return _SPECIAL.sub(rb"\\\1", text)


def spelled(text: bytes) -> bytes:
    """A field's name as lines spell it."""
    return _SEPARATING.sub(rb"\\\1", text)


def _meant(text: bytes) -> bytes:
    return _ESCAPE.sub(rb"\1", text) if b"\\" in text else text


def _read_series(record: bytes, pos: int, limits: Limits) -> tuple[bytes, Pairs, int]:
    """Measurement, tags and where the fields begin."""
    found = _MEASUREMENT.match(record, pos)
    if found is None or not found[0]:
        refuse("missing_name", "no measurement")
    measurement, pos, pairs = _meant(found[0]), found.end(), []
    while tag := _TAG.match(record, pos):
        pairs.append((_meant(tag[1]), _meant(tag[2])))
        pos = tag.end()
        if len(pairs) > limits.labels:
            refuse("too_many_labels", f"more than {limits.labels}")
    if record[pos : pos + 1] != b" ":
        refuse("invalid_syntax", "bad tag" if record[pos : pos + 1] in (b",", b"=") else "missing fields")
    names = {name for name, _ in pairs}
    if b"__name__" in names:
        refuse("invalid_label", "a tag may not be called __name__")
    if len(names) < len(pairs):
        refuse("duplicate_label")
    for name, value in pairs:
        if len(name) > limits.label_name_bytes or len(value) > limits.label_value_bytes:
            refuse(
                "label_too_long", f"at most {limits.label_name_bytes} and {limits.label_value_bytes} bytes"
            )
    return measurement, pairs, _blanks(record, pos)


def _read_fields(record: bytes, pos: int) -> tuple[Fields, int]:
    """Fields that are numbers or booleans, and where the line goes on."""
    fields: Fields = []
    while True:
        found = _FIELD.match(record, pos)
        if found is None:
            refuse(
                "invalid_syntax", "missing fields" if record[pos : pos + 1] in (b"", b"\n") else "bad field"
            )
        if found[3] is not None:
            fields.append((_meant(found[1]), _value(found[3])))
        pos = found.end()
        if record[pos : pos + 1] != b",":
            return fields, pos
        pos += 1


def _value(text: bytes) -> float:
    if text in _LOGICAL:
        return _LOGICAL[text]
    if not _NUMBER.fullmatch(text):
        refuse("invalid_syntax", "bad value: neither a number, a boolean nor a string in quotes")
    value = float(text.rstrip(b"iu"))
    if not math.isfinite(value):
        refuse("value_not_finite", "out of range")
    return value


def _read_time(record: bytes, pos: int, naming: Naming) -> tuple[int | None, int]:
    """Milliseconds, if the line names a time, and where it ends."""
    start, timestamp_ms = _blanks(record, pos), None
    found = _TIME.match(record, start)
    if found is not None and found[0]:
        if start == pos:
            refuse("invalid_syntax", "bad field")
        if not _WHOLE.fullmatch(found[0]):
            refuse("timestamp_invalid", "not a whole number")
        start, timestamp_ms = (
            _blanks(record, found.end()),
            ms_of_count(found[0].decode(), naming.times, naming.per),
        )
    if record[start : start + 1] not in (b"", b"\n"):
        refuse("invalid_syntax", "more behind the timestamp")
    return timestamp_ms, start
