"""The labels of a JSON record: scanned string by string once, from then on recognised by their bytes.

A span from a brace to the next closing one that was found to be a whole object of labels is one wherever it
stands. Its hash is needed in any case; whether it is known costs one look, which waits for memory: that is
why records are scanned first as if it were.
"""

from __future__ import annotations

import numpy as np
from numba import boolean, int64, types, uint64

from sentinel.decode._hash_kernel import COLUMNS, SEED, absorb
from sentinel.decode._json_form import WAYS, Form, LabelsKnown, MembersSeen
from sentinel.decode._json_steps_kernel import scan_string, to_value
from sentinel.decode._names_kernel import NAMES_SEEN, new_name
from sentinel.decode._scan_kernel import ESCAPED, skip_space
from sentinel.machine import TEXT, kernel, load64, prefetch, trailing_zeros

KNOWN = types.NamedTuple((types.uint64[::1], types.int64[::1]), LabelsKnown)
_NUMBERS, _WORDS = types.int64[::1], types.uint64[::1]
_MEMBERS = types.NamedTuple((_WORDS, _WORDS, _NUMBERS, _NUMBERS), MembersSeen)
FORM = types.NamedTuple((TEXT, _NUMBERS, _WORDS, _NUMBERS, NAMES_SEEN, _MEMBERS, SEED), Form)
_PAIR = types.UniTuple(int64, 2)
_BRACES, _ONES, _HIGHS = (np.uint64(0x0101010101010101 * byte) for byte in (0x7D, 0x01, 0x80))
_0 = np.uint64(0)


@kernel(_PAIR(TEXT, int64, int64, FORM))
def scan_labels(text, pos, end, form):  # type: ignore[no-untyped-def]
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


@kernel(int64(TEXT, int64, int64))
def _behind_brace(text, pos, end):  # type: ignore[no-untyped-def]
    """The position behind the next closing brace, or -1."""
    while pos + 8 <= len(text) and pos < end:
        word = load64(text, pos) ^ _BRACES
        found = (word - _ONES) & ~word & _HIGHS
        if found != _0:
            pos += trailing_zeros(found) >> 3
            return pos + 1 if pos < end else -1
        pos += 8
    while pos < end:
        if text[pos] == 125:
            return pos + 1
        pos += 1
    return -1


@kernel(int64(uint64, KNOWN))
def _first_way(a, known):  # type: ignore[no-untyped-def]
    return np.int64(a & np.uint64(len(known.digests) - WAYS))


@kernel(types.void(uint64, KNOWN))
def fetch_known(a, known):  # type: ignore[no-untyped-def]
    """`is_known` will be asked about this soon."""
    prefetch(known.digests, _first_way(a, known))


@kernel(boolean(uint64, uint64, KNOWN))
def is_known(a, b, known):  # type: ignore[no-untyped-def]
    first, found = _first_way(a, known), False
    for way in range(WAYS):
        found |= known.digests[first + way] == b
    return found and b != _0


@kernel(types.void(TEXT, int64, int64, uint64, uint64, KNOWN))
def learn(text, pos, behind, a, b, known):  # type: ignore[no-untyped-def]
    """Remembers a whole object of labels, unless it has escapes, more than ASCII, or braces in a string.

    Where all its places are taken, another one is forgotten.
    """
    for at in range(pos, behind):
        if text[at] == 0x5C or text[at] >= 0x80 or (text[at] == 125 and at < behind - 1):
            return
    first = _first_way(a, known)
    where = first + np.int64(a >> np.uint64(32)) % WAYS
    for place in range(first, first + WAYS):
        if known.digests[place] == _0:
            where = place
            break
    known.digests[where] = b
    known.learned[0] += 1


@kernel(_PAIR(TEXT, int64, int64, FORM, boolean, int64, COLUMNS))
def read_labels(text, pos, end, form, sure, row, columns):  # type: ignore[no-untyped-def]
    """The object of labels at `pos`, into the key of a row: (position behind or -1, marks).

    Unless it must be `sure` it takes all up to the next closing brace for one, and only hashes it.
    """
    if sure:
        behind, marks = scan_labels(text, pos, end, form)
    else:
        behind, marks = _behind_brace(text, pos, end), 0
        if behind >= 0:
            a, b = absorb(text, pos, behind, form.seed[0], form.seed[1], form.seed)
            columns.series_hash[row, 0], columns.series_hash[row, 1] = a, b
    columns.key[row, 2], columns.key[row, 3] = pos, behind
    return behind, marks
