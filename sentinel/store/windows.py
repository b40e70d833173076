"""The windows of all series: segments of two slabs, time and value, that grow by demand.

A window keeps what an evaluation at or after `horizon_ms` can still reach: everything newer than the horizon
less the window's `keep`, and the newest sample before that. A window that nobody asks for (`keep` -1) holds
its newest sample only. Forgetting is lazy; what is visible does not depend on when it happens.
"""

from __future__ import annotations

import numpy as np

from sentinel.model import Bools, Floats, Int64s, UInt8s, UInt64s
from sentinel.store import _kernels as kernels
from sentinel.store._box_kernels import mark_boxes
from sentinel.store.capacities import CAPACITIES

NEVER_MS = -(1 << 62)


class Windows:
    """Columns of samples by slot. `timestamp_ms` and `value` are replaced when they grow: read afresh."""

    def __init__(self) -> None:
        self.timestamp_ms: Int64s = np.zeros(1 << 12, np.int64)
        self.value: Floats = np.zeros(1 << 12, np.float64)
        self.meta: Int64s = np.zeros((256, kernels.COLUMNS), np.int64)
        self.horizon_ms = NEVER_MS
        self.horizons_ms: dict[int, int] = {}
        self._free: Int64s = np.full(len(CAPACITIES) + 1, -1, np.int64)
        self._free[-1] = 0

    @property
    def bits(self) -> UInt64s:
        return self.value.view(np.uint64)

    @property
    def nbytes(self) -> int:
        return self.timestamp_ms.nbytes + self.value.nbytes + self.meta.nbytes

    def open(self, slots: Int64s, keep_ms: Int64s, serials: Int64s) -> None:
        """Fresh windows at these slots; they take memory with their first sample."""
        highest = int(slots.max(initial=0))
        if highest >= len(self.meta):
            grown = np.zeros((2 * highest, kernels.COLUMNS), np.int64)
            grown[: len(self.meta)] = self.meta
            self.meta = grown
        self.meta[slots] = 0
        self.meta[slots, kernels.KEEP], self.meta[slots, kernels.SERIAL] = keep_ms, serials

    def close(self, slots: Int64s) -> None:
        kernels.release(self.timestamp_ms, self.meta, self._free, slots)

    def horizon_of(self, source_mask: int) -> int:
        """The earliest time at which what these sources feed is evaluated next; 0: whoever feeds it."""
        if not source_mask:
            return min([self.horizon_ms, *self.horizons_ms.values()])
        found = [at for bit, at in self.horizons_ms.items() if bit & source_mask]
        return min(found, default=self.horizon_ms)

    def append(self, slots: Int64s, timestamp_ms: Int64s, value: Floats, source_mask: int) -> UInt8s:
        """One outcome per row (see kernels); rows with slot -1 come out as over the series limit."""
        outcome = np.full(len(slots), kernels.SERIES_LIMIT, np.uint8)
        batch = (slots, timestamp_ms, value, value.view(np.uint64))
        row, rows, horizon_ms = 0, len(slots), self.horizon_of(source_mask)
        while True:
            windows = (self.timestamp_ms, self.value, self.bits, self.meta, self._free)
            row = kernels.append(windows, batch, source_mask, horizon_ms, row, outcome)
            if row == rows:
                return outcome
            self._grow()

    def latest(self, slots: Int64s, at_ms: int, lookback_ms: int) -> tuple[Bools, Floats, Int64s]:
        present = np.zeros(len(slots), np.bool_)
        value, timestamp_ms = np.zeros(len(slots), np.float64), np.zeros(len(slots), np.int64)
        kernels.latest(
            self.timestamp_ms, self.value, self.bits, self.meta, slots, at_ms, at_ms - lookback_ms,
            present, value, timestamp_ms,
        )  # fmt: skip
        return present, value, timestamp_ms

    def spans(self, slots: Int64s, from_ms: int, to_ms: int) -> tuple[Int64s, Int64s]:
        first, last = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
        kernels.spans(self.timestamp_ms, self.meta, slots, from_ms, to_ms, first, last)
        return first, last

    def survey(self, slots: Int64s, from_ms: int, to_ms: int) -> tuple[Int64s, Int64s, int, int, bool]:
        first, last = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
        span = (self.timestamp_ms, self.bits, self.meta, slots, from_ms, to_ms, first, last)
        total, least, marked = kernels.survey(*span)
        return first, last, total, least, bool(marked)

    def at(self, slot: int, at_ms: int) -> Floats:
        """The sample of that time where it lies, or nothing."""
        (first,), (last,) = self.spans(np.array([slot], np.int64), at_ms - 1, at_ms)
        return self.value[first:last]

    def export(self, slots: Int64s) -> tuple[Int64s, Int64s, Floats]:
        """(sample counts, times, values) of these slots, without gaps: a copy for the snapshot."""
        first = self.meta[slots, kernels.BASE] + self.meta[slots, kernels.FIRST]
        count = self.meta[slots, kernels.COUNT].copy()
        starts = (
            np.repeat(first - np.concatenate(([0], np.cumsum(count)[:-1])), count) if len(slots) else first
        )
        where = starts + np.arange(len(starts))
        return count, self.timestamp_ms[where], self.value[where]

    def mark_boxes(self, found: Bools) -> None:
        """Sets `found` at the number of each histogram that a sample is the box of."""
        first = self.meta[:, kernels.BASE] + self.meta[:, kernels.FIRST]
        mark_boxes(self.bits, first, first + self.meta[:, kernels.COUNT], found)

    def _grow(self) -> None:
        """As much room again, in slabs without the holes that outgrown and released segments leave."""
        used = int(self.meta[:, kernels.CAPACITY].sum())
        largest = int(self.meta[:, kernels.CAPACITY].max(initial=0))
        size = used + max(used, 2 * largest, 1 << 12)
        timestamp_ms, value = np.empty(size, np.int64), np.empty(size, np.float64)
        end = kernels.pack(self.timestamp_ms, self.value, self.meta, timestamp_ms, value)
        self.timestamp_ms, self.value = timestamp_ms, value
        self._free[:] = -1
        self._free[-1] = end
