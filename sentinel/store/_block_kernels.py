"""What is packed of windows: rings of blocks, sealed, forgotten, mended. Compiled ahead.

The newest block of a ring is in meta; the one newer than it is the oldest. All are older than the samples in
the window's segment, of which there is one at least.
"""

from __future__ import annotations

from numba import njit, types

from sentinel.store import _packed_kernels as packed
from sentinel.store._box_kernels import outranks
from sentinel.store._layout import (
    BASE,
    BLOCKS,
    COUNT,
    DUPLICATE,
    FIRST,
    KEEP,
    META,
    PACKED,
    STORED,
    TOO_LATE,
    WINDOWS,
    upper,
)
from sentinel.store._packed_kernels import FIRST_MS, LAST_MS, MOST, NEWER, OLDER, SHAPE
from sentinel.store._segment_kernels import CHUNK, END, class_for, give, take

BOXED = MOST + 1
"""The place among `numbers` that counts blocks with boxes."""
_SPARE = 4


@njit(types.boolean(WINDOWS, BLOCKS), cache=True, nogil=True, _nrt=False)
def roomy(windows, blocks):  # type: ignore[no-untyped-def]
    """Whether whatever one sample can make necessary finds room in the slabs."""
    times, _, _, _, chunks, heads = windows
    words, word_chunks, word_heads, _, _, _, _, _ = blocks
    end, word_end = max(heads[END], 1) + _SPARE, max(word_heads[END], 1) + _SPARE
    enough = end * CHUNK <= times.shape[0] and end <= chunks.shape[0]
    return enough and word_end * CHUNK <= words.shape[0] and word_end <= word_chunks.shape[0]


