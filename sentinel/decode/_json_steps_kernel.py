"""Steps over JSON: the inside of strings, literals, and values that nothing reads.

Each gives the position behind what it stepped over, or -1 where the text is wrong or the twin has to look;
marks are those of `_scan_kernel`. A `pos` that is given must lie before `end`.
"""

from __future__ import annotations

import numpy as np
from numba import int64, types

from sentinel.decode._json_plain import MAX_DEPTH
from sentinel.decode._numbers_kernel import scan_number
from sentinel.decode._scan_kernel import ESCAPED, next_stop, same_bytes, skip_space
from sentinel.machine import TEXT, kernel

_SIMPLE_ESCAPES = np.zeros(256, np.bool_)
_SIMPLE_ESCAPES[list(b'"\\/bfnrt')] = True
_TRUE, _FALSE, NULL = (np.frombuffer(word, np.uint8) for word in (b"true", b"false", b"null"))

_PAIR = types.UniTuple(int64, 2)


@kernel(_PAIR(TEXT, int64, int64))
def scan_string(text, pos, end):  # type: ignore[no-untyped-def]
    """The inside of a string, from behind its opening quote: (position of the closing one or -1, marks)."""
    marks = 0
    while True:
        pos, seen = next_stop(text, pos, end)
        marks |= seen
        if pos >= end or text[pos] < 0x20:
            return -1, marks
        if text[pos] == 0x22:
            return pos, marks
        if pos + 1 >= end or not _SIMPLE_ESCAPES[text[pos + 1]]:
            return -1, marks
        marks |= ESCAPED
        pos += 2


@kernel(int64(TEXT, int64, int64, TEXT))
def skip_literal(text, pos, end, word):  # type: ignore[no-untyped-def]
    if pos + len(word) <= end and same_bytes(text, pos, word, 0, len(word)):
        return pos + len(word)
    return -1


@kernel(_PAIR(TEXT, int64, int64))
def _skip_scalar(text, pos, end):  # type: ignore[no-untyped-def]
    """Steps over a string, number or literal: (position behind or -1, marks)."""
    byte = text[pos]
    if byte == 0x22:
        pos, marks = scan_string(text, pos + 1, end)
        return (pos + 1 if pos >= 0 else -1), marks
    if byte == 116:
        return skip_literal(text, pos, end, _TRUE), 0
    if byte == 102:
        return skip_literal(text, pos, end, _FALSE), 0
    if byte == 110:
        return skip_literal(text, pos, end, NULL), 0
    return scan_number(text, pos, end)[0], 0


@kernel(int64(TEXT, int64, int64))
def to_value(text, pos, end):  # type: ignore[no-untyped-def]
    """From behind a member's name to its value, of which at least one byte is there."""
    pos = skip_space(text, pos, end)
    if pos >= end or text[pos] != 58:
        return -1
    pos = skip_space(text, pos + 1, end)
    return pos if pos < end else -1


@kernel(_PAIR(TEXT, int64, int64, int64))
def next_value(text, pos, end, in_object):  # type: ignore[no-untyped-def]
    """From a brace, bracket or comma to the next value, over a member's name: (position or -1, marks)."""
    pos = skip_space(text, pos + 1, end)
    if not in_object:
        return (pos if pos < end else -1), 0
    if pos >= end or text[pos] != 0x22:
        return -1, 0
    close, marks = scan_string(text, pos + 1, end)
    return (to_value(text, close + 1, end) if close >= 0 else -1), marks


@kernel(types.UniTuple(int64, 3)(TEXT, int64, int64, int64, int64))
def _close(text, pos, end, depth, kinds):  # type: ignore[no-untyped-def]
    """Steps over the braces and brackets that close here: (position, depth, kinds)."""
    while depth > 0:
        pos = skip_space(text, pos, end)
        if pos >= end or text[pos] != (125 if kinds & 1 else 93):
            break
        pos, depth, kinds = pos + 1, depth - 1, kinds >> 1
    return pos, depth, kinds


@kernel(_PAIR(TEXT, int64, int64))
def skip_value(text, pos, end):  # type: ignore[no-untyped-def]
    """Steps over any value: (position behind or -1, marks). A bit of `kinds` per level is set for objects."""
    depth, kinds, marks = 0, 0, 0
    while True:
        if text[pos] == 123 or text[pos] == 91:
            depth, kinds = depth + 1, kinds << 1 | (text[pos] == 123)
            inside = skip_space(text, pos + 1, end)
            if depth >= MAX_DEPTH or inside >= end:
                return -1, 0
            if text[inside] != (125 if kinds & 1 else 93):
                pos, more = next_value(text, pos, end, kinds & 1)
                if pos < 0:
                    return -1, 0
                marks |= more
                continue
            pos = inside
        else:
            pos, more = _skip_scalar(text, pos, end)
            if pos < 0:
                return -1, 0
            marks |= more
        pos, depth, kinds = _close(text, pos, end, depth, kinds)
        if depth == 0:
            return pos, marks
        if pos >= end or text[pos] != 44:
            return -1, 0
        pos, more = next_value(text, pos, end, kinds & 1)
        if pos < 0:
            return -1, 0
        marks |= more
