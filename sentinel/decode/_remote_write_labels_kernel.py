"""The labels of one series: gathered as spans of strings, judged, and written down as its key."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import boolean, int64, types, uint64
from numba.extending import intrinsic

from sentinel.decode._names_kernel import NAMES_SEEN, NamesSeen, new_name
from sentinel.decode._remote_write_plain import VERDICTS
from sentinel.decode._remote_write_wire_kernel import next_field, varint
from sentinel.decode._scan_kernel import same_bytes, valid_utf8
from sentinel.decode.limits import Limits
from sentinel.machine import TEXT, kernel, partial_word
from sentinel.model import Int64s

_MISSING, _INVALID, _DUPLICATE = map(VERDICTS.index, ("missing_name", "invalid_label", "duplicate_label"))
_MANY, _LONG, _UTF8 = map(VERDICTS.index, ("too_many_labels", "label_too_long", "invalid_utf8"))
_NAME = np.frombuffer(b"__name__", np.uint8)
_QUOTE, _BACKSLASH = np.uint8(0x22), np.uint8(0x5C)
_ONES, _HIGHS, _0 = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080), np.uint64(0)
_QUOTES, _BACKSLASHES = np.uint64(0x2222222222222222), np.uint64(0x5C5C5C5C5C5C5C5C)


class Rules(NamedTuple):
    """What labels must keep to, and room to judge them in."""

    limits: Int64s
    """`Limits.column()`."""
    seen: NamesSeen
    strings: Int64s
    """Spans of names and values in turn: one label more than may be, besides the name."""

    @classmethod
    def of(cls, limits: Limits) -> Rules:
        strings = np.empty((2 * (limits.labels + 2), 2), np.int64)
        return cls(limits.column(), NamesSeen.empty(limits.labels + 1), strings)


GRID = types.int64[:, ::1]
RULES = types.NamedTuple((types.int64[::1], NAMES_SEEN, GRID), Rules)
OUT = types.uint8[::1]


@kernel(int64(TEXT, int64, int64, int64, GRID))
def _gather_label(text, pos, end, count, strings):  # type: ignore[no-untyped-def]
    """Notes name and value of a Label message; the number of strings then, or -1."""
    keep = count + 1 < len(strings)
    if keep:
        strings[count, 0] = strings[count, 1] = strings[count + 1, 0] = strings[count + 1, 1] = pos
    while pos < end:
        pos, tag, a, b = next_field(text, pos, end)
        number = tag >> 3
        if pos < 0 or ((number == 1 or number == 2) and tag & 7 != 2):
            return -1
        if keep and (number == 1 or number == 2):
            strings[count + number - 1, 0], strings[count + number - 1, 1] = a, b
    return count + 2


@kernel(int64(int64, GRID, int64, GRID))
def _gather_ref(ref, symbols, count, strings):  # type: ignore[no-untyped-def]
    """Notes one symbol, a start of -1 for one that does not exist; the number of strings then."""
    if count < len(strings):
        strings[count, 0] = strings[count, 1] = -1
        if 0 <= ref < len(symbols):
            strings[count, 0], strings[count, 1] = symbols[ref, 0], symbols[ref, 1]
    return count + 1


@kernel(int64(TEXT, int64, int64, int64, GRID, GRID))
def gather(text, version, pos, end, symbols, strings):  # type: ignore[no-untyped-def]
    """Notes the strings of the labels of the series between two positions; how many it has, or -1."""
    count = 0
    while pos < end:
        pos, tag, a, b = next_field(text, pos, end)
        if pos < 0:
            return -1
        if tag >> 3 != 1:
            continue
        if version == 1:
            count = _gather_label(text, a, b, count, strings)
            if count < 0:
                return -1
        elif tag & 7 == 0:
            count = _gather_ref(a, symbols, count, strings)
        else:
            while a < b:
                a, ref = varint(text, a, b)
                if a < 0:
                    return -1
                count = _gather_ref(np.int64(ref), symbols, count, strings)
    return count


@kernel(boolean(TEXT, int64, int64))
def _is_reserved(text, start, end):  # type: ignore[no-untyped-def]
    return end - start == 8 and same_bytes(text, start, _NAME, 0, 8)


@kernel(int64(TEXT, int64, RULES))
def judge(text, count, rules):  # type: ignore[no-untyped-def]
    """The verdict on the `count` strings that were gathered; 0 is good."""
    if count % 2 != 0:
        return _INVALID
    limits, strings, labels, named, present = rules.limits, rules.strings, 0, False, False
    for at in range(0, min(count, len(strings)), 2):
        a, b = strings[at]
        c, d = strings[at + 1]
        if a < 0 or a == b or c < 0:
            return _INVALID
        reserved = _is_reserved(text, a, b)
        if (b - a > limits[1] and not reserved) or d - c > limits[2]:
            return _LONG
        if not (valid_utf8(text, a, b) and valid_utf8(text, c, d)):
            return _UTF8
        if reserved:
            if named:
                return _DUPLICATE
            named, present = True, d > c
            continue
        if not new_name(text, a, b, labels, rules.seen):
            return _DUPLICATE
        labels += 1
        if labels > limits[0]:
            return _MANY
    return 0 if present else _MISSING


@intrinsic
def _store64(typing: Any, out: Any, pos: Any, word: Any) -> Any:
    """Writes eight bytes at `pos`, the lowest first; `pos + 8 <= len(out)` must hold."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.gep(data, [args[1]], source_etype=ir.IntType(8))
        builder.store(args[2], builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(out, types.int64, types.uint64), build


@kernel(boolean(uint64, uint64))
def _has(word, pattern):  # type: ignore[no-untyped-def]
    """Whether one of the eight bytes is the one that `pattern` repeats."""
    zeroed = word ^ pattern
    return (zeroed - _ONES) & ~zeroed & _HIGHS != _0


@kernel(int64(TEXT, int64, int64, int64, OUT))
def _write(text, start, end, at, out):  # type: ignore[no-untyped-def]
    """Copies a string, quotes and backslashes escaped; the position behind it.

    `out` has room for twice the string, and for eight bytes more.
    """
    special = False
    for step in range(0, end - start, 8):
        word = partial_word(text, start + step, min(end - start - step, 8))
        _store64(out, at + step, word)
        special |= _has(word, _QUOTES) or _has(word, _BACKSLASHES)
    if not special:
        return at + end - start
    for pos in range(start, end):
        if text[pos] in (_QUOTE, _BACKSLASH):
            out[at] = _BACKSLASH
            at += 1
        out[at] = text[pos]
        at += 1
    return at


@kernel(types.UniTuple(int64, 3)(TEXT, int64, GRID, int64, OUT))
def write_key(text, count, strings, at, out):  # type: ignore[no-untyped-def]
    """Writes `"name"="value",` of each label, then the metric's name; (where it begins, where each ends)."""
    start, name = at, 0
    for one in range(0, count, 2):
        a, b = strings[one]
        c, d = strings[one + 1]
        if _is_reserved(text, a, b):
            name = one + 1
        elif d > c:
            out[at] = _QUOTE
            at = _write(text, a, b, at + 1, out)
            out[at], out[at + 1], out[at + 2] = _QUOTE, 0x3D, _QUOTE
            at = _write(text, c, d, at + 3, out)
            out[at], out[at + 1] = _QUOTE, 0x2C
            at += 2
    behind = _write(text, strings[name, 0], strings[name, 1], at, out)
    return start, at, behind
