"""Protocol buffers as they are on the wire: one field after another, every length checked."""

from __future__ import annotations

import numpy as np
from numba import int64, types, uint64

from sentinel.machine import TEXT, kernel, load64

_7, _127, _128 = np.uint64(7), np.uint64(0x7F), np.uint64(0x80)
_NUMBER = types.Tuple((int64, uint64))
_FIELD = types.UniTuple(int64, 4)


@kernel(_NUMBER(TEXT, int64, int64))
def varint(text, pos, end):  # type: ignore[no-untyped-def]
    """(position behind or -1, value) of a number of at most 64 bits."""
    value = np.uint64(0)
    for step in range(10):
        if pos >= end:
            return -1, value
        byte = np.uint64(text[pos])
        pos += 1
        if step == 9 and byte > np.uint64(1):
            return -1, value
        value |= (byte & _127) << (_7 * np.uint64(step))
        if byte < _128:
            return pos, value
    return -1, value


@kernel(_FIELD(TEXT, int64, int64))
def next_field(text, pos, end):  # type: ignore[no-untyped-def]
    """(position behind or -1, tag, start, end) of the field at `pos`.

    A varint stands in `start` itself; of other fields the span lies inside the message.
    """
    pos, tag = varint(text, pos, end)
    if pos < 0 or tag < np.uint64(8) or tag > np.uint64(0xFFFFFFFF):
        return -1, 0, 0, 0
    kind = tag & _7
    if kind == np.uint64(0):
        pos, number = varint(text, pos, end)
        return pos, np.int64(tag), np.int64(number), 0
    if kind == np.uint64(2):
        pos, length = varint(text, pos, end)
        if pos < 0 or length > np.uint64(end - pos):
            return -1, 0, 0, 0
    elif kind == np.uint64(1):
        length = np.uint64(8)
    elif kind == np.uint64(5):
        length = np.uint64(4)
    else:
        return -1, 0, 0, 0
    behind = pos + np.int64(length)
    if behind > end:
        return -1, 0, 0, 0
    return behind, np.int64(tag), pos, behind


@kernel(uint64(TEXT, int64))
def fixed64(text, pos):  # type: ignore[no-untyped-def]
    """The eight bytes of a field that `next_field` has found."""
    return load64(text, pos)
