"""The exposition scan: lines as client libraries write them, one pass, keys hashed on the way.

A record is taken only if its twin `_openmetrics_plain` would take it with the same samples; quoted names, odd
numbers and everything wrong are left to the twin, which alone knows reasons.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import boolean, float64, int64, types

from sentinel.decode._hash_kernel import COLUMNS, SEED, hash_key
from sentinel.decode._names_kernel import NAMES_SEEN, NamesSeen, new_name
from sentinel.decode._numbers_kernel import FRACTIONAL, scan_number, to_float, to_ms
from sentinel.decode._scan_kernel import next_stop, same_bytes, valid_utf8
from sentinel.decode.timestamps import EARLIEST_MS
from sentinel.machine import TEXT, kernel
from sentinel.model import Int64s

_LETTER, _DIGIT, _COLON = 1, 2, 4
_CLASS = np.zeros(256, np.uint8)
_CLASS[list(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")] = _LETTER
_CLASS[list(b"0123456789")] = _DIGIT
_CLASS[list(b":")] = _COLON
_NAN, _INF, _EXEMPLAR = (np.frombuffer(word, np.uint8) for word in (b"NaN", b"Inf", b"# {"))


class Frame(NamedTuple):
    """How to read one record."""

    openmetrics: bool
    """Timestamps are seconds and exemplars may follow; otherwise milliseconds, and none."""
    base_ms: int
    """The time of samples without one."""
    latest_ms: int
    limits: Int64s
    """`Limits.column()`."""
    names_seen: NamesSeen


_PAIR, _VALUE = types.UniTuple(int64, 2), types.Tuple((int64, float64))
_FRAME = types.NamedTuple((boolean, int64, int64, types.int64[::1], NAMES_SEEN), Frame)


@kernel(int64(TEXT, int64, int64))
def _blanks(text, pos, end):  # type: ignore[no-untyped-def]
    while pos < end and (text[pos] == 32 or text[pos] == 9):
        pos += 1
    return pos


@kernel(int64(TEXT, int64, int64))
def _line_end(text, pos, end):  # type: ignore[no-untyped-def]
    """The next line break, or `end`."""
    while True:
        pos = next_stop(text, pos, end)[0]
        if pos >= end or text[pos] == 10:
            return pos
        pos += 1


@kernel(int64(TEXT, int64, int64, int64))
def _word(text, pos, end, colon):  # type: ignore[no-untyped-def]
    """Behind a name (`colon` is _COLON where it may hold colons), or `pos` if there is none."""
    if pos >= end or not _CLASS[text[pos]] & (_LETTER | colon):
        return pos
    while pos < end and _CLASS[text[pos]] & (_LETTER | _DIGIT | colon):
        pos += 1
    return pos


@kernel(int64(TEXT, int64, int64))
def _string(text, pos, end):  # type: ignore[no-untyped-def]
    """The closing quote of a label value that begins at `pos`, or -1."""
    while True:
        pos = next_stop(text, pos, end)[0]
        if pos >= end or text[pos] == 10:
            return -1
        if text[pos] == 0x22:
            return pos
        if text[pos] == 0x5C:
            pos += 1
            if pos >= end or text[pos] == 10:
                return -1
        pos += 1


@kernel(int64(TEXT, int64, int64, _FRAME))
def _labels(text, pos, end, frame):  # type: ignore[no-untyped-def]
    """From behind the opening brace to the closing one, or -1."""
    count, limits, seen = 0, frame.limits, frame.names_seen
    pos = _blanks(text, pos, end)
    while pos < end and text[pos] != 125:
        close = _word(text, pos, end, 0)
        if count >= limits[0] or close - pos > limits[1] or not new_name(text, pos, close, count, seen):
            return -1
        count += 1
        pos = _blanks(text, close, end)
        if pos >= end or text[pos] != 61:
            return -1
        pos = _blanks(text, pos + 1, end)
        if pos >= end or text[pos] != 0x22:
            return -1
        close = _string(text, pos + 1, end)
        if close < 0 or close - pos - 1 > limits[2]:
            return -1
        pos = _blanks(text, close + 1, end)
        if pos < end and text[pos] == 44:
            pos = _blanks(text, pos + 1, end)
        elif pos >= end or text[pos] != 125:
            return -1
    return pos if pos < end else -1


@kernel(_VALUE(TEXT, int64, int64))
def _value(text, pos, end):  # type: ignore[no-untyped-def]
    """(position behind or -1, value)."""
    if pos + 3 <= end and same_bytes(text, pos, _NAN, 0, 3):
        return pos + 3, np.nan
    signed = pos < end and (text[pos] == 43 or text[pos] == 45)
    if signed and pos + 4 <= end and same_bytes(text, pos + 1, _INF, 0, 3):
        return pos + 4, np.inf if text[pos] == 43 else -np.inf
    if signed and text[pos] == 43:
        return -1, 0.0
    pos, mantissa, exponent, shape = scan_number(text, pos, end)
    if pos < 0:
        return -1, 0.0
    known, value = to_float(mantissa, exponent, shape)
    return (pos if known else -1), value


@kernel(_PAIR(TEXT, int64, int64, boolean))
def _timestamp(text, pos, end, openmetrics):  # type: ignore[no-untyped-def]
    """(position behind or -1, milliseconds)."""
    pos, mantissa, exponent, shape = scan_number(text, pos, end)
    if not openmetrics and shape & FRACTIONAL:
        return -1, -1
    return pos, to_ms(mantissa, exponent, shape, openmetrics)


@kernel(int64(TEXT, int64, int64, _FRAME, int64, COLUMNS))
def _sample(text, pos, end, frame, row, columns):  # type: ignore[no-untyped-def]
    """Reads one line into a row: its end, or -1."""
    close = _word(text, pos, end, _COLON)
    if close == pos or close - pos > frame.limits[2]:
        return -1
    columns.key[row, 0], columns.key[row, 1] = pos, close
    columns.key[row, 2] = columns.key[row, 3] = close
    pos = _blanks(text, close, end)
    if pos < end and text[pos] == 123:
        close = _labels(text, pos + 1, end, frame)
        if close < 0:
            return -1
        columns.key[row, 2], columns.key[row, 3] = pos + 1, close
        pos = _blanks(text, close + 1, end)
    elif pos == close:
        return -1
    close, columns.value[row] = _value(text, pos, end)
    if close < 0:
        return -1
    columns.timestamp_ms[row] = frame.base_ms
    pos = _blanks(text, close, end)
    if pos < end and pos > close and text[pos] != 10 and text[pos] != 35:
        close, columns.timestamp_ms[row] = _timestamp(text, pos, end, frame.openmetrics)
        if close < 0:
            return -1
        pos = _blanks(text, close, end)
    if (
        frame.openmetrics
        and pos + 2 < end
        and text[pos] == 35
        and text[pos + 1] == 32
        and text[pos + 2] == 123
    ):
        return _line_end(text, pos, end)
    return pos if pos >= end or text[pos] == 10 else -1


@kernel(int64(TEXT, int64, int64, _FRAME, SEED, int64, COLUMNS))
def scan_exposition(text, start, end, frame, seed, row, columns):  # type: ignore[no-untyped-def]
    """Fills the rows from `row` on with a record's samples: the next free row, or -1."""
    if start < 0 or end > len(text) or not valid_utf8(text, start, end):
        return -1
    pos = start
    while pos < end:
        pos = _blanks(text, pos, end)
        if pos < end and text[pos] == 35:
            pos = _line_end(text, pos, end)
        elif pos < end and text[pos] != 10:
            if row >= len(columns.value):
                return -1
            pos = _sample(text, pos, end, frame, row, columns)
            if pos < 0 or not EARLIEST_MS <= columns.timestamp_ms[row] <= frame.latest_ms:
                return -1
            hash_key(text, seed, row, columns)
            row += 1
        pos += 1
    return row
