"""The JSON scan: one pass over each record, in the shape that producers really send.

A record is taken only if its twin `_json_plain` would take it with the same result; whatever is unusual or
wrong (escapes in names, duplicates, long numbers, limits) is left to the twin, which alone knows reasons.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import boolean, int64, types

from sentinel.decode._hash_kernel import COLUMNS, SEED, hash_key
from sentinel.decode._json_steps_kernel import NULL, scan_string, skip_literal, skip_value, to_value
from sentinel.decode._machine import TEXT, kernel
from sentinel.decode._names_kernel import NAMES_SEEN, NamesSeen, new_name
from sentinel.decode._numbers_kernel import FRACTIONAL, scan_number, to_float, to_ms
from sentinel.decode._scan_kernel import ESCAPED, NON_ASCII, ms_of_rfc3339, same_bytes, skip_space, valid_utf8
from sentinel.decode.timestamps import EARLIEST_MS
from sentinel.model import Int64s, UInt8s

NAME, LABELS, VALUE, TIMESTAMP, UNKNOWN = range(5)
REQUIRED = 1 << NAME | 1 << VALUE


class Form(NamedTuple):
    """What a scan looks for."""

    fields: UInt8s
    """The names of the fields, one after the other; field number i begins at `bounds[i]`."""
    bounds: Int64s
    limits: Int64s
    """`Limits.column()`."""
    names_seen: NamesSeen


_SPAN = types.Array(int64, 1, "C", readonly=True)
_PAIR = types.UniTuple(int64, 2)
FORM = types.NamedTuple((TEXT, types.int64[::1], types.int64[::1], NAMES_SEEN), Form)


@kernel(_PAIR(TEXT, int64, int64, FORM))
def _scan_labels(text, pos, end, form):  # type: ignore[no-untyped-def]
    """An object of strings, from its brace: (position behind or -1, marks)."""
    marks, count = 0, 0
    pos = skip_space(text, pos + 1, end)
    if pos < end and text[pos] == 125:
        return pos + 1, 0
    while pos < end and text[pos] == 0x22 and count < form.limits[0]:
        close, seen = scan_string(text, pos + 1, end)
        if close < 0 or seen & ESCAPED or close - pos - 1 > form.limits[1]:
            return -1, 0
        if not new_name(text, pos + 1, close, count, form.names_seen):
            return -1, 0
        count += 1
        marks |= seen
        pos = to_value(text, close + 1, end)
        if pos < 0 or text[pos] != 0x22:
            return -1, 0
        close, seen = scan_string(text, pos + 1, end)
        if close < 0 or close - pos - 1 > form.limits[2]:
            return -1, 0
        marks |= seen
        pos = skip_space(text, close + 1, end)
        if pos < end and text[pos] == 125:
            return pos + 1, marks
        if pos >= end or text[pos] != 44:
            return -1, 0
        pos = skip_space(text, pos + 1, end)
    return -1, 0


@kernel(_PAIR(TEXT, int64, int64, int64))
def scan_timestamp(text, pos, end, default_ms):  # type: ignore[no-untyped-def]
    """(position behind or -1, milliseconds or -1)."""
    if text[pos] == 0x22:
        close, marks = scan_string(text, pos + 1, end)
        if close < 0 or marks:
            return -1, -1
        return close + 1, ms_of_rfc3339(text, pos + 1, close)
    if text[pos] == 110:
        return skip_literal(text, pos, end, NULL), default_ms
    pos, mantissa, exponent, shape = scan_number(text, pos, end)
    return pos, to_ms(mantissa, exponent, shape, shape & FRACTIONAL != 0)


@kernel(int64(TEXT, int64, int64, FORM))
def field_of(text, start, end, form):  # type: ignore[no-untyped-def]
    """Which of the configured fields is spelled from `start` to `end`."""
    for field in range(4):
        length = form.bounds[field + 1] - form.bounds[field]
        if length == end - start and same_bytes(text, start, form.fields, form.bounds[field], length):
            return field
    return UNKNOWN


@kernel(_PAIR(TEXT, int64, int64, int64, FORM, int64, COLUMNS))
def read_field(text, pos, end, field, form, row, columns):  # type: ignore[no-untyped-def]
    """Reads a field's value into its column: (position behind or -1, marks)."""
    if field == VALUE:
        pos, mantissa, exponent, shape = scan_number(text, pos, end)
        known = False
        if pos >= 0:
            known, columns.value[row] = to_float(mantissa, exponent, shape)
        return (pos if known else -1), 0
    if field == TIMESTAMP:
        pos, columns.timestamp_ms[row] = scan_timestamp(text, pos, end, columns.timestamp_ms[row])
        return pos, 0
    if field == NAME:
        if text[pos] != 0x22:
            return -1, 0
        close, marks = scan_string(text, pos + 1, end)
        if close <= pos + 1 or close - pos - 1 > form.limits[2]:
            return -1, 0
        columns.key[row, 0], columns.key[row, 1] = pos + 1, close
        return close + 1, marks
    if text[pos] == 110:
        return skip_literal(text, pos, end, NULL), 0
    if text[pos] != 123:
        return -1, 0
    start = pos
    pos, marks = _scan_labels(text, pos, end, form)
    columns.key[row, 2], columns.key[row, 3] = start, pos
    return pos, marks


@kernel(boolean(TEXT, int64, int64, FORM, int64, COLUMNS))
def _scan_record(text, start, end, form, row, columns):  # type: ignore[no-untyped-def]
    """Whether the record is in the usual shape; its key, time and value are then in their columns."""
    pos, seen, marks = skip_space(text, start, end), 0, 0
    if pos >= end or text[pos] != 123:
        return False
    while True:
        pos = skip_space(text, pos + 1, end)  # behind the brace or a comma
        if pos >= end or text[pos] != 0x22:
            return False
        close, found = scan_string(text, pos + 1, end)
        if close < 0 or found & ESCAPED:
            return False
        field = field_of(text, pos + 1, close, form)
        if field != UNKNOWN and seen >> field & 1:
            return False
        seen |= 1 << field
        pos = to_value(text, close + 1, end)
        if pos < 0:
            return False
        if field == UNKNOWN:
            pos, more = skip_value(text, pos, end)
        else:
            pos, more = read_field(text, pos, end, field, form, row, columns)
        if pos < 0:
            return False
        marks |= found | more
        pos = skip_space(text, pos, end)
        if pos >= end or text[pos] != 44:
            break
    if pos >= end or text[pos] != 125 or skip_space(text, pos + 1, end) != end:
        return False
    return seen & REQUIRED == REQUIRED and (not marks & NON_ASCII or valid_utf8(text, start, end))


@kernel(int64(TEXT, _SPAN, _SPAN, _SPAN, _SPAN, FORM, SEED, COLUMNS, types.boolean[::1]))
def scan_records(text, start, end, base_ms, latest_ms, form, seed, columns, taken):  # type: ignore[no-untyped-def]
    """Fills the rows of `columns` whose records it takes, marks them in `taken`, and gives their number."""
    count = 0
    for row in range(len(start)):
        first, last = start[row], end[row]
        columns.timestamp_ms[row] = base_ms[row]
        taken[row] = (
            0 <= first <= last <= len(text)
            and last - first <= form.limits[3]
            and _scan_record(text, first, last, form, row, columns)
            and EARLIEST_MS <= columns.timestamp_ms[row] <= latest_ms[row]
        )
        if taken[row]:
            hash_key(text, seed, row, columns)
            count += 1
    return count
