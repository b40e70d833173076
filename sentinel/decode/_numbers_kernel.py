"""Decimal text to float64, exactly as Python's `float` rounds it.

Small numbers take Clinger's fast path (one exact multiplication or division). The others are multiplied with
a 128-bit power of ten and rounded: Lemire, "Number parsing at a gigabyte per second" (2021). What neither
decides (more than 19 digits, subnormals, overflow, ties) is left to the twin, `float` itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import boolean, float64, int64, types, uint64

from sentinel.decode.timestamps import FAR_MS
from sentinel.machine import TEXT, float_of_bits, kernel, leading_zeros, load64, multiply_high
from sentinel.model import UInt64s

NEGATIVE: Final = 1
FRACTIONAL: Final = 2
"""The number has a fraction or an exponent."""
LONG: Final = 4
"""More digits than the mantissa holds."""

_LOWEST, _HIGHEST = -330, 308
_MAX_EXPONENT = 100_000  # keeps the sum inside int64; far outside of any float


def _powers_of_ten() -> UInt64s:
    """The top 128 bits of each power of ten, cut off: (high, low)."""
    rows = []
    for exponent in range(_LOWEST, _HIGHEST + 1):
        value = 10**exponent if exponent >= 0 else (1 << 1400) // 10**-exponent
        bits = value.bit_length()
        top = value >> (bits - 128) if bits >= 128 else value << (128 - bits)
        rows.append((top >> 64, top & (1 << 64) - 1))
    return np.array(rows, np.uint64)


_POWERS: Final = _powers_of_ten()
_EXACT: Final = np.array([10.0**exponent for exponent in range(23)])

_0, _1, _2, _9, _52, _63 = (np.uint64(n) for n in (0, 1, 2, 9, 52, 63))
_TEN, _LOW9, _IMPLICIT = np.uint64(10), np.uint64(0x1FF), np.uint64(1 << 52)
_ZEROS, _UP, _HIGHS = (np.uint64(0x0101010101010101 * byte) for byte in (0x30, 0x46, 0x80))
_EVERY_FOURTH = np.uint64(0x000000FF000000FF)
_FRONT, _BACK = np.uint64(100 + (1_000_000 << 32)), np.uint64(1 + (10_000 << 32))
_ROOM, _EIGHT_MORE = np.uint64(10**11), np.uint64(10**8)
"""Below so much, eight digits more are no number that is too long."""
_EXACT_MANTISSA, _FAR_MS = np.uint64(1 << 53), np.uint64(FAR_MS)


@kernel(boolean(uint64))
def _eight_digits(word):  # type: ignore[no-untyped-def]
    """Whether all bytes are digits: none below 48 borrows, none above 57 reaches the high bit."""
    return ((word - _ZEROS) | (word + _UP)) & _HIGHS == _0


@kernel(uint64(uint64))
def _of_eight(word):  # type: ignore[no-untyped-def]
    """The number that eight digits spell, the first in the lowest byte: by pairs, fours, then all."""
    pairs = ((word - _ZEROS) * _TEN) + ((word - _ZEROS) >> np.uint64(8))
    fours = (pairs & _EVERY_FOURTH) * _FRONT + ((pairs >> np.uint64(16)) & _EVERY_FOURTH) * _BACK
    return fours >> np.uint64(32)


@kernel(types.Tuple((int64, uint64, int64, int64))(TEXT, int64, int64, uint64))
def _digits(text, pos, end, mantissa):  # type: ignore[no-untyped-def]
    """Reads digits onto `mantissa`: (position behind, mantissa, digits read, whether it overflowed)."""
    first, overflow = pos, 0
    while pos + 8 <= end and mantissa < _ROOM:
        word = load64(text, pos)
        if not _eight_digits(word):
            break
        mantissa = mantissa * _EIGHT_MORE + _of_eight(word)
        pos += 8
    while pos < end:
        digit = text[pos] - 48
        if digit < 0 or digit > 9:
            break
        if mantissa >= np.uint64(1_000_000_000_000_000_000):
            overflow = LONG
        mantissa = mantissa * _TEN + np.uint64(digit)
        pos += 1
    return pos, mantissa, pos - first, overflow


@kernel(types.Tuple((int64, int64))(TEXT, int64, int64))
def _exponent(text, pos, end):  # type: ignore[no-untyped-def]
    """What follows an `e`: (position behind or -1, exponent)."""
    negative = False
    if pos < end and (text[pos] == 43 or text[pos] == 45):
        negative = text[pos] == 45
        pos += 1
    first, value = pos, 0
    while pos < end and 48 <= text[pos] <= 57:
        value = min(value * 10 + text[pos] - 48, _MAX_EXPONENT)
        pos += 1
    if pos == first:
        return -1, 0
    return pos, -value if negative else value


@kernel(types.Tuple((int64, uint64, int64, int64))(TEXT, int64, int64))
def scan_number(text, pos, end):  # type: ignore[no-untyped-def]
    """A number in JSON's grammar: (position behind or -1, mantissa, exponent of ten, shape bits)."""
    shape = 0
    if pos < end and text[pos] == 45:
        shape = NEGATIVE
        pos += 1
    first = pos
    pos, mantissa, count, overflow = _digits(text, pos, end, _0)
    if count == 0 or (count > 1 and text[first] == 48):
        return -1, _0, 0, 0
    shape |= overflow
    exponent = 0
    if pos < end and text[pos] == 46:
        pos, mantissa, count, overflow = _digits(text, pos + 1, end, mantissa)
        if count == 0:
            return -1, _0, 0, 0
        exponent = -count
        shape |= FRACTIONAL | overflow
    if pos < end and (text[pos] == 101 or text[pos] == 69):
        pos, written = _exponent(text, pos + 1, end)
        exponent += written
        shape |= FRACTIONAL
    return pos, mantissa, exponent, shape