@njit(types.int64(BLOCKS, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def _store(blocks, first, count):  # type: ignore[no-untyped-def]
    """A block of unpacked samples, in no ring yet."""
    words, chunks, heads, times, values, bits, out, numbers = blocks
    length = packed.encode(times, values, bits, first, count, out, numbers)
    block = take(words, chunks, heads, class_for(length))
    for i in range(length):
        words[block + i] = out[i]
    numbers[BOXED] += words[block + SHAPE] & packed.BOX_INSIDE != 0
    return block


@njit(types.void(BLOCKS, META, types.int64, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def link(blocks, meta, slot, block, older):  # type: ignore[no-untyped-def]
    """Put a block into a slot's ring, behind an older one (0: the ring is empty)."""
    words = blocks[0]
    marked, newest = meta[slot, PACKED] & 1, meta[slot, PACKED] >> 1
    if older:
        newer = words[older + NEWER]
        words[older + NEWER], words[newer + OLDER] = block, block
    else:
        newer = older = block
    words[block + NEWER], words[block + OLDER] = newer, older
    if older in (newest, block):
        meta[slot, PACKED] = (block << 1) | marked


@njit(types.void(BLOCKS, META, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def _drop(blocks, meta, slot, block):  # type: ignore[no-untyped-def]
    """Take a block out of a slot's ring and give it back."""
    words, chunks, heads, numbers = blocks[0], blocks[1], blocks[2], blocks[7]
    marked, newest = meta[slot, PACKED] & 1, meta[slot, PACKED] >> 1
    newer, older = words[block + NEWER], words[block + OLDER]
    words[older + NEWER], words[newer + OLDER] = newer, older
    if newest == block:
        newest = older if older != block else 0
        meta[slot, PACKED] = (newest << 1) | marked
    numbers[BOXED] -= words[block + SHAPE] & packed.BOX_INSIDE != 0
    give(words, chunks, heads, block)


@njit(types.void(BLOCKS, META, types.int64), cache=True, nogil=True, _nrt=False)
def drop_all(blocks, meta, slot):  # type: ignore[no-untyped-def]
    while meta[slot, PACKED] >> 1:
        _drop(blocks, meta, slot, meta[slot, PACKED] >> 1)


@njit(types.void(WINDOWS, BLOCKS, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def expire(windows, blocks, slot, reach):  # type: ignore[no-untyped-def]
    """Drop blocks behind which something comes that is at or before `reach`."""
    times, _, _, meta, _, _ = windows
    words = blocks[0]
    while meta[slot, PACKED] >> 1:
        newest = meta[slot, PACKED] >> 1
        oldest = words[newest + NEWER]
        following = times[meta[slot, BASE] + meta[slot, FIRST]]
        if oldest != newest:
            following = words[words[oldest + NEWER] + FIRST_MS]
        if following > reach:
            break
        _drop(blocks, meta, slot, oldest)


@njit(types.boolean(WINDOWS, BLOCKS, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def forget(windows, blocks, slot, reach):  # type: ignore[no-untyped-def]
    """As `expire`, to the sample: nothing stays behind the newest at or before `reach`.

    False when the slabs must grow first.
    """
    meta, words, block_times, block_values, bits = windows[3], blocks[0], blocks[3], blocks[4], blocks[5]
    expire(windows, blocks, slot, reach)
    newest = meta[slot, PACKED] >> 1
    if newest == 0:
        return True
    oldest = words[newest + NEWER]
    count = packed.decode(words, oldest, block_times, block_values, bits, 0)
    first = upper(block_times, 0, count, reach) - 1
    if first > 0:
        if not roomy(windows, blocks):
            return False
        link(blocks, meta, slot, _store(blocks, first, count - first), oldest)
        _drop(blocks, meta, slot, oldest)
    return True


@njit(types.void(WINDOWS, BLOCKS, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def seal(windows, blocks, slot, number):  # type: ignore[no-untyped-def]
    """Pack the oldest `number` samples of a segment, together with a newest block that is not full."""
    times, values, _, meta, _, _ = windows
    words, _, _, block_times, block_values, bits, _, _ = blocks
    newest, count = meta[slot, PACKED] >> 1, 0
    older = newest
    if newest and packed.samples(words, newest) < MOST:
        count = packed.decode(words, newest, block_times, block_values, bits, 0)
    begin = meta[slot, BASE] + meta[slot, FIRST]
    for i in range(number):
        block_times[count + i], block_values[count + i] = times[begin + i], values[begin + i]
    meta[slot, FIRST] += number
    meta[slot, COUNT] -= number
    for first in range(0, count + number, MOST):
        block = _store(blocks, first, min(MOST, count + number - first))
        link(blocks, meta, slot, block, older)
        older = block
    if count:
        _drop(blocks, meta, slot, newest)


@njit(types.int64(BLOCKS, META, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def block_of(blocks, meta, slot, at):  # type: ignore[no-untyped-def]
    """The oldest block that does not end before a time, or 0."""
    words = blocks[0]
    newest = meta[slot, PACKED] >> 1
    if newest == 0 or words[newest + LAST_MS] < at:
        return 0
    block = newest
    while words[block + OLDER] != newest and words[words[block + OLDER] + LAST_MS] >= at:
        block = words[block + OLDER]
    return block


@njit(types.void(BLOCKS, META, types.int64, types.int64, types.int64), cache=True, nogil=True, _nrt=False)
def _rewrite(blocks, meta, slot, block, count):  # type: ignore[no-untyped-def]
    """Put unpacked samples in the place of a block."""
    older, first = block, 0
    while first < count:
        size = count if count <= MOST else (count + 1) >> 1
        made = _store(blocks, first, min(size, count - first))
        link(blocks, meta, slot, made, older)
        older = made
        first += size
    _drop(blocks, meta, slot, block)


@njit(
    types.int64(
        WINDOWS, BLOCKS, types.int64, types.int64, types.int64, types.float64, types.uint64, types.int64
    ),
    cache=True,
    nogil=True,
    _nrt=False,
)
def insert(windows, blocks, slot, block, at, value, value_bits, horizon):  # type: ignore[no-untyped-def]
    """Put a sample that is not newer than a block, but than those before it, in its place there.

    Returns an outcome. Of two samples at one time the one that outranks the other stays.
    """
    times, _, _, meta, _, _ = windows
    words, _, _, block_times, block_values, bits, _, _ = blocks
    count = packed.decode(words, block, block_times, block_values, bits, 0)
    place = upper(block_times, 0, count, at)
    following = times[meta[slot, BASE] + meta[slot, FIRST]]
    if place < count:
        following = block_times[place]
    elif block != meta[slot, PACKED] >> 1:
        following = words[words[block + NEWER] + FIRST_MS]
    if following <= horizon - meta[slot, KEEP]:
        return TOO_LATE
    if place > 0 and block_times[place - 1] == at:
        if outranks(value_bits, bits[place - 1]):
            block_values[place - 1] = value
            _rewrite(blocks, meta, slot, block, count)
        return DUPLICATE
    for i in range(count, place, -1):
        block_times[i], block_values[i] = block_times[i - 1], block_values[i - 1]
    block_times[place], block_values[place] = at, value
    _rewrite(blocks, meta, slot, block, count + 1)
    return STORED


@njit(
    types.void(WINDOWS, BLOCKS, types.int64, types.int64, types.float64), cache=True, nogil=True, _nrt=False
)
def replace(windows, blocks, slot, at, value):  # type: ignore[no-untyped-def]
    """Another value for the sample of that time, wherever it lies."""
    times, values, _, meta, _, _ = windows
    words, _, _, block_times, block_values, bits, _, _ = blocks
    begin = meta[slot, BASE] + meta[slot, FIRST]
    end = begin + meta[slot, COUNT]
    place = upper(times, begin, end, at) - 1
    if place >= begin and times[place] == at:
        values[place] = value
        return
    block = block_of(blocks, meta, slot, at)
    if block:
        count = packed.decode(words, block, block_times, block_values, bits, 0)
        place = upper(block_times, 0, count, at) - 1
        if place >= 0 and block_times[place] == at:
            block_values[place] = value
            _rewrite(blocks, meta, slot, block, count)
