"""Digests of label sets, compiled ahead: from label sets, and from the raw bytes of samples.

A digest is the sum, over the labels, of a hash of name and value. So it is the same in whatever order,
spacing and form (a JSON object, or what an exposition has between braces) they are written. Whatever a raw
text leaves in doubt has no digest.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

_TEXT = types.Array(types.uint8, 1, "C", readonly=True)
_NAME = np.frombuffer(b"__name__", np.uint8)
_PRIME, _MIX = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_END, _QUOTE, _BACKSLASH = np.uint8(0xFF), np.uint8(0x22), np.uint8(0x5C)
_BETWEEN = np.zeros(256, np.bool_)
_BETWEEN[list(b' \t\r\n{},:="')] = True
_UNESCAPED = np.zeros(256, np.uint8)
_UNESCAPED[list(b'\\"n')] = list(b'\\"\n')  # what all formats write alike


@njit(types.uint64(types.uint64), cache=True, nogil=True)
def _finish(value):  # type: ignore[no-untyped-def]
    """Without it `ab`=`c` and `a`=`bc` would hash alike, and low bits know nothing of high ones."""
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(29))


@njit(types.uint64(_TEXT, types.int64, types.int64, types.uint64), cache=True, nogil=True)
def hash_plain(text, start, end, value):  # type: ignore[no-untyped-def]
    """FNV-1a of the bytes as they stand, going on from `value`."""
    for place in range(start, end):
        value = (value ^ np.uint64(text[place])) * _PRIME
    return _finish(value)


@njit(
    types.Tuple((types.int64, types.uint64))(_TEXT, types.int64, types.int64, types.uint64),
    cache=True,
    nogil=True,
)
def _hash_string(text, start, end, value):  # type: ignore[no-untyped-def]
    """(closing quote or `end`, hash of what is meant) of a string's inside; position -1 if in doubt."""
    place = start
    while place < end and text[place] != _QUOTE:
        byte = text[place]
        if byte == _BACKSLASH:
            place += 1
            byte = _UNESCAPED[text[place]] if place < end else np.uint8(0)
            if byte == 0:
                return -1, value
        value = (value ^ np.uint64(byte)) * _PRIME
        place += 1
    return place, _finish(value)


@njit(
    types.Tuple((types.int64, types.uint64))(_TEXT, types.int64, types.int64, types.uint64),
    cache=True,
    nogil=True,
)
def _hash_token(text, start, end, value):  # type: ignore[no-untyped-def]
    """(position behind or -1, hash) of a quoted string or a bare word."""
    if text[start] == _QUOTE:
        close, value = _hash_string(text, start + 1, end, value)
        return (close + 1 if 0 <= close < end else -1), value
    place = start
    while place < end and not _BETWEEN[text[place]]:
        place += 1
    return place, hash_plain(text, start, place, value)


@njit(
    types.Tuple((types.boolean, types.uint64))(
        _TEXT, types.int64, types.int64, types.uint64, types.uint64[::1]
    ),
    cache=True,
    nogil=True,
)
def _digest_labels(text, pos, end, seed, target_names):  # type: ignore[no-untyped-def]
    """(whether it is sure, digest) of labels as written; a lone quoted string is the metric's name."""
    digest, name, named = np.uint64(0), seed, False
    while pos < end:
        if text[pos] != _QUOTE and _BETWEEN[text[pos]]:
            pos += 1
            continue
        start = pos
        pos, value = _hash_token(text, start, end, name)
        if pos < 0:
            return False, digest
        after = pos
        while after < end and (text[after] == 32 or (9 <= text[after] <= 13)):
            after += 1
        if not named and after < end and (text[after] == 58 or text[after] == 61):
            name, named, pos = value, True, after + 1
            continue
        if text[start] != _QUOTE:
            return False, digest
        if not named:
            name = hash_plain(_NAME, 0, len(_NAME), seed)
            value = _hash_token(text, start, end, name)[1]
        if pos - start > 2:  # an empty value means that the label is absent
            for other in target_names:
                if name == other:
                    return False, digest  # the format decides which of the two is renamed or overwritten
            digest += value
        name, named = seed, False
    return not named, digest


@njit(
    types.void(
        _TEXT, types.int64[:, ::1], types.uint64, types.uint64[::1], types.boolean[::1], types.uint64[::1]
    ),
    cache=True,
    nogil=True,
)
def digest_keys(text, keys, seed, target_names, sure, out):  # type: ignore[no-untyped-def]
    """Digests of the raw keys of samples (spans name start, name end, labels start, labels end).

    `target_names` are hashes of label names that a target lays over the samples; a key that has one of them
    is in doubt.
    """
    metric = hash_plain(_NAME, 0, len(_NAME), seed)
    for row in range(len(keys)):
        sure[row], out[row] = False, 0
        a, b, c, d = keys[row]
        if not (0 <= a <= b <= len(text) and 0 <= c <= d <= len(text)):
            continue
        close, name = _hash_string(text, a, b, metric)
        if close != b:
            continue
        sure[row], out[row] = _digest_labels(text, c, d, seed, target_names)
        if b > a:
            out[row] += name


@njit(types.void(_TEXT, types.int64[::1], types.uint64, types.uint64[::1]), cache=True, nogil=True)
def digest_spelled(text, ends, seed, out):  # type: ignore[no-untyped-def]
    """Digests of label sets spelled `name 0xFF value 0xFF`; they follow each other and end at `ends`."""
    place = 0
    for row in range(len(ends)):
        out[row] = 0
        while place < ends[row]:
            value = seed
            for _ in range(2):
                start = place
                while place < ends[row] and text[place] != _END:
                    place += 1
                value = hash_plain(text, start, place, value)
                place += 1
            out[row] += value
