"""From a brace or comma to a member's value: which of the fields is it.

A producer spells its members the same in every record, each at its place. So they are compared with those of
the record before, eight bytes at once; same bytes mean the same, and only others are read letter by letter.
"""

from __future__ import annotations

import numpy as np
from numba import boolean, int64, types

from sentinel.decode._json_form import PLACES, WORDS
from sentinel.decode._json_labels_kernel import FORM
from sentinel.decode._json_steps_kernel import scan_string, to_value
from sentinel.decode._scan_kernel import ESCAPED, same_bytes, skip_space
from sentinel.machine import TEXT, kernel, load64, partial_word

NAME, LABELS, VALUE, TIMESTAMP, UNKNOWN = range(5)
_MEMBER = types.UniTuple(int64, 3)
_FULL, _0 = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)


@kernel(int64(TEXT, int64, int64, FORM))
def field_of(text, start, end, form):  # type: ignore[no-untyped-def]
    """Which of the configured fields is spelled from `start` to `end`."""
    length = end - start
    word = partial_word(text, start, min(length, 8))
    for field in range(4):
        first = form.bounds[field]
        alike = word == form.words[field] and length == form.bounds[field + 1] - first
        if alike and same_bytes(text, start + 8, form.fields, first + 8, length - 8):  # what is behind eight
            return field
    return UNKNOWN


@kernel(boolean(TEXT, int64, int64, FORM))
def _is_seen(text, pos, place, form):  # type: ignore[no-untyped-def]
    """Whether what is remembered of this place of a record stands at `pos`."""
    if place >= PLACES or form.members.length[place] == 0 or pos + 8 * WORDS > len(text):
        return False
    other, first = _0, place * WORDS
    for word in range(WORDS):
        found = load64(text, pos + 8 * word) ^ form.members.words[first + word]
        other |= found & form.members.masks[first + word]
    return other == _0


@kernel(types.void(TEXT, int64, int64, int64, int64, FORM))
def _remember(text, pos, behind, place, field, form):  # type: ignore[no-untyped-def]
    """What stands from `pos` to the value is this field, wherever it stands at this place again."""
    if place >= PLACES or behind - pos > 8 * WORDS:
        return
    form.members.length[place], form.members.field[place] = behind - pos, field
    for word in range(WORDS):
        left = min(max(behind - pos - 8 * word, 0), 8)
        form.members.words[place * WORDS + word] = partial_word(text, pos + 8 * word, left)
        form.members.masks[place * WORDS + word] = _FULL >> np.uint64(64 - 8 * left) if left else _0


@kernel(_MEMBER(TEXT, int64, int64, int64, FORM))
def to_member(text, pos, end, place, form):  # type: ignore[no-untyped-def]
    """From the brace or comma at `pos` to the value of the member with that place in its record.

    Returns:
        Where the value begins, of which at least one byte is there, or -1; the field; marks.
    """
    if _is_seen(text, pos, place, form):
        behind = skip_space(text, pos + form.members.length[place], end)
        return (behind if behind < end else -1), form.members.field[place], 0
    start = skip_space(text, pos + 1, end)
    if start >= end or text[start] != 0x22:
        return -1, UNKNOWN, 0
    close, marks = scan_string(text, start + 1, end)
    if close < 0 or marks & ESCAPED:
        return -1, UNKNOWN, 0
    field, behind = field_of(text, start + 1, close, form), to_value(text, close + 1, end)
    if behind >= 0 and marks == 0:
        _remember(text, pos, behind, place, field, form)
    return behind, field, marks
