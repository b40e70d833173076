"""The JSON scan: one pass over each record, in the shape that producers really send.

A record is taken only if its twin `_json_plain` would take it with the same result; whatever is unusual or
wrong (escapes in names, duplicates, long numbers, limits) is left to the twin, which alone knows reasons.
"""

from __future__ import annotations

from numba import boolean, int64, types

from sentinel.decode._hash_kernel import COLUMNS, absorb, hash_name
from sentinel.decode._json_labels_kernel import FORM, KNOWN, fetch_known, is_known, learn, read_labels
from sentinel.decode._json_members_kernel import NAME, TIMESTAMP, UNKNOWN, VALUE, to_member
from sentinel.decode._json_steps_kernel import NULL, scan_string, skip_literal, skip_value
from sentinel.decode._numbers_kernel import FRACTIONAL, scan_number, to_float, to_ms
from sentinel.decode._scan_kernel import NON_ASCII, ms_of_rfc3339, skip_space, valid_utf8
from sentinel.decode.timestamps import EARLIEST_MS
from sentinel.machine import TEXT, kernel

REQUIRED = 1 << NAME | 1 << VALUE
_AHEAD = 16


_SPAN = types.Array(int64, 1, "C", readonly=True)
_TIMES = types.UniTuple(_SPAN, 2)
"""By record: the usual time, and the latest that is no future, in ms."""
_PAIR = types.UniTuple(int64, 2)


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


@kernel(_PAIR(TEXT, int64, int64, int64, FORM, boolean, int64, COLUMNS))
def read_field(text, pos, end, field, form, sure, row, columns):  # type: ignore[no-untyped-def]
    """Reads a field's value into its column: (position behind or -1, marks). `sure`: see `read_labels`."""
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
    return read_labels(text, pos, end, form, sure, row, columns)


@kernel(boolean(TEXT, int64, int64, FORM, boolean, int64, COLUMNS))
def _scan_record(text, start, end, form, sure, row, columns):  # type: ignore[no-untyped-def]
    """Whether the record is in the usual shape; its key, time and value are then in their columns."""
    pos, seen, marks, place = skip_space(text, start, end), 0, 0, 0
    if pos >= end or text[pos] != 123:
        return False
    while True:
        pos, field, found = to_member(text, pos, end, place, form)
        if pos < 0 or (field != UNKNOWN and seen >> field & 1):
            return False
        seen |= 1 << field
        place += 1
        if field == UNKNOWN:
            pos, more = skip_value(text, pos, end)
        else:
            pos, more = read_field(text, pos, end, field, form, sure, row, columns)
        if pos < 0:
            return False
        marks |= found | more
        pos = skip_space(text, pos, end)
        if pos >= end or text[pos] != 44:
            break
    if pos >= end or text[pos] != 125 or skip_space(text, pos + 1, end) != end:
        return False
    return seen & REQUIRED == REQUIRED and (not marks & NON_ASCII or valid_utf8(text, start, end))


@kernel(boolean(TEXT, int64, int64, FORM, boolean, int64, _TIMES, COLUMNS))
def _take(text, start, end, form, sure, row, times, columns):  # type: ignore[no-untyped-def]
    """Whether the record is one for this kernel, with a time between the earliest and its latest."""
    columns.timestamp_ms[row] = times[0][row]
    columns.key[row, 2] = columns.key[row, 3] = 0
    return (
        0 <= start <= end <= len(text)
        and end - start <= form.limits[3]
        and _scan_record(text, start, end, form, sure, row, columns)
        and EARLIEST_MS <= columns.timestamp_ms[row] <= times[1][row]
    )


@kernel(types.void(TEXT, FORM, KNOWN, boolean, int64, COLUMNS))
def _finish(text, form, known, new, row, columns):  # type: ignore[no-untyped-def]
    """The hash of a row's key; labels that are `new` are known from now on."""
    first, last = columns.key[row, 2], columns.key[row, 3]
    if new or first == last:
        a, b = absorb(text, first, last, form.seed[0], form.seed[1], form.seed)
        columns.series_hash[row, 0], columns.series_hash[row, 1] = a, b
        if first < last:
            learn(text, first, last, a, b, known)
    hash_name(text, form.seed, row, columns)


@kernel(types.void(TEXT, _SPAN, _SPAN, _TIMES, FORM, KNOWN, COLUMNS, types.boolean[::1]))
def scan_records(text, start, end, times, form, known, columns, taken):  # type: ignore[no-untyped-def]
    """Fills the rows of `columns` whose records it takes, and marks them in `taken`.

    All are scanned as if their labels were known. Then those whose labels are not are scanned again.
    """
    rows, hashes = len(start), columns.series_hash
    for again in range(2):
        for row in range(rows):
            if again:
                if row + _AHEAD < rows:
                    fetch_known(hashes[row + _AHEAD, 0], known)
                bare = columns.key[row, 2] == columns.key[row, 3]
                if taken[row] and (bare or is_known(hashes[row, 0], hashes[row, 1], known)):
                    _finish(text, form, known, False, row, columns)
                    continue
            taken[row] = _take(text, start[row], end[row], form, again == 1, row, times, columns)
            if again and taken[row]:
                _finish(text, form, known, True, row, columns)
