"""A slab: columns side by side of which segments are taken and given back (see `_segment_kernels`)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sentinel.model import Int64s
from sentinel.store import _segment_kernels as segments
from sentinel.store.reserved import Reserved

_SPARE_CHUNKS: Final = 8
_IDLE_CHUNKS: Final = 64
"""So many chunks that nobody uses are kept for the next who needs one; or a sixteenth of all."""


class Slab:
    """One column for each type; places in them are the same."""

    def __init__(self, *types: Any, in_place: bool = True) -> None:
        self._columns = [Reserved(each, in_place=in_place) for each in types]
        if not all(each.in_place for each in self._columns):  # kernels look at the length of the first alone
            self._columns = [Reserved(each, in_place=False) for each in types]
        self._chunks = Reserved(np.int64, segments.CHUNK_COLUMNS, in_place=in_place)
        self.heads: Int64s = np.zeros(segments.HEADS, np.int64)
        self.grow()

    @property
    def columns(self) -> list[np.ndarray[Any, Any]]:
        return [each.array for each in self._columns]

    @property
    def chunks(self) -> Int64s:
        return self._chunks.array

    @property
    def taken(self) -> int:
        """Places in segments that somebody has."""
        chunks = self.chunks[: int(self.heads[segments.END])]
        return int((chunks[:, segments.LIVE] * chunks[:, segments.CAPACITY]).sum())

    def grow(self) -> None:
        """Room for some more chunks. What is reserved has it until the machine's memory is full."""
        chunks = int(self.heads[segments.END]) + _SPARE_CHUNKS
        self._chunks.hold(chunks)
        for column in self._columns:
            column.hold(chunks * segments.CHUNK)

    def trim(self) -> None:
        """Chunks that nobody uses go back to the system once they are many."""
        end, idle = int(self.heads[segments.END]), int(self.heads[segments.IDLE])
        if idle <= max(_IDLE_CHUNKS, end >> 4):
            return
        chunks = self.chunks[:end]
        unused = (chunks[:, segments.CAPACITY] == 0) & (chunks[:, segments.RETURNED] == 0)
        numbers = np.flatnonzero(unused[1:]) + 1
        chunks[numbers, segments.RETURNED] = 1
        self.heads[segments.IDLE] = 0
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
            for column in self._columns:
                column.give_back(int(run[0]) * segments.CHUNK, (int(run[-1]) + 1) * segments.CHUNK)
