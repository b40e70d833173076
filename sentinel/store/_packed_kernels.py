"""Samples packed into blocks of words, exact to the last bit, and back. Compiled ahead.

A block is a header (see the word numbers) and two rows of numbers of one width each. Times: each distance to
the time before, less the smallest (frame of reference). Values: decimals become integers by a power of ten
(ALP, Afroozeh and Boncz 2023), and of those either the distances or themselves less the smallest are kept.
What is no decimal is kept as the exclusive or with the bits before (as in Gorilla, Pelkonen 2015) without the
zeros that all have on either side, of each sample or of those that differ, behind one bit for each.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from sentinel.model.histogram import BOX_BITS

NEWER, OLDER, FIRST_MS, LAST_MS, SHAPE, STEP, START, SLOPE = range(8)
HEADER = 8
MOST = 128
"""Samples in a block; counts have 8 bits."""
MOST_WORDS = HEADER + 2 * MOST + 3
MARKER_INSIDE, BOX_INSIDE = 1 << 8, 1 << 9
_DISTANCES, _LEVELS, _EACH, _CHANGES = range(4)
_DECIMALS = 6
_POWERS = np.array([10.0**power for power in range(_DECIMALS + 1)])
_LIMIT = float(1 << 53)
_BOX, _BOX_MASK = np.uint64(BOX_BITS), np.uint64(0xFFFF_FFFF_0000_0000)
_STALE = np.uint64(0x7FF0000000000002)

_WORDS, _VALUES, _BITS = types.int64[::1], types.float64[::1], types.uint64[::1]


@njit("int64(uint64)", cache=True, nogil=True, _nrt=False)
def _width(number):  # type: ignore[no-untyped-def]
    """How many bits it has."""
    width = 0
    while number:
        number >>= np.uint64(1)
        width += 1
    return width


@njit("void(int64[::1], int64, uint64, int64)", cache=True, nogil=True, _nrt=False)
def _put(words, position, number, width):  # type: ignore[no-untyped-def]
    """Set `width` bits, zeros until now, at a position counted in bits."""
    word, shift = position >> 6, position & 63
    words[word] |= np.int64(number << np.uint64(shift))
    if shift + width > 64:
        words[word + 1] |= np.int64(number >> np.uint64(64 - shift))


@njit("uint64(int64[::1], int64, uint64)", cache=True, nogil=True, _nrt=False)
def _get(words, position, mask):  # type: ignore[no-untyped-def]
    """The bits at a position. It looks at the word behind, too, so that there is nothing to decide."""
    word, shift = np.uint64(position) >> np.uint64(6), np.uint64(position) & np.uint64(63)
    low = np.uint64(words[word]) >> shift
    high = (np.uint64(words[word + np.uint64(1)]) << np.uint64(1)) << (np.uint64(63) - shift)
    return (low | high) & mask


@njit("uint64(int64)", cache=True, nogil=True, _nrt=False)
def _mask(width):  # type: ignore[no-untyped-def]
    return ~np.uint64(0) if width >= 64 else (np.uint64(1) << np.uint64(width)) - np.uint64(1)


@njit("int64(float64[::1], uint64[::1], int64, int64, int64[::1])", cache=True, nogil=True, _nrt=False)
def _as_integers(values, bits, first, count, integers):  # type: ignore[no-untyped-def]
    """The power of ten that makes integers of all these values, and those; -1: there is none."""
    power = 0
    for i in range(count):
        value = values[first + i]
        while True:
            number = np.rint(value * _POWERS[power])
            if abs(number) < _LIMIT:
                integers[MOST] = np.float64(number / _POWERS[power]).view(np.int64)
                if np.uint64(integers[MOST]) == bits[first + i]:
                    break
            power += 1
            if power > _DECIMALS:
                return -1
    for i in range(count):
        number = np.rint(values[first + i] * _POWERS[power])
        if abs(number) >= _LIMIT:
            return -1
        integers[i] = np.int64(number)
        if np.uint64(np.float64(integers[i] / _POWERS[power]).view(np.int64)) != bits[first + i]:
            return -1
    return power


@njit("UniTuple(int64, 2)(int64[::1], int64, int64)", cache=True, nogil=True, _nrt=False)
def _least_distance(numbers, first, count):  # type: ignore[no-untyped-def]
    """The least distance between neighbours, and the width of those distances less it."""
    if count < 2:
        return 0, 0
    least = most = numbers[first + 1] - numbers[first]
    for i in range(first + 2, first + count):
        distance = numbers[i] - numbers[i - 1]
        least, most = min(least, distance), max(most, distance)
    return least, _width(np.uint64(most - least))


@njit("int64(int64[::1], int64, int64, int64[::1], int64, int64, int64)", cache=True, nogil=True, _nrt=False)
def _put_distances(numbers, first, count, out, position, least, width):  # type: ignore[no-untyped-def]
    if width:
        for i in range(first + 1, first + count):
            _put(out, position, np.uint64(numbers[i] - numbers[i - 1] - least), width)
            position += width
    return position


@njit("int64(int64[::1], int64, int64, int64[::1], int64)", cache=True, nogil=True, _nrt=False)
def _put_integers(integers, power, count, out, position):  # type: ignore[no-untyped-def]
    """Returns the position behind. The shape gets mode, width and power."""
    slope, narrow = _least_distance(integers, 0, count)
    least, most = integers[0], integers[0]
    for i in range(count):
        least, most = min(least, integers[i]), max(most, integers[i])
    wide = _width(np.uint64(most - least))
    if narrow * (count - 1) <= wide * count:
        out[START], out[SLOPE] = integers[0], slope
        out[SHAPE] |= (_DISTANCES << 18) | (narrow << 20) | (power << 28)
        return _put_distances(integers, 0, count, out, position, slope, narrow)
    out[START] = least
    out[SHAPE] |= (_LEVELS << 18) | (wide << 20) | (power << 28)
    for i in range(count):
        _put(out, position, np.uint64(integers[i] - least), wide)
        position += wide
    return position


@njit("int64(uint64[::1], int64, int64, int64[::1], int64)", cache=True, nogil=True, _nrt=False)
def _put_bits(bits, first, count, out, position):  # type: ignore[no-untyped-def]
    """Returns the position behind. The shape gets mode, width and how many zeros are left out at the end."""
    used, changes = np.uint64(0), 0
    for i in range(first + 1, first + count):
        change = bits[i] ^ bits[i - 1]
        used |= change
        changes += change != 0
    zeros = 0
    while used and not used & np.uint64(1):
        used >>= np.uint64(1)
        zeros += 1
    width = _width(used)
    flagged = count - 1 + changes * width < (count - 1) * width
    mode = _CHANGES if flagged else _EACH
    out[START] = np.int64(bits[first])
    out[SHAPE] |= (mode << 18) | (width << 20) | (zeros << 28)
    for i in range(first + 1, first + count):
        change = (bits[i] ^ bits[i - 1]) >> np.uint64(zeros)
        if flagged:
            _put(out, position, np.uint64(change != 0), 1)
            position += 1
        if width and (change or not flagged):
            _put(out, position, change, width)
            position += width
    return position


@njit(
    types.int64(_WORDS, _VALUES, _BITS, types.int64, types.int64, _WORDS, _WORDS),
    cache=True,
    nogil=True,
    _nrt=False,
)
def encode(times, values, bits, first, count, out, integers):  # type: ignore[no-untyped-def]
    """Pack samples [first, first + count), at most MOST and in order of time, into `out`.

    Returns how many words it takes. `integers` is room for MOST + 1 numbers.
    """
    out[: HEADER + 2 * count + 3] = 0
    out[FIRST_MS], out[LAST_MS] = times[first], times[first + count - 1]
    step, width = _least_distance(times, first, count)
    out[STEP] = step
    out[SHAPE] = count | (width << 10)
    for i in range(first, first + count):
        if bits[i] == _STALE:
            out[SHAPE] |= MARKER_INSIDE
        elif (bits[i] & _BOX_MASK) == _BOX:
            out[SHAPE] |= BOX_INSIDE
    position = _put_distances(times, first, count, out, 64 * HEADER, step, width)
    power = _as_integers(values, bits, first, count, integers)
    if power >= 0:
        position = _put_integers(integers, power, count, out, position)
    else:
        position = _put_bits(bits, first, count, out, position)
    out[SHAPE] |= ((position + 63) >> 6) << 36
    return (position + 63) >> 6


@njit("int64(int64[::1], int64)", cache=True, nogil=True, _nrt=False)
def length(words, block):  # type: ignore[no-untyped-def]
    """How many words a block takes."""
    return words[block + SHAPE] >> 36


@njit("int64(int64[::1], int64)", cache=True, nogil=True, _nrt=False)
def samples(words, block):  # type: ignore[no-untyped-def]
    """How many samples are in a block."""
    return words[block + SHAPE] & 0xFF


@njit("boolean(int64[::1], int64, int64)", cache=True, nogil=True, _nrt=False)
def is_whole(words, block, end):  # type: ignore[no-untyped-def]
    """Whether a header that comes from elsewhere says what can be, of a block that ends by `end`."""
    shape, size, count = words[block + SHAPE], length(words, block), samples(words, block)
    fits = HEADER <= size <= MOST_WORDS and block + size <= end and 1 <= count <= MOST
    narrow = (shape >> 10) & 0x7F <= 64 and (shape >> 20) & 0x7F <= 64
    return fits and narrow and ((shape >> 18) & 3 > _LEVELS or (shape >> 28) & 0x3F <= _DECIMALS)


@njit("int64(int64[::1], int64, int64[::1], int64)", cache=True, nogil=True, _nrt=False)
def decode_times(words, block, times, to):  # type: ignore[no-untyped-def]
    """The times of a block to times[to:]; returns their number."""
    shape, step = words[block + SHAPE], words[block + STEP]
    count, width = shape & 0xFF, (shape >> 10) & 0x7F
    position, mask, now = 64 * (block + HEADER), _mask(width), words[block + FIRST_MS]
    times[to] = now
    for i in range(to + 1, to + count):
        now += step + np.int64(_get(words, position, mask))
        position += width
        times[i] = now
    return count


@njit("void(int64[::1], int64, int64, float64[::1], int64)", cache=True, nogil=True, _nrt=False)
def _decode_integers(words, block, position, values, to):  # type: ignore[no-untyped-def]
    shape, number = words[block + SHAPE], words[block + START]
    count, width = shape & 0xFF, (shape >> 20) & 0x7F
    scale, mask = _POWERS[(shape >> 28) & 0x3F], _mask(width)
    if (shape >> 18) & 3 == _LEVELS:
        for i in range(to, to + count):
            values[i] = (number + np.int64(_get(words, position, mask))) / scale
            position += width
        return
    slope = words[block + SLOPE]
    values[to] = number / scale
    for i in range(to + 1, to + count):
        number += slope + np.int64(_get(words, position, mask))
        position += width
        values[i] = number / scale


@njit("void(int64[::1], int64, int64, uint64[::1], int64)", cache=True, nogil=True, _nrt=False)
def _decode_bits(words, block, position, bits, to):  # type: ignore[no-untyped-def]
    shape, held = words[block + SHAPE], np.uint64(words[block + START])
    count, width, zeros = shape & 0xFF, (shape >> 20) & 0x7F, np.uint64((shape >> 28) & 0x3F)
    mask, flagged = _mask(width), (shape >> 18) & 3 == _CHANGES
    bits[to] = held
    for i in range(to + 1, to + count):
        if flagged:
            position += 1
            if not _get(words, position - 1, np.uint64(1)):
                bits[i] = held
                continue
        held ^= _get(words, position, mask) << zeros
        position += width
        bits[i] = held


@njit(
    types.int64(_WORDS, types.int64, _WORDS, _VALUES, _BITS, types.int64), cache=True, nogil=True, _nrt=False
)
def decode(words, block, times, values, bits, to):  # type: ignore[no-untyped-def]
    """The samples of a block to places from `to` on; returns their number. `bits` are those of `values`."""
    count, shape = decode_times(words, block, times, to), words[block + SHAPE]
    position = 64 * (block + HEADER) + (count - 1) * ((shape >> 10) & 0x7F)
    if (shape >> 18) & 3 <= _LEVELS:
        _decode_integers(words, block, position, values, to)
    else:
        _decode_bits(words, block, position, bits, to)
    return count
