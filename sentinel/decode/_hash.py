"""A 128-bit hash of series keys: two independent lanes of folded multiplications.

A lane takes in eight bytes by `h = high(p) ^ low(p)` with `p = (h ^ word) * multiplier`, a 128-bit
product. Both starting values and both multipliers are drawn at start, so nobody outside can prepare
collisions, and the hash never leaves the process. The length closes each span: no two keys feed
the same words. The target's labels are mixed in by way of the starting values.
"""

from __future__ import annotations

import functools
import os
from typing import Final

import numpy as np

from sentinel.model import Labels, UInt64s

_MASK: Final = (1 << 64) - 1

SEED: Final[UInt64s] = np.frombuffer(os.urandom(32), np.uint64).copy()
"""Starting values of both lanes, then their multipliers."""
SEED[2:] |= np.uint64(1 << 63 | 1)
SEED.setflags(write=False)


@functools.lru_cache(maxsize=4096)
def seed_of(target: Labels) -> UInt64s:
    """The seed for samples of one target: two targets never share a series."""
    if not len(target):
        return SEED
    text = b"".join(b"%b\xff%b\xff" % (name.encode(), value.encode()) for name, value in target)
    seed = SEED.copy()
    seed[:2] = hash_plain(text, b"", SEED)
    seed.setflags(write=False)
    return seed


def hash_plain(name: bytes, labels: bytes, seed: UInt64s) -> tuple[int, int]:
    """The twin of the kernel `hash_key`, for tests and for targets."""
    lanes = [int(seed[0]), int(seed[1])]
    for span in (labels, name):  # labels can be hashed before the name is known
        words = [int.from_bytes(span[at : at + 8], "little") for at in range(0, len(span), 8)]
        for word in (*words, len(span)):
            lanes = [_fold(lane ^ word, int(by)) for lane, by in zip(lanes, seed[2:], strict=True)]
    return lanes[0], lanes[1]


def _fold(value: int, multiplier: int) -> int:
    product = value * multiplier
    return (product >> 64) ^ (product & _MASK)
