"""The plain reader of one exposition: the oracle of the kernel, and the reader of all it leaves.

Keys are spans into the text: the name, and what stands between the braces.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from sentinel.decode.limits import Limits
from sentinel.decode.timestamps import ms_of_integer, ms_of_seconds
from sentinel.errors import DecodeError

_QUOTED = rb'"((?:[^"\\]|\\.)*+)"'
_LINE = re.compile(
    rb"[ \t]*+(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*+)?+"
    rb'(?:[ \t]*+\{(?P<labels>(?:[^"{}]|"(?:[^"\\]|\\.)*+")*+)\}[ \t]*+|[ \t]++)'
    rb"(?P<value>[^ \t#{]++)(?:[ \t]++(?P<time>[^ \t#]++))?+[ \t]*+(?P<exemplar>#[ \t]++\{.*)?+"
)
_LABEL = re.compile(
    rb"(?:([a-zA-Z_][a-zA-Z0-9_]*+)|%b)[ \t]*+(?:=[ \t]*+%b[ \t]*+)?+(?:,[ \t]*+|\Z)" % (_QUOTED, _QUOTED)
)
_NUMBER = re.compile(rb"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_WORD = re.compile(rb"[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_ESCAPE = re.compile(rb'\\([\\"n])')
_UNESCAPED = {b"\\": b"\\", b'"': b'"', b"n": b"\n"}

Key = tuple[int, int, int, int]


class Row(NamedTuple):
    """One sample: its key as spans into the record, its value, and its time if it names one."""

    key: Key
    value: float
    timestamp_ms: int | None


def refuse(reason: str, detail: str = "") -> NoReturn:
    raise DecodeError("openmetrics", reason, detail)


def frame(record: bytes, limits: Limits) -> tuple[bool, int]:
    """Whether the record is OpenMetrics, which ends in `# EOF`; where its samples end. Raises DecodeError."""
    if len(record) > limits.record_bytes:
        refuse("record_too_large", f"{len(record)} bytes, at most {limits.record_bytes}")
    body = record.rstrip(b"\n")
    if body != b"# EOF" and not body.endswith(b"\n# EOF"):
        return False, len(record)
    end = len(body) - len(b"# EOF")
    if record.startswith(b"# EOF\n", 0, end) or record.find(b"\n# EOF\n", 0, end) >= 0:
        refuse("invalid_syntax", "samples behind # EOF")
    return True, end


def read_exposition(record: bytes, limits: Limits) -> Iterator[Row]:
    """The samples of one exposition. Raises DecodeError, the line's number in its detail."""
    openmetrics, end = frame(record, limits)
    try:
        record.decode()
    except UnicodeDecodeError as error:
        refuse("invalid_utf8", f"byte {error.start}")
    start = 0
    for number, line in enumerate(record[:end].split(b"\n"), 1):
        text = line.strip(b" \t")
        if text and not text.startswith(b"#"):
            try:
                yield _row(line, start, openmetrics, limits)
            except DecodeError as error:
                refuse(error.reason, f"line {number}: {error.detail}")
        start += len(line) + 1


def _row(line: bytes, start: int, openmetrics: bool, limits: Limits) -> Row:
    found = _LINE.fullmatch(line)
    if found is None or (found["exemplar"] and not openmetrics):
        refuse("invalid_syntax", "not a sample")
    name, labels = found["name"] or b"", found["labels"] or b""
    _check_series(name, read_pairs(labels), limits)
    time = found["time"]
    return Row(
        (*_span(found, "name", start), *_span(found, "labels", start)),
        _value(found["value"]),
        None if time is None else _timestamp(time, openmetrics),
    )


def _span(found: re.Match[bytes], group: str, start: int) -> tuple[int, int]:
    first, last = found.span(group)
    return (start + first, start + last) if first >= 0 else (start, start)


def read_pairs(labels: bytes) -> list[tuple[bytes, bytes]]:
    """What stands between the braces, unescaped; a lone quoted string is the metric's name, `__name__`.

    Raises DecodeError.
    """
    pairs, pos, labels = [], 0, labels.strip(b" \t")
    while pos < len(labels):
        found = _LABEL.match(labels, pos)
        if found is None:
            refuse("invalid_syntax", "bad labels")
        plain, quoted, value = found.groups()
        name = plain if quoted is None else _unescape(quoted)
        if value is not None:
            if name in (b"", b"__name__"):
                refuse("invalid_label", "a label needs a name, and may not be called __name__")
            pairs.append((name, _unescape(value)))
        elif quoted is not None:
            pairs.append((b"__name__", name))
        else:
            refuse("invalid_syntax", "a label without a value")
        pos = found.end()
    return pairs


def _unescape(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: _UNESCAPED[found[1]], text) if b"\\" in text else text


def _check_series(name: bytes, pairs: list[tuple[bytes, bytes]], limits: Limits) -> None:
    names = [label for label, _ in pairs]
    quoted = [value for label, value in pairs if label == b"__name__"]
    if not name and not any(quoted):
        refuse("missing_name")
    if len(quoted) + bool(name) > 1:
        refuse("invalid_syntax", "two names")
    if len(set(names)) < len(names):
        refuse("duplicate_label")
    if len(names) - len(quoted) > limits.labels:
        refuse("too_many_labels", f"more than {limits.labels}")
    if max(map(len, names), default=0) > limits.label_name_bytes:
        refuse("label_too_long", f"a name of more than {limits.label_name_bytes} bytes")
    if max(len(name), *(len(value) for _, value in pairs), 0) > limits.label_value_bytes:
        refuse("label_too_long", f"a value of more than {limits.label_value_bytes} bytes")


def _value(text: bytes) -> float:
    if _WORD.fullmatch(text):
        value = float(text)
        return math.nan if math.isnan(value) else value  # one NaN, whatever its sign
    if not _NUMBER.fullmatch(text):
        refuse("invalid_syntax", "bad value")
    value = float(text)
    if not math.isfinite(value):
        refuse("value_not_finite", "out of range")
    return value


def _timestamp(text: bytes, openmetrics: bool) -> int:
    if openmetrics and _NUMBER.fullmatch(text):
        try:
            return ms_of_seconds(float(text))
        except ValueError as error:
            refuse("timestamp_invalid", str(error))
    if not openmetrics and text.lstrip(b"+-").isdigit() and len(text) - len(text.lstrip(b"+-")) < 2:
        return ms_of_integer(text.decode())
    refuse("timestamp_invalid", "seconds in OpenMetrics, whole milliseconds in Prometheus text")
