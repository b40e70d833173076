"""What a window must show, written for reading."""

from __future__ import annotations

import numpy as np

from sentinel.store import _kernels as kernels
from sentinel.store.index import UNASKED


class PlainWindow:
    """A window as it would be if forgetting cost nothing."""

    def __init__(self, keep_ms: int) -> None:
        self.keep_ms = keep_ms
        self.samples: dict[int, float] = {}

    def append(self, at: int, value: float, horizon: int) -> int:
        if self.keep_ms == UNASKED and self.samples:
            newest = max(self.samples)
            if at > newest:
                self.samples = {at: value}
                return kernels.STORED
            return self._same_time(at, value) if at == newest else kernels.OUT_OF_ORDER
        if any(at < other <= horizon - self.keep_ms for other in self.samples):
            return kernels.TOO_LATE
        if at in self.samples:
            return self._same_time(at, value)
        self.samples[at] = value
        return kernels.STORED

    def _same_time(self, at: int, value: float) -> int:
        self.samples[at] = max(self.samples[at], value, key=_bits)
        return kernels.DUPLICATE

    def visible(self, horizon: int) -> list[tuple[int, float]]:
        """What an evaluation at the horizon or later can reach: newer than horizon - keep, and one before."""
        reach = horizon - max(self.keep_ms, 0)
        old = [at for at in self.samples if at <= reach]
        kept = [at for at in self.samples if at > reach] + ([max(old)] if old else [])
        return [(at, self.samples[at]) for at in sorted(kept)]

    def forget(self, horizon: int) -> None:
        """What nobody can reach any more, at once."""
        if self.samples:
            newest = max(self.samples)
            kept = self.visible(horizon) if self.keep_ms != UNASKED else [(newest, self.samples[newest])]
            self.samples = dict(kept)


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.uint64))
