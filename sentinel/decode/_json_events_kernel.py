"""The scan of JSON events: many values in one, many events in a record, numbers as strings, other units.

Metrics' names are written behind the records, in the same buffer, as JSON spells them; labels stay where they
are. Each record is stepped over as a whole first, which checks its syntax and depth. What is unusual or wrong
is left to the twin `_json_plain`, as in `_json_kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import boolean, float64, int64, types

from sentinel.decode._hash_kernel import COLUMNS, hash_key
from sentinel.decode._influx_steps_kernel import FULL, LEFT, OUT
from sentinel.decode._json_form import Form
from sentinel.decode._json_kernel import REQUIRED, read_field, scan_timestamp
from sentinel.decode._json_labels_kernel import FORM
from sentinel.decode._json_members_kernel import LABELS, NAME, TIMESTAMP, UNKNOWN, VALUE, field_of
from sentinel.decode._json_steps_kernel import scan_string, skip_value, to_value
from sentinel.decode._numbers_kernel import FRACTIONAL, LONG, NEGATIVE, scan_number, to_float
from sentinel.decode._scan_kernel import ESCAPED, same_bytes, skip_space, valid_utf8
from sentinel.decode.rows import NAMES_PER_BYTE
from sentinel.decode.timestamps import EARLIEST_MS, FAR_MS
from sentinel.machine import TEXT, kernel
from sentinel.model import UInt8s


class Shape(NamedTuple):
    """What a scan looks for, besides what every scan of JSON does."""

    form: Form
    many: bool
    """The value is an object of values."""
    strings: bool
    """A string that spells a number is one."""
    batch: UInt8s
    """The name of the member that holds many events; none if empty."""
    separator: UInt8s
    value_field: UInt8s
    """Both as JSON spells them."""
    times: int
    """A timestamp counts `times / per` milliseconds; 0 if it says by itself what it counts."""
    per: int


class Event(NamedTuple):
    """What stepping over an event found."""

    behind: int
    """The position behind its brace, or LEFT."""
    seen: int
    """Its fields, by number."""
    value: int
    batch: int
    """Where the value and the batch begin; -1 if there is none."""


_SPAN = types.Array(int64, 1, "C", readonly=True)
_PAIR, _TRIPLE = types.UniTuple(int64, 2), types.UniTuple(int64, 3)
_SHAPE = types.NamedTuple((FORM, boolean, boolean, TEXT, TEXT, TEXT, int64, int64), Shape)
_EVENT = types.NamedUniTuple(int64, 4, Event)


@kernel(_PAIR(TEXT, int64, int64, _SHAPE, int64))
def _timestamp(text, pos, end, shape, default_ms):  # type: ignore[no-untyped-def]
    """(position behind or LEFT, milliseconds)."""
    quoted = text[pos] == 0x22 and shape.strings
    start = pos + 1 if quoted else pos
    close, mantissa, _, kind = scan_number(text, start, end)
    if close < 0 or (quoted and (close >= end or text[close] != 0x22)) or (shape.times == 0 and not quoted):
        return scan_timestamp(text, pos, end, default_ms)
    if shape.times == 0 or kind & (FRACTIONAL | LONG | NEGATIVE):
        return LEFT, default_ms
    counted = mantissa // np.uint64(shape.per)
    if counted > np.uint64(FAR_MS // shape.times):
        return LEFT, default_ms
    return close + quoted, np.int64(counted) * shape.times


@kernel(int64(TEXT, int64, int64, int64, _SHAPE, int64, COLUMNS))
def _step(text, pos, end, field, shape, row, columns):  # type: ignore[no-untyped-def]
    """Steps over the value of a member, and notes it in the row: position behind, or LEFT."""
    if field == TIMESTAMP:
        pos, columns.timestamp_ms[row] = _timestamp(text, pos, end, shape, columns.timestamp_ms[row])
        return pos
    if field in (NAME, LABELS):
        return read_field(text, pos, end, field, shape.form, True, row, columns)[0]
    return skip_value(text, pos, end)[0]


@kernel(_EVENT(TEXT, int64, int64, _SHAPE, boolean, int64, COLUMNS))
def _members(text, pos, end, shape, inner, row, columns):  # type: ignore[no-untyped-def]
    """Steps over an event from its brace, and notes in the row its name, labels and time."""
    nothing, seen, value, batch = Event(LEFT, 0, -1, -1), 0, -1, -1
    columns.key[row, 2] = columns.key[row, 3] = 0
    if pos >= end or text[pos] != 123:
        return nothing
    while True:
        pos = skip_space(text, pos + 1, end)  # behind the brace or a comma
        if pos >= end or text[pos] != 0x22:
            return nothing
        close, marks = scan_string(text, pos + 1, end)
        if close < 0 or marks & ESCAPED:
            return nothing
        field, length = field_of(text, pos + 1, close, shape.form), len(shape.batch)
        grouped = length > 0 and not inner and close - pos - 1 == length
        grouped = grouped and same_bytes(text, pos + 1, shape.batch, 0, length)
        pos = to_value(text, close + 1, end)
        if pos < 0 or (field != UNKNOWN and seen >> field & 1) or (grouped and batch >= 0):
            return nothing
        seen |= 1 << field
        if field == VALUE:
            value = pos
        if grouped:
            batch = pos
        pos = _step(text, pos, end, field, shape, row, columns)
        if pos < 0:
            return nothing
        pos = skip_space(text, pos, end)
        if pos >= end or text[pos] != 44:
            break
    if pos >= end or text[pos] != 125:
        return nothing
    return Event(pos + 1, seen, value, batch)


@kernel(types.Tuple((int64, boolean, float64))(TEXT, int64, int64, _SHAPE))
def _value(text, pos, end, shape):  # type: ignore[no-untyped-def]
    """(position behind or LEFT, whether it is a sample's value, value)."""
    byte = text[pos]
    if byte == 45 or 48 <= byte <= 57:
        pos, mantissa, exponent, kind = scan_number(text, pos, end)
        if pos < 0:
            return LEFT, False, 0.0
        known, value = to_float(mantissa, exponent, kind)
        return (pos if known else LEFT), True, value
    if byte == 0x22:
        close, marks = scan_string(text, pos + 1, end)
        if close < 0 or (shape.strings and marks & ESCAPED):
            return LEFT, False, 0.0
        if shape.strings:
            stop, mantissa, exponent, kind = scan_number(text, pos + 1, close)
            if stop == close:
                known, value = to_float(mantissa, exponent, kind)
                return (close + 1 if known else LEFT), True, value
        return (close + 1 if shape.many else LEFT), False, 0.0
    if not shape.many:
        return LEFT, False, 0.0
    return skip_value(text, pos, end)[0], byte == 116 or byte == 102, 1.0 if byte == 116 else 0.0


@kernel(int64(OUT, int64, int64, TEXT, int64, int64, _SHAPE, int64))
def _write_name(out, start, close, text, first, last, shape, at):  # type: ignore[no-untyped-def]
    """Writes measurement, separator and field, or the measurement alone: position behind, or FULL."""
    length, alone = len(shape.value_field), len(shape.value_field) == last - first
    alone = alone and length > 0 and same_bytes(text, first, shape.value_field, 0, length)
    if at + close - start + len(shape.separator) + last - first > len(out):
        return FULL
    for pos in range(start, close):
        out[at] = text[pos]
        at += 1
    if alone:
        return at
    for step in range(len(shape.separator)):
        out[at] = shape.separator[step]
        at += 1
    for pos in range(first, last):
        out[at] = text[pos]
        at += 1
    return at


@kernel(_TRIPLE(OUT, TEXT, int64, int64, _SHAPE, int64, COLUMNS, int64))
def _values(out, text, pos, end, shape, row, columns, at):  # type: ignore[no-untyped-def]
    """Reads an object of values into rows, the first being the event's: (LEFT, FULL or 0, row, at)."""
    start, close, labels, behind = columns.key[row]
    timestamp_ms = columns.timestamp_ms[row]
    if text[pos] != 123:
        return LEFT, row, at
    pos = skip_space(text, pos + 1, end)
    while text[pos] == 0x22:
        first, (last, marks) = pos + 1, scan_string(text, pos + 1, end)
        pos, sample, value = _value(text, to_value(text, last + 1, end), end, shape)
        if pos < 0 or marks & ESCAPED:
            return LEFT, row, at
        if sample:
            written = _write_name(out, start, close, text, first, last, shape, at)
            if written < 0 or row + 1 >= len(columns.value):
                return FULL, row, at
            if written - at > shape.form.limits[2]:
                return LEFT, row, at
            columns.key[row, 0], columns.key[row, 1] = at, written
            columns.key[row, 2], columns.key[row, 3] = labels, behind
            columns.value[row], columns.timestamp_ms[row] = value, timestamp_ms
            row, at = row + 1, written
        pos = skip_space(text, pos, end)
        if text[pos] == 44:
            pos = skip_space(text, pos + 1, end)
    return 0, row, at


@kernel(_TRIPLE(OUT, TEXT, int64, int64, _SHAPE, _EVENT, int64, COLUMNS, int64))
def _samples(out, text, end, latest_ms, shape, event, row, columns, at):  # type: ignore[no-untyped-def]
    """The rows of an event that was stepped over: (LEFT, FULL or 0, next row, written up to)."""
    if event.behind < 0 or event.seen & REQUIRED != REQUIRED or columns.timestamp_ms[row] < 0:
        return LEFT, row, at
    timely = EARLIEST_MS <= columns.timestamp_ms[row] <= latest_ms
    if shape.many:
        code, behind, at = _values(out, text, event.value, end, shape, row, columns, at)
        return (code if timely or behind == row or code == FULL else LEFT), behind, at
    pos, sample, columns.value[row] = _value(text, event.value, end, shape)
    return (0 if pos >= 0 and sample and timely else LEFT), row + 1, at


@kernel(_TRIPLE(OUT, TEXT, int64, int64, int64, int64, _SHAPE, int64, COLUMNS, int64))
def _record(out, text, start, end, base_ms, latest_ms, shape, row, columns, at):  # type: ignore[no-untyped-def]
    """Reads a record into rows: (LEFT, FULL or 0, next row, written up to)."""
    columns.timestamp_ms[row] = base_ms
    event = _members(text, skip_space(text, start, end), end, shape, False, row, columns)
    if event.behind < 0 or skip_space(text, event.behind, end) != end:
        return LEFT, row, at
    if event.batch < 0:
        return _samples(out, text, end, latest_ms, shape, event, row, columns, at)
    if text[event.batch] != 91:
        return LEFT, row, at
    pos = skip_space(text, event.batch + 1, end)
    while text[pos] != 93:
        if row + 1 >= len(columns.value):
            return FULL, row, at
        columns.timestamp_ms[row] = base_ms
        event = _members(text, pos, end, shape, True, row, columns)
        code, row, at = _samples(out, text, end, latest_ms, shape, event, row, columns, at)
        if code < 0:
            return code, row, at
        pos = skip_space(text, event.behind, end)
        if text[pos] == 44:
            pos = skip_space(text, pos + 1, end)
    return 0, row, at


@kernel(_TRIPLE(OUT, TEXT, _SPAN, _SPAN, _SPAN, _SPAN, _SHAPE, _TRIPLE, COLUMNS, types.int64[::1]))
def scan_events(out, text, start, end, base_ms, latest_ms, shape, begin, columns, counts):  # type: ignore[no-untyped-def]
    """Reads records into rows, names into `out` and counts rows by record: -1 if left to the twin.

    `text` is where the records lie, the beginning of `out`. Goes on from `begin` (record, row, written up
    to), and gives the same three where it ended: before the last record if there is no room.
    """
    record, row, at = begin
    while record < len(start):
        first, last = start[record], end[record]
        counts[record] = -1
        fits = 0 <= first <= last <= len(text) and last - first <= shape.form.limits[3]
        if fits and valid_utf8(text, first, last):
            base, latest = base_ms[record], latest_ms[record]
            room = out[: at + NAMES_PER_BYTE * (last - first)]  # names that need more are too long
            code, behind, written = _record(room, text, first, last, base, latest, shape, row, columns, at)
            if code == FULL and len(room) == len(out):
                break
            if code == 0:
                for each in range(row, behind):
                    hash_key(out, shape.form.seed, each, columns)
                counts[record], row, at = behind - row, behind, written
        record += 1
    return record, row, at
