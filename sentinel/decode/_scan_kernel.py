"""Steps that the scanning kernels share: white space, the inside of strings, UTF-8, RFC 3339.

Positions are int64 and checked before every read; eight bytes are read only where the buffer holds them.
A step gives the position behind what it read, or -1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import boolean, int64, types, uint64

from sentinel.machine import TEXT, kernel, load64, trailing_zeros

NON_ASCII: Final = 1
ESCAPED: Final = 2

_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _BACKSLASHES, _SPACES = (np.uint64(0x0101010101010101 * byte) for byte in (0x22, 0x5C, 0x20))
_1, _0 = np.uint64(1), np.uint64(0)


@kernel(uint64(uint64))
def _stops(word):  # type: ignore[no-untyped-def]
    """High bits at quotes, backslashes and control characters; exact up to the lowest of them."""
    quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
    found = ((quote - _ONES) & ~quote) | ((backslash - _ONES) & ~backslash) | ((word - _SPACES) & ~word)
    return found & _HIGHS


@kernel(types.UniTuple(int64, 2)(TEXT, int64, int64))
def next_stop(text, pos, end):  # type: ignore[no-untyped-def]
    """(position of the next quote, backslash or control character, or `end`; NON_ASCII if any came by)."""
    marks = 0
    while pos < end and pos + 8 <= len(text):
        word = load64(text, pos)
        stops = _stops(word)
        if stops != _0:
            if word & _HIGHS & (stops ^ (stops - _1)) != _0:
                marks = NON_ASCII
            return min(pos + (trailing_zeros(stops) >> 3), end), marks
        if word & _HIGHS != _0:
            marks = NON_ASCII
        pos += 8
    while pos < end:
        byte = text[pos]
        if byte == 0x22 or byte == 0x5C or byte < 0x20:
            return pos, marks
        if byte >= 0x80:
            marks = NON_ASCII
        pos += 1
    return end, marks


@kernel(int64(TEXT, int64, int64))
def skip_space(text, pos, end):  # type: ignore[no-untyped-def]
    """JSON's white space."""
    while pos < end and (text[pos] == 32 or text[pos] == 10 or text[pos] == 13 or text[pos] == 9):
        pos += 1
    return pos


@kernel(boolean(TEXT, int64, TEXT, int64, int64))
def same_bytes(text, pos, other, at, count):  # type: ignore[no-untyped-def]
    """Whether `count` bytes are equal; both spans must lie inside their buffers."""
    for step in range(count):  # noqa: SIM110 - numba has no `all`
        if text[pos + step] != other[at + step]:
            return False
    return True


@kernel(int64(TEXT, int64, int64))
def _character(text, pos, end):  # type: ignore[no-untyped-def]
    """Steps over one character beyond ASCII, by the table of the Unicode standard (3-7)."""
    lead = text[pos]
    more = 1 if 0xC2 <= lead <= 0xDF else 2 if 0xE0 <= lead <= 0xEF else 3 if 0xF0 <= lead <= 0xF4 else 0
    if more == 0 or pos + more >= end:
        return -1
    lowest = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80
    highest = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF
    if text[pos + 1] < lowest or text[pos + 1] > highest:
        return -1
    for step in range(2, more + 1):
        if text[pos + step] & 0xC0 != 0x80:
            return -1
    return pos + more + 1


@kernel(boolean(TEXT, int64, int64))
def valid_utf8(text, pos, end):  # type: ignore[no-untyped-def]
    """Whether the bytes up to `end` are UTF-8 as Python decodes it: no surrogates, nothing overlong."""
    while pos < end:
        if pos + 8 <= len(text) and load64(text, pos) & _HIGHS == _0:
            pos += 8
        elif text[pos] < 0x80:
            pos += 1
        else:
            pos = _character(text, pos, end)
            if pos < 0:
                return False
    return True


@kernel(int64(TEXT, int64, int64))
def _fixed(text, pos, count):  # type: ignore[no-untyped-def]
    """A number of exactly `count` digits, or a very negative one."""
    value = 0
    for step in range(count):
        digit = text[pos + step] - 48
        if digit < 0 or digit > 9:
            return -(1 << 50)
        value = value * 10 + digit
    return value


@kernel(int64(int64, int64, int64))
def _days(year, month, day):  # type: ignore[no-untyped-def]
    """Days since 1970-01-01 in the Gregorian calendar, or -1 for a day that no month has."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = 30 + (month + month // 8) % 2 if month != 2 else 28 + leap
    if month < 1 or month > 12 or day < 1 or day > length:
        return -1
    before = year - 1 if month < 3 else year  # years begin in March: the leap day comes last
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + day_of_year - 719_468


@kernel(int64(TEXT, int64, int64))
def _offset_minutes(text, pos, end):  # type: ignore[no-untyped-def]
    """`Z` or `+hh:mm` up to `end`, in minutes east; 1 << 50 for anything else."""
    if end - pos == 1 and (text[pos] == 90 or text[pos] == 122):
        return 0
    if end - pos != 6 or (text[pos] != 43 and text[pos] != 45) or text[pos + 3] != 58:
        return 1 << 50
    hours, minutes = _fixed(text, pos + 1, 2), _fixed(text, pos + 4, 2)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return 1 << 50
    return (hours * 60 + minutes) * (-1 if text[pos] == 45 else 1)


@kernel(int64(TEXT, int64, int64))
def ms_of_rfc3339(text, pos, end):  # type: ignore[no-untyped-def]
    """The kernel of `timestamps.ms_of_rfc3339`; -1 for what is malformed or before 1970."""
    if end - pos < 20 or text[pos + 4] != 45 or text[pos + 7] != 45:
        return -1
    if (text[pos + 10] | 32 != 116 and text[pos + 10] != 32) or text[pos + 13] != 58 or text[pos + 16] != 58:
        return -1
    year, month, day = _fixed(text, pos, 4), _fixed(text, pos + 5, 2), _fixed(text, pos + 8, 2)
    hour, minute, second = _fixed(text, pos + 11, 2), _fixed(text, pos + 14, 2), _fixed(text, pos + 17, 2)
    if min(year, month, day, hour, minute, second) < 0 or hour > 23 or minute > 59 or second > 60:
        return -1
    days, zone, fraction = _days(year, month, day), pos + 19, 0
    if text[zone] == 46:
        zone, scale = zone + 1, 100
        while zone < end and 48 <= text[zone] <= 57:
            fraction += (text[zone] - 48) * scale
            scale, zone = scale // 10, zone + 1
        if zone == pos + 20:
            return -1
    east = _offset_minutes(text, zone, end)
    if days < 0 or east == 1 << 50:
        return -1
    return (((days * 24 + hour) * 60 + minute - east) * 60 + second) * 1000 + fraction
