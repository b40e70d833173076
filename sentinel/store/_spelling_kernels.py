"""Numbered texts and label sets back as text: fingerprints, and pairs as they are spelled. Compiled ahead."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.store._pool_kernels import END, NONE, SETS, TEXTS

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_LONGS = types.Array(types.int64, 1, "C", readonly=True)
_HASHES = types.uint64[::1]
_PRIME, _OFFSET = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True, "_nrt": False}


@njit(types.uint64(types.uint64, _BYTES, types.int64, types.int64), **_OPTIONS)
def _fnv(value, text, start, end):  # type: ignore[no-untyped-def]
    for place in range(start, end):
        value = (value ^ np.uint64(text[place])) * _PRIME
    return (value ^ np.uint64(END)) * _PRIME


@njit(types.void(SETS, TEXTS, TEXTS, _LONGS, _HASHES, _HASHES), **_OPTIONS)
def fingerprints(sets, names, pairs, ids, known, out):  # type: ignore[no-untyped-def]
    """FNV-1a-64 over `name END value END` of each set's pairs; computed where `known`, by id, has 0."""
    begun, beginning = np.int64(NONE), _OFFSET  # most sets begin with the same pair: the metric's name
    for row in range(len(ids)):
        id = ids[row]
        if known[id] == 0:
            value = _OFFSET
            first = sets[2][id - 1] if id else 0
            for at in range(first, sets[2][id]):
                pair = sets[1][at]
                if at == first and pair == begun:
                    value = beginning
                    continue
                name = pairs[5][pair]
                value = _fnv(value, names[1], names[2][name - 1] if name else 0, names[2][name])
                value = _fnv(value, pairs[1], pairs[2][pair - 1] if pair else 0, pairs[2][pair])
                if at == first:
                    begun, beginning = pair, value
            known[id] = value
        out[row] = known[id]


@njit(types.int64(TEXTS, types.int64, types.uint8[::1], types.int64), **_OPTIONS)
def _copy_text(texts, number, out, place):  # type: ignore[no-untyped-def]
    """Writes a text and END; the place behind."""
    for at in range(texts[2][number - 1] if number else 0, texts[2][number]):
        out[place] = texts[1][at]
        place += 1
    out[place] = END
    return place + 1


@njit(types.void(TEXTS, TEXTS, _LONGS, types.uint8[::1]), **_OPTIONS)
def spell_pairs(names, pairs, numbers, out):  # type: ignore[no-untyped-def]
    """`name END value END` of each of these pairs."""
    place = 0
    for number in numbers:
        place = _copy_text(pairs, number, out, _copy_text(names, pairs[5][number], out, place))
