"""Loops over all that is packed, compiled ahead: to a snapshot and back, and what histograms are there."""

from __future__ import annotations

from numba import njit, types

from sentinel.store import _packed_kernels as packed
from sentinel.store._block_kernels import BOXED, link
from sentinel.store._box_kernels import mark_boxes
from sentinel.store._layout import BLOCKS, META, PACKED, TIMES
from sentinel.store._packed_kernels import NEWER, OLDER, SHAPE
from sentinel.store._segment_kernels import class_for, take


@njit(types.void(BLOCKS, META, TIMES, TIMES, types.boolean[::1]), cache=True, nogil=True)
def lengths(blocks, meta, slots, out, boxed):  # type: ignore[no-untyped-def]
    """By slot, how many words are packed of it, and whether there are boxes in them."""
    words = blocks[0]
    for row in range(slots.shape[0]):
        newest = meta[slots[row], PACKED] >> 1
        block = newest
        while block:
            out[row] += packed.length(words, block)
            boxed[row] = boxed[row] or words[block + SHAPE] & packed.BOX_INSIDE != 0
            block = words[block + OLDER]
            if block == newest:
                break


@njit(types.void(BLOCKS, META, TIMES, TIMES), cache=True, nogil=True)
def dump(blocks, meta, slots, out):  # type: ignore[no-untyped-def]
    """The blocks of these slots, of each the oldest first. Links mean nothing there."""
    words, to = blocks[0], 0
    for row in range(slots.shape[0]):
        newest = meta[slots[row], PACKED] >> 1
        block = words[newest + NEWER] if newest else 0
        while block:
            size = packed.length(words, block)
            out[to : to + size] = words[block : block + size]
            to += size
            block = words[block + NEWER] if block != newest else 0


@njit(types.int64(BLOCKS, META, types.int64, TIMES, types.int64, types.int64), cache=True, nogil=True)
def load(blocks, meta, slot, dumped, first, last):  # type: ignore[no-untyped-def]
    """A slot's ring from dumped words [first, last); returns where the next block begins, -1: it is no block.

    That is before the last one when the slab must grow first.
    """
    words, chunks, heads, _, _, _, _, numbers = blocks
    while first < last:
        if last - first < packed.HEADER or not packed.is_whole(dumped, first, last):
            return -1
        size = packed.length(dumped, first)
        block = take(words, chunks, heads, class_for(size))
        if block == 0:
            return first
        words[block : block + size] = dumped[first : first + size]
        numbers[BOXED] += words[block + SHAPE] & packed.BOX_INSIDE != 0
        link(blocks, meta, slot, block, meta[slot, PACKED] >> 1)
        first += size
    return first


@njit(types.void(BLOCKS, META, types.boolean[::1]), cache=True, nogil=True)
def mark_packed_boxes(blocks, meta, found):  # type: ignore[no-untyped-def]
    """As `mark_boxes`, of what is packed."""
    words, _, _, times, values, bits, _, numbers = blocks
    first, last = numbers[:1].copy(), numbers[:1].copy()
    for slot in range(meta.shape[0] if numbers[BOXED] else 0):
        newest = meta[slot, PACKED] >> 1
        block = newest
        while block:
            if words[block + SHAPE] & packed.BOX_INSIDE:
                first[0], last[0] = 0, packed.decode(words, block, times, values, bits, 0)
                mark_boxes(bits, first, last, found)
            block = words[block + OLDER] if words[block + OLDER] != newest else 0
