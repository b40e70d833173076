"""Steps over line protocol: blanks, tokens, numbers, booleans, strings, whole lines; and tokens written down.

Each gives the position behind what it stepped over, or why there is none.
"""

from __future__ import annotations

import numpy as np
from numba import float64, int64, types

from sentinel.decode._numbers_kernel import FRACTIONAL, scan_number, to_float
from sentinel.decode._scan_kernel import next_stop, same_bytes
from sentinel.machine import TEXT, kernel

LEFT, FULL = -1, -2
"""The twin has to look; there is no room to write on."""

COMMA, SPACE, EQUALS, BREAK, _BLANK = 1, 2, 4, 8, 16
_KIND = np.zeros(256, np.uint8)
_KIND[list(b", =\n\t\r")] = [COMMA, SPACE | _BLANK, EQUALS, BREAK, _BLANK, _BLANK]
_ESCAPABLE = COMMA | SPACE | EQUALS
_TRUE, _FALSE = 84, 70
_WORDS = tuple(np.frombuffer(word, np.uint8) for word in (b"true", b"True", b"TRUE"))
_NOT_WORDS = tuple(np.frombuffer(word, np.uint8) for word in (b"false", b"False", b"FALSE"))

OUT = types.uint8[::1]


@kernel(int64(TEXT, int64, int64))
def blanks(text, pos, end):  # type: ignore[no-untyped-def]
    while pos < end and _KIND[text[pos]] & _BLANK:
        pos += 1
    return pos


@kernel(int64(TEXT, int64, int64, int64))
def next_of(text, pos, end, stops):  # type: ignore[no-untyped-def]
    """The next byte of one of the kinds `stops` that no backslash precedes, or `end`."""
    while pos < end and not _KIND[text[pos]] & stops:
        if text[pos] == 0x5C and pos + 1 < end and _KIND[text[pos + 1]] & _ESCAPABLE:
            pos += 1
        pos += 1
    return pos


@kernel(int64(TEXT, int64, int64, int64, OUT))
def write_token(text, start, end, at, out):  # type: ignore[no-untyped-def]
    """Copies a token as keys spell it: the position behind it, or FULL."""
    if at + 2 * (end - start) > len(out):
        return FULL
    pos = start
    while pos < end:
        byte = text[pos]
        if byte == 0x5C and pos + 1 < end and _KIND[text[pos + 1]] & _ESCAPABLE:
            pos += 1
            byte = text[pos]
        elif byte == 0x5C or byte == 0x22:
            out[at] = 0x5C
            at += 1
        out[at] = byte
        at, pos = at + 1, pos + 1
    return at


@kernel(types.Tuple((int64, float64))(TEXT, int64, int64))
def _logical(text, pos, end):  # type: ignore[no-untyped-def]
    """A boolean: (position behind or LEFT, 1 or 0)."""
    close = pos
    while close < end and close - pos < 6 and 65 <= text[close] & 0xDF <= 90:
        close += 1
    if close - pos == 1:
        byte = text[pos] & 0xDF
        return (close if byte in (_TRUE, _FALSE) else LEFT), 1.0 if byte == _TRUE else 0.0
    for word in _WORDS:
        if close - pos == 4 and same_bytes(text, pos, word, 0, 4):
            return close, 1.0
    for word in _NOT_WORDS:
        if close - pos == 5 and same_bytes(text, pos, word, 0, 5):
            return close, 0.0
    return LEFT, 0.0


@kernel(types.Tuple((int64, float64))(TEXT, int64, int64))
def to_number(text, pos, end):  # type: ignore[no-untyped-def]
    """A number or boolean: (position behind or LEFT, value)."""
    if pos < end and text[pos] >= 65:
        return _logical(text, pos, end)
    pos, mantissa, exponent, shape = scan_number(text, pos, end)
    if pos < 0:
        return LEFT, 0.0
    if pos < end and (text[pos] == 105 or text[pos] == 117):
        if shape & FRACTIONAL:
            return LEFT, 0.0
        pos += 1
    known, value = to_float(mantissa, exponent, shape)
    return (pos if known else LEFT), value


@kernel(int64(TEXT, int64, int64))
def behind_string(text, pos, end):  # type: ignore[no-untyped-def]
    """Behind the quote that closes the string whose inside begins at `pos`, or LEFT."""
    while True:
        pos = next_stop(text, pos, end)[0]
        if pos >= end:
            return LEFT
        if text[pos] == 0x22:
            return pos + 1
        pos += 2 if text[pos] == 0x5C else 1


@kernel(int64(TEXT, int64, int64))
def line_break(text, pos, end):  # type: ignore[no-untyped-def]
    """The next line break, or `end`."""
    while True:
        pos = next_stop(text, pos, end)[0]
        if pos >= end or text[pos] == 10:
            return pos
        pos += 1


@kernel(int64(TEXT, int64, int64))
def line_end(text, pos, end):  # type: ignore[no-untyped-def]
    """Where the line ends: at the next break that is not inside a string, or at `end`."""
    pos = blanks(text, pos, end)
    if pos < end and text[pos] == 35:
        return line_break(text, pos, end)
    pos = next_of(text, pos, end, SPACE | BREAK)
    if pos >= end or text[pos] == 10:
        return pos
    while True:
        pos = next_stop(text, pos, end)[0]
        if pos >= end or text[pos] == 10:
            return pos
        behind = LEFT
        if text[pos] == 0x22 and text[pos - 1] == 61 and text[pos - 2] != 0x5C:
            behind = behind_string(text, pos + 1, end)
        pos = behind if behind >= 0 else pos + 1
