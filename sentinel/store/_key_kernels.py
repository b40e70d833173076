"""From the raw keys of samples to label sets as kernels read them, without an object in between.

A key is what a record has for its labels: a JSON object, or what an exposition or a remote write has between
braces. A set is spelled `name END value END` for each of its pairs, in the order of names. Whatever is not
plain (rare escapes, names that stand twice) is left to `SampleBatch.labels_of`, the twin of this module.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

END = np.uint8(0xFF)
"""Ends each name and value: a byte that UTF-8 never has."""
MOST_LABELS = 256
"""Keys with more of them are in doubt."""
SPARE = 32
"""Bytes that spelling a key may need beyond those of the key and the target."""

_TEXT = types.Array(types.uint8, 1, "C", readonly=True)
_LONGS = types.Array(types.int64, 1, "C", readonly=True)
_BYTES, _SPANS, _INT64S = types.uint8[::1], types.int64[:, ::1], types.int64[::1]
TARGET = types.Tuple((_TEXT, _SPANS))
_PLACES = types.UniTuple(types.int64, 2)
_QUOTE, _BACKSLASH, _COLON, _EQUALS = (np.uint8(ord(each)) for each in '"\\:=')
_NAME = np.frombuffer(b"__name__\xff", np.uint8)
_BETWEEN = np.zeros(256, np.bool_)
_BETWEEN[list(b' \t\r\n{},:="')] = True
_UNESCAPED = np.zeros(256, np.uint8)
_UNESCAPED[list(b'\\"n')] = list(b'\\"\n')  # what all formats write alike
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True, "_nrt": False}


@njit(_PLACES(_TEXT, types.int64, types.int64, _BYTES, types.int64), **_OPTIONS)
def _copy_string(text, start, end, out, place):  # type: ignore[no-untyped-def]
    """Writes what a string's inside means: (its closing quote or `end`, or -1 if in doubt; place behind)."""
    while start < end and text[start] != _QUOTE:
        byte = text[start]
        if byte == _BACKSLASH:
            start += 1
            byte = _UNESCAPED[text[start]] if start < end else np.uint8(0)
            if byte == 0:
                return -1, place
        if byte == END:
            return -1, place
        out[place] = byte
        place += 1
        start += 1
    return start, place


@njit(_PLACES(_TEXT, types.int64, types.int64, _BYTES, types.int64), **_OPTIONS)
def _copy_token(text, start, end, out, place):  # type: ignore[no-untyped-def]
    """Writes a quoted string or a bare word: (position behind or -1, place behind)."""
    if text[start] == _QUOTE:
        start, place = _copy_string(text, start + 1, end, out, place)
        return (start + 1 if 0 <= start < end else -1), place
    while start < end and not _BETWEEN[text[start]]:
        if text[start] == END:
            return -1, place
        out[place] = text[start]
        place += 1
        start += 1
    return start, place


@njit(types.int64(_TEXT, types.int64, types.int64, _BYTES, types.int64), **_OPTIONS)
def _copy(text, start, end, out, place):  # type: ignore[no-untyped-def]
    """The place behind."""
    for at in range(start, end):
        out[place] = text[at]
        place += 1
    return place


@njit(types.int64(_TEXT, types.int64, types.int64), **_OPTIONS)
def _behind_space(text, pos, end):  # type: ignore[no-untyped-def]
    while pos < end and (text[pos] == 32 or (9 <= text[pos] <= 13)):
        pos += 1
    return pos


@njit(types.UniTuple(types.int64, 4)(_TEXT, types.int64, types.int64, _BYTES, types.int64), **_OPTIONS)
def _read_label(text, start, end, out, place):  # type: ignore[no-untyped-def]
    """One label: (position behind, or -1 if in doubt; end of its name; place behind; 1 if it had no name).

    A lone quoted string is the metric's name.
    """
    first, nameless = place, 0
    pos, place = _copy_token(text, start, end, out, place)
    if pos < 0:
        return -1, place, place, 0
    after = _behind_space(text, pos, end)
    if after < end and (text[after] == _COLON or text[after] == _EQUALS):
        if place == first:
            return -1, place, place, 0
        start = _behind_space(text, after + 1, end)
        out[place] = END
        place += 1
    else:
        nameless, place = 1, _copy(_NAME, 0, len(_NAME), out, first)
    if start >= end or text[start] != _QUOTE:
        return -1, place, place, 0
    middle = place - 1
    pos, place = _copy_token(text, start, end, out, place)
    out[place] = END
    return pos, middle, place + 1, nameless


