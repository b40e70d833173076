"""The scan of line protocol: one pass over each record, keys written and hashed on the way.

A key is written as remote write's is: the metric's name, and `"name"="value",` for each tag, which all fields
of a line share. A record is taken only if its twin `_influx_plain` would take it with the same samples;
unusual numbers and everything wrong are left to the twin, which alone knows reasons.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import int64, types

from sentinel.decode._hash_kernel import COLUMNS, SEED, hash_key
from sentinel.decode._influx_steps_kernel import (
    BREAK,
    COMMA,
    EQUALS,
    FULL,
    LEFT,
    OUT,
    SPACE,
    behind_string,
    blanks,
    line_break,
    line_end,
    next_of,
    to_number,
    write_token,
)
from sentinel.decode._names_kernel import NAMES_SEEN, NamesSeen, new_name
from sentinel.decode._numbers_kernel import FRACTIONAL, LONG, NEGATIVE, scan_number
from sentinel.decode._scan_kernel import same_bytes, valid_utf8
from sentinel.decode.rows import NAMES_PER_BYTE
from sentinel.decode.timestamps import EARLIEST_MS, FAR_MS
from sentinel.machine import TEXT, kernel
from sentinel.model import Int64s, UInt8s


class Form(NamedTuple):
    """What a scan keeps to."""

    separator: UInt8s
    """As keys have it: quotes and backslashes escaped."""
    value_field: UInt8s
    """As lines have it: commas, spaces and equals signs escaped."""
    times: int
    per: int
    limits: Int64s
    """`Limits.column()`."""
    names_seen: NamesSeen


class Point(NamedTuple):
    """Where the parts of one line lie: its measurement in the text, its labels in what was written."""

    start: int
    close: int
    labels: int
    behind: int


_SPAN = types.Array(int64, 1, "C", readonly=True)
_PAIR, _TRIPLE = types.UniTuple(int64, 2), types.UniTuple(int64, 3)
_FORM = types.NamedTuple((TEXT, TEXT, int64, int64, types.int64[::1], NAMES_SEEN), Form)
_POINT = types.NamedUniTuple(int64, 4, Point)


@kernel(_PAIR(TEXT, int64, int64, _FORM, int64, OUT))
def _tags(text, pos, end, form, at, out):  # type: ignore[no-untyped-def]
    """Writes tags, from the first comma on: (position of the space behind them or why not, written up to)."""
    count = 0
    while pos < end and text[pos] == 44:
        close = next_of(text, pos + 1, end, COMMA | SPACE | EQUALS | BREAK)
        if close >= end or text[close] != 61 or count >= form.limits[0]:
            return LEFT, at
        if close - pos - 1 > form.limits[1] or not new_name(text, pos + 1, close, count, form.names_seen):
            return LEFT, at
        stop = next_of(text, close + 1, end, COMMA | SPACE | EQUALS | BREAK)
        if stop == close + 1 or stop - close - 1 > form.limits[2]:
            return LEFT, at
        count += 1
        if at + 2 * (stop - pos) + 8 > len(out):
            return FULL, at
        out[at] = 0x22
        at = write_token(text, pos + 1, close, at + 1, out)
        out[at], out[at + 1], out[at + 2] = 0x22, 0x3D, 0x22
        at = write_token(text, close + 1, stop, at + 3, out)
        out[at], out[at + 1] = 0x22, 0x2C
        at, pos = at + 2, stop
    return (pos if pos < end and text[pos] == 32 else LEFT), at


@kernel(int64(TEXT, int64, int64, _POINT, _FORM, int64, OUT))
def _name(text, start, end, point, form, at, out):  # type: ignore[no-untyped-def]
    """Writes the metric's name for the field from `start` to `end`: the position behind, or why not."""
    length = len(form.value_field)
    alone = length > 0 and length == end - start and same_bytes(text, start, form.value_field, 0, length)
    joined = 0 if alone else len(form.separator) + end - start
    if point.close - point.start + joined > form.limits[2]:
        return LEFT
    at = write_token(text, point.start, point.close, at, out)
    if alone or at < 0:
        return at
    if at + len(form.separator) > len(out):
        return FULL
    for step in range(len(form.separator)):
        out[at + step] = form.separator[step]
    return write_token(text, start, end, at + len(form.separator), out)


@kernel(_TRIPLE(TEXT, int64, int64, _POINT, _FORM, int64, COLUMNS, int64, OUT))
def _fields(text, pos, end, point, form, row, columns, at, out):  # type: ignore[no-untyped-def]
    """Reads fields into rows from `row` on: (position behind or why not, next row, written up to)."""
    while True:
        close = next_of(text, pos, end, COMMA | SPACE | EQUALS | BREAK)
        if close == pos or close + 1 >= end or text[close] != 61:
            return LEFT, row, at
        if text[close + 1] == 0x22:
            behind = behind_string(text, close + 2, end)
            if behind < 0:
                return LEFT, row, at
        else:
            if row >= len(columns.value):
                return LEFT, row, at
            behind, columns.value[row] = to_number(text, close + 1, end)
            written = _name(text, pos, close, point, form, at, out) if behind >= 0 else LEFT
            if written - point.behind > NAMES_PER_BYTE * (end - point.start):
                written = LEFT  # before room is made for them
            if written < 0:
                return written, row, at
            columns.key[row, 0], columns.key[row, 1] = at, written
            columns.key[row, 2], columns.key[row, 3] = point.labels, point.behind
            at, row = written, row + 1
        if behind >= end or text[behind] != 44:
            return behind, row, at
        pos = behind + 1


