"""Which label names a record already has: duplicates and the reserved `__name__` are not taken."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import boolean, int64, types

from sentinel.decode._scan_kernel import same_bytes
from sentinel.machine import TEXT, kernel, partial_word
from sentinel.model import Int64s, UInt64s

_MIX = np.uint64(0x9E3779B97F4A7C15)
_RESERVED = np.frombuffer(b"__name__", np.uint8)


class NamesSeen(NamedTuple):
    """Room for the label names of one record: a digest and the span of each."""

    digests: UInt64s
    spans: Int64s

    @classmethod
    def empty(cls, labels: int) -> NamesSeen:
        return cls(np.empty(labels, np.uint64), np.empty((labels, 2), np.int64))


NAMES_SEEN = types.NamedTuple((types.uint64[::1], types.int64[:, ::1]), NamesSeen)


@kernel(boolean(TEXT, int64, int64, int64, NAMES_SEEN))
def new_name(text, start, end, count, seen):  # type: ignore[no-untyped-def]
    """Remembers the name of label number `count`; False if it is empty, reserved or was there before."""
    length = end - start
    if length == 0 or (length == 8 and same_bytes(text, start, _RESERVED, 0, 8)):
        return False
    digest = partial_word(text, start, min(length, 8)) + np.uint64(length)
    if length > 8:
        digest = digest * _MIX + partial_word(text, end - 8, 8)
    for other in range(count):
        first, last = seen.spans[other]
        alike = seen.digests[other] == digest and last - first == length
        if alike and same_bytes(text, start, text, first, length):
            return False
    seen.digests[count] = digest
    seen.spans[count, 0], seen.spans[count, 1] = start, end
    return True