@njit(types.int64(_TEXT, types.int64, types.int64, _BYTES, types.int64, _SPANS, types.int64), **_OPTIONS)
def _read_labels(text, pos, end, out, place, spans, count):  # type: ignore[no-untyped-def]
    """Labels as written, spelled from `place` on: how many there are then, or -1 if in doubt."""
    named = count
    while pos < end:
        if text[pos] != _QUOTE and _BETWEEN[text[pos]]:
            pos += 1
            continue
        first = place
        pos, middle, place, nameless = _read_label(text, pos, end, out, first)
        named += nameless
        if pos < 0 or named > 1 or count >= len(spans):
            return -1
        spans[count, 0], spans[count, 1], spans[count, 2] = first, middle, place
        count += 1
    return count


@njit(types.int64(_BYTES, types.int64, types.int64, types.int64, types.int64), **_OPTIONS)
def _compare(text, start, end, other, other_end):  # type: ignore[no-untyped-def]
    """Below, at or above 0 as the first text comes before the other one, is the same, or comes after it."""
    while start < end and other < other_end:
        if text[start] != text[other]:
            return np.int64(text[start]) - np.int64(text[other])
        start += 1
        other += 1
    return (end - start) - (other_end - other)


@njit(types.boolean(_BYTES, _SPANS, types.int64), **_OPTIONS)
def _sort(text, spans, count):  # type: ignore[no-untyped-def]
    """Spans in the order of their names; whether no name stands there twice."""
    for label in range(1, count):
        start, middle, end = spans[label, 0], spans[label, 1], spans[label, 2]
        place = label
        while place > 0:
            order = _compare(text, start, middle, spans[place - 1, 0], spans[place - 1, 1])
            if order == 0:
                return False
            if order > 0:
                break
            for column in range(3):
                spans[place, column] = spans[place - 1, column]
            place -= 1
        spans[place, 0], spans[place, 1], spans[place, 2] = start, middle, end
    return True


@njit(types.int64(_TEXT, _LONGS, TARGET, _BYTES, _SPANS), **_OPTIONS)
def _read_key(text, key, target, scratch, spans):  # type: ignore[no-untyped-def]
    """Spans in `scratch` of all labels of a row, by name: how many, or -1 if in doubt."""
    a, b, c, d = key[0], key[1], key[2], key[3]
    if not (0 <= a <= b <= len(text) and 0 <= c <= d <= len(text)):
        return -1
    over, over_spans = target
    place, count = _copy(over, 0, len(over), scratch, 0), len(over_spans)
    for label in range(count):
        spans[label, 0], spans[label, 1], spans[label, 2] = over_spans[label]
    mine = spans[count:]
    named = 0
    if b > a:
        mine[0, 0], mine[0, 1] = place, place + len(_NAME) - 1
        close, place = _copy_string(text, a, b, scratch, _copy(_NAME, 0, len(_NAME), scratch, place))
        if close != b:
            return -1
        scratch[place] = END
        place, named = place + 1, 1
        mine[0, 2] = place
    found = _read_labels(text, c, d, scratch, place, mine, named)
    return count + found if found >= 0 and _sort(scratch, spans, count + found) else -1


@njit(types.int64(_TEXT, _SPANS, TARGET, _BYTES, _BYTES, _INT64S, _INT64S, _SPANS), **_OPTIONS)
def spell_keys(text, keys, target, scratch, out, ends, read, spans):  # type: ignore[no-untyped-def]
    """Spells the label sets of these keys, one behind the other, and gives how many it has read.

    `keys` are spans in `text` (name start, name end, labels start, labels end). `target` is (labels laid
    over all rows, spelled; their spans); a key that has one of them is in doubt. `scratch` has room for the
    longest key, `out` for all of them: for each what is written, the target, and SPARE. `ends[i]` is where
    the set of row `read[i]` ends.
    """
    count = place = 0
    for row in range(len(keys)):
        labels = _read_key(text, keys[row], target, scratch, spans)
        if labels < 0:
            continue
        for label in range(labels):
            if spans[label, 2] - spans[label, 1] > 2:  # an empty value means that the label is absent
                place = _copy(scratch, spans[label, 0], spans[label, 2], out, place)
        ends[count], read[count] = place, row
        count += 1
    return count