@kernel(_PAIR(TEXT, int64, int64, _FORM, int64))
def _time(text, pos, end, form, default_ms):  # type: ignore[no-untyped-def]
    """From behind the fields to the line's end: (its position or LEFT, milliseconds)."""
    start = blanks(text, pos, end)
    if start >= end or text[start] == 10:
        return start, default_ms
    close, mantissa, _, shape = scan_number(text, start, end)
    if start == pos or close < 0 or shape & (FRACTIONAL | LONG | NEGATIVE):
        return LEFT, default_ms
    counted = mantissa // np.uint64(form.per)
    if counted > np.uint64(FAR_MS // form.times):
        return LEFT, default_ms
    stop = blanks(text, close, end)
    if stop < end and text[stop] != 10:
        return LEFT, default_ms
    return stop, np.int64(counted) * form.times


@kernel(_TRIPLE(TEXT, int64, int64, _FORM, int64, int64, int64, COLUMNS, int64, OUT))
def _point(text, pos, end, form, base_ms, latest_ms, row, columns, at, out):  # type: ignore[no-untyped-def]
    """Reads one line into rows from `row` on: (its end or why not, next row, written up to)."""
    first, start = row, pos
    close = next_of(text, pos, end, COMMA | SPACE | BREAK)
    if close == pos or close - pos > form.limits[2]:
        return LEFT, row, at
    pos, behind = _tags(text, close, end, form, at, out)
    if pos < 0:
        return pos, row, at
    point = Point(start, close, at, behind)
    pos, row, at = _fields(text, blanks(text, pos, end), end, point, form, row, columns, behind, out)
    if pos < 0:
        return pos, row, at
    pos, timestamp_ms = _time(text, pos, end, form, base_ms)
    if pos < 0 or at - behind > NAMES_PER_BYTE * (pos - start):
        return LEFT, row, at
    if row > first and not EARLIEST_MS <= timestamp_ms <= latest_ms:
        return LEFT, row, at
    for each in range(first, row):
        columns.timestamp_ms[each] = timestamp_ms
    return pos, row, at


@kernel(_TRIPLE(TEXT, int64, int64, _FORM, int64, int64, int64, COLUMNS, int64, OUT))
def _record(text, pos, end, form, base_ms, latest_ms, row, columns, at, out):  # type: ignore[no-untyped-def]
    """Reads all lines of a record: (its end or why not, next row, written up to)."""
    while pos < end:
        pos = blanks(text, pos, end)
        if pos < end and text[pos] == 35:
            pos = line_break(text, pos, end)
        elif pos < end and text[pos] != 10:
            pos, row, at = _point(text, pos, end, form, base_ms, latest_ms, row, columns, at, out)
            if pos < 0:
                return pos, row, at
        pos += 1
    return end, row, at


@kernel(_TRIPLE(TEXT, _SPAN, _SPAN, _SPAN, _SPAN, _FORM, SEED, _TRIPLE, COLUMNS, types.int64[::1], OUT))
def scan_records(text, start, end, base_ms, latest_ms, form, seed, begin, columns, counts, out):  # type: ignore[no-untyped-def]
    """Reads records into rows, their keys into `out`, and counts rows by record: -1 if left to the twin.

    Goes on from `begin` (record, row, written up to), and gives the same three where it ended: before the
    last record if `out` is full.
    """
    record, row, at = begin
    while record < len(start):
        first, last = start[record], end[record]
        counts[record] = -1
        if (
            0 <= first <= last <= len(text)
            and last - first <= form.limits[3]
            and valid_utf8(text, first, last)
        ):
            base, latest = base_ms[record], latest_ms[record]
            stop, behind, written = _record(text, first, last, form, base, latest, row, columns, at, out)
            if stop == FULL:
                break
            if stop >= 0:
                for each in range(row, behind):
                    hash_key(out, seed, each, columns)
                counts[record], row, at = behind - row, behind, written
        record += 1
    return record, row, at


@kernel(int64(TEXT, types.int64[:, ::1]))
def scan_lines(text, spans):  # type: ignore[no-untyped-def]
    """Fills the spans of lines, without their breaks, and gives their number; there must be room for all."""
    pos, count = 0, 0
    while pos < len(text):
        stop = line_end(text, pos, len(text))
        spans[count, 0], spans[count, 1] = pos, stop
        pos, count = stop + 1, count + 1
    return count