@kernel(types.Tuple((boolean, float64))(uint64, int64))
def _rounded(mantissa, exponent):  # type: ignore[no-untyped-def]
    """`mantissa * 10**exponent` for a mantissa above 0, or (False, _) where 128 bits do not decide."""
    if exponent < _LOWEST or exponent > _HIGHEST:
        return False, 0.0
    shift = leading_zeros(mantissa)
    mantissa <<= np.uint64(shift)
    high_power, low_power = _POWERS[exponent - _LOWEST, 0], _POWERS[exponent - _LOWEST, 1]
    high, low = multiply_high(mantissa, high_power), mantissa * high_power
    if high & _LOW9 == _LOW9 and low + mantissa < low:  # the cut-off bits of the power could carry
        more = multiply_high(mantissa, low_power)
        low += more
        if low < more:
            high += _1
        if high & _LOW9 == _LOW9 and low + _1 == _0:
            return False, 0.0
    top = high >> _63
    if low == _0 and high & _LOW9 == _0 and (high >> (top + _9)) & np.uint64(3) == _1:
        return False, 0.0  # perhaps exactly between two floats
    fraction = high >> (top + _9)
    fraction = (fraction + (fraction & _1)) >> _1
    binary = ((217_706 * exponent) >> 16) + 1086 - shift + np.int64(top)  # 217706 / 2**16 is log2(10)
    if fraction >> np.uint64(53):
        fraction >>= _1
        binary += 1
    if binary < 1 or binary > 2046:
        return False, 0.0
    return True, float_of_bits((np.uint64(binary) << _52) | (fraction & (_IMPLICIT - _1)))


@kernel(types.Tuple((boolean, float64))(uint64, int64, int64))
def to_float(mantissa, exponent, shape):  # type: ignore[no-untyped-def]
    """The float64 nearest to the scanned number, or (False, _) where the twin has to say."""
    if shape & LONG:
        return False, 0.0
    sign = -1.0 if shape & NEGATIVE else 1.0
    if mantissa <= _EXACT_MANTISSA and -22 <= exponent <= 22:
        value = np.float64(np.int64(mantissa))
        return True, sign * (value * _EXACT[exponent] if exponent >= 0 else value / _EXACT[-exponent])
    if mantissa == _0:
        return True, sign * 0.0
    known, value = _rounded(mantissa, exponent)
    return known, sign * value


@kernel(int64(uint64, int64, int64, boolean))
def to_ms(mantissa, exponent, shape, seconds):  # type: ignore[no-untyped-def]
    """The scanned number as a time in milliseconds; -1 where the twin in `timestamps` has to say."""
    if shape & (LONG | NEGATIVE):
        return -1
    if not seconds:
        return np.int64(min(mantissa, _FAR_MS))
    known, value = to_float(mantissa, exponent, shape)
    if not known or value > 1e15:
        return -1
    return np.int64(np.floor(value * 1000 + 0.5))
