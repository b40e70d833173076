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

    What came back last is lent first: some of it may still be in the processor's caches.
    """

    def __init__(self) -> None:
        self._ready: dict[int, list[UInt8s]] = {}

    def lend(self, size: int) -> memoryview:
        """So many bytes, whatever they hold, for as long as the view or anything made of it lives."""
        capacity = _capacity(size)
        ready = self._ready.setdefault(capacity, [])
        # One step, as another thread may give back meanwhile. Unlike a bytearray, `empty` is not cleared.
        memory = ready.pop() if ready else np.empty(capacity, np.uint8)
        lent = memory[:size]
        weakref.finalize(lent, self._give_back, memory).atexit = False
        return lent.data

    def _give_back(self, memory: UInt8s) -> None:
        kept = sum(capacity * len(ready) for capacity, ready in list(self._ready.items()))
        if kept + len(memory) <= KEPT_BYTES:
            self._ready[len(memory)].append(memory)


def _capacity(size: int) -> int:
    """`size` and at most a quarter more, so that frames of about the same size share their memory."""
    step = max(1 << max(size.bit_length() - 3, 0), _LEAST_STEP)
    return -(-size // step) * step
