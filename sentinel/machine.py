"""Machine instructions that numba has no words for: unaligned loads, wide products, bit counts, prefetching.

`load64` is the only place where memory is read without numba's array indexing: its caller must have
checked `0 <= pos` and `pos + 8 <= len(text)`. All words are little-endian.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

TEXT: Final = types.Array(types.uint8, 1, "C", readonly=True)
"""The numba type of a payload buffer."""


def kernel(*signatures: Any) -> Any:
    """Compiles for these signatures, once for all processes, to run without the interpreter's lock.

    Kernels allocate nothing, so numba's reference counts are off: with them a scan takes eight times as long.
    Inlining all steps into one function halves what is left.
    """
    return njit(list(signatures), cache=True, nogil=True, forceinline=True, _nrt=False)


_WORD, _WIDE, _BIT = ir.IntType(64), ir.IntType(128), ir.IntType(1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@intrinsic
def load64(typing: Any, text: Any, pos: Any) -> Any:
    """The eight bytes of `text` at `pos`, the first in the lowest bits."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.gep(data, [args[1]], source_etype=ir.IntType(8))
        return builder.load(builder.bitcast(address, _WORD.as_pointer()), align=1, typ=_WORD)

    return types.uint64(text, types.int64), build


@intrinsic
def multiply_high(typing: Any, a: Any, b: Any) -> Any:
    """The upper 64 bits of the 128-bit product of two uint64; `a * b` gives the lower."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        product = builder.mul(builder.zext(args[0], _WIDE), builder.zext(args[1], _WIDE))
        return builder.trunc(builder.lshr(product, _WIDE(64)), _WORD)

    return types.uint64(types.uint64, types.uint64), build


@intrinsic
def trailing_zeros(typing: Any, word: Any) -> Any:
    """How many zero bits lie below the lowest one; `word` must not be 0."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], _BIT(1))

    return types.int64(types.uint64), build


@intrinsic
def leading_zeros(typing: Any, word: Any) -> Any:
    """How many zero bits lie above the highest one; `word` must not be 0."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], _BIT(1))

    return types.int64(types.uint64), build


@intrinsic
def float_of_bits(typing: Any, word: Any) -> Any:
    """The float64 with these bits."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.uint64), build


@intrinsic
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """LLVM's `prefetch` of one place of an array, counted as it lies, to be written to. It never faults.

    Rows in random order then wait for memory several at once, not one by one.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(call, [place, flag(1), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@kernel(types.uint64(TEXT, types.int64, types.int64))
def partial_word(text, pos, count):  # type: ignore[no-untyped-def]
    """The `count` (0 to 8) bytes at `pos` as the low bytes of a word, zeros above."""
    if pos + 8 <= len(text):
        if count == 8:
            return load64(text, pos)
        return load64(text, pos) & ((_ONE << np.uint64(8 * count)) - _ONE)
    word = _ZERO
    for at in range(count):
        word |= np.uint64(text[pos + at]) << np.uint64(8 * at)
    return word
