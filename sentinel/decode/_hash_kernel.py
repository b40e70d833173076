"""The kernel of `_hash.hash_plain`."""

from __future__ import annotations

import numpy as np
from numba import types, uint64

from sentinel.decode.columns import Columns
from sentinel.machine import TEXT, kernel, load64, multiply_high, partial_word

_PAIR = types.UniTuple(uint64, 2)
SEED = types.Array(types.uint64, 1, "C", readonly=True)
COLUMNS = types.NamedTuple(
    (types.uint64[:, ::1], types.int64[:, ::1], types.int64[::1], types.float64[::1]), Columns
)


@kernel(uint64(uint64, uint64))
def _fold(value, multiplier):  # type: ignore[no-untyped-def]
    return multiply_high(value, multiplier) ^ (value * multiplier)


@kernel(_PAIR(TEXT, types.int64, types.int64, uint64, uint64, SEED))
def absorb(text, start, end, a, b, seed):  # type: ignore[no-untyped-def]
    """Both lanes after the bytes from `start` to `end`, then their number."""
    by_a, by_b = seed[2], seed[3]
    pos = start
    while pos + 8 <= end:
        word = load64(text, pos)
        a, b = _fold(a ^ word, by_a), _fold(b ^ word, by_b)
        pos += 8
    if pos < end:
        word = partial_word(text, pos, end - pos)
        a, b = _fold(a ^ word, by_a), _fold(b ^ word, by_b)
    length = np.uint64(end - start)
    return _fold(a ^ length, by_a), _fold(b ^ length, by_b)


@kernel(types.void(TEXT, SEED, types.int64, COLUMNS))
def hash_name(text, seed, row, columns):  # type: ignore[no-untyped-def]
    """Hashes the key in one row whose hash is that of its labels until now."""
    a, b = columns.series_hash[row, 0], columns.series_hash[row, 1]
    a, b = absorb(text, columns.key[row, 0], columns.key[row, 1], a, b, seed)
    columns.series_hash[row, 0], columns.series_hash[row, 1] = a, b


@kernel(types.void(TEXT, SEED, types.int64, COLUMNS))
def hash_key(text, seed, row, columns):  # type: ignore[no-untyped-def]
    """Hashes the key in one row, whose spans lie inside `text`."""
    key = columns.key[row]
    a, b = absorb(text, key[2], key[3], seed[0], seed[1], seed)
    columns.series_hash[row, 0], columns.series_hash[row, 1] = a, b
    hash_name(text, seed, row, columns)


@kernel(types.void(TEXT, SEED, types.int64[::1], COLUMNS))
def hash_rows(text, seed, rows, columns):  # type: ignore[no-untyped-def]
    """`hash_key` for each of `rows`, whose keys must lie inside `text`."""
    for row in rows:
        hash_key(text, seed, row, columns)
