"""Memory to receive into, again and again.

A page that the process did not have before is cleared by the system when it is first written to, which takes
about as long as to receive into it.
"""

from __future__ import annotations

import weakref
from typing import Final

import numpy as np

from sentinel.model import UInt8s

KEPT_BYTES: Final = 32 << 20
_LEAST_STEP: Final = 1 << 16


class Buffers:
    """Lends memory that comes back by itself, whatever thread lets it go; about `KEPT_BYTES` lie ready.

    What came back last is lent first: some of it may still be in the processor's caches. What came back
    first goes when it is too much: nobody may ask for its size again.
    """

    def __init__(self) -> None:
        self._ready: dict[int, UInt8s] = {}  # each change is one step: another thread may give back meanwhile

    def lend(self, size: int) -> memoryview:
        """So many bytes, whatever they hold, for as long as the view or anything made of it lives."""
        capacity = _capacity(size)
        memory = self._take(capacity)
        if memory is None:
            memory = np.empty(capacity, np.uint8)  # unlike a bytearray it is not cleared
        lent = memory[:size]
        weakref.finalize(lent, self._give_back, memory).atexit = False
        return lent.data

    @property
    def kept_bytes(self) -> int:
        """How many bytes lie ready."""
        return sum(map(len, list(self._ready.values())))

    def _take(self, capacity: int) -> UInt8s | None:
        for memory in reversed(list(self._ready.values())):
            if len(memory) == capacity:
                return self._ready.pop(id(memory), None)
        return None

    def _give_back(self, memory: UInt8s) -> None:
        self._ready[id(memory)] = memory
        while self.kept_bytes > KEPT_BYTES:
            self._ready.pop(next(iter(list(self._ready)), 0), None)


def _capacity(size: int) -> int:
    """`size` and at most a quarter more, so that frames of about the same size share their memory."""
    step = max(1 << max(size.bit_length() - 3, 0), _LEAST_STEP)
    return -(-size // step) * step
