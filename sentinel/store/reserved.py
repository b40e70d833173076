"""Columns that grow where they are: address space is reserved at once, memory comes with the first touch.

As much is reserved as the machine has memory, private and without backing (`MAP_NORESERVE`). Where that
cannot be had, as under strict overcommit or a limit of address space, a column grows by copying.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import Any, Final

import numpy as np

_NO_RESERVE: Final = 0x4000 if sys.platform == "linux" else 0
_SMALLEST_BYTES: Final = 1 << 15
_SMALL_PAGES_BYTES: Final = 4 << 20
"""Behind so much the pages are large: what is reached in random order misses fewer of them."""


class Reserved:
    """Rows of zeros, of `width` numbers each (0: plain numbers).

    `array` is replaced when it grows by copying.
    """

    def __init__(self, dtype: Any, width: int = 0, *, in_place: bool = True) -> None:
        self._dtype, self._width = np.dtype(dtype), width
        self._row_bytes = self._dtype.itemsize * max(width, 1)
        self._space: mmap.mmap | None = _space() if in_place else None
        self.array: np.ndarray[Any, Any]
        if self._space is None:
            self.array = np.zeros(self._shape(_SMALLEST_BYTES // self._row_bytes), self._dtype)
        else:
            rows = len(self._space) // self._row_bytes
            flat = np.frombuffer(self._space, self._dtype, rows * max(width, 1))
            self.array = flat.reshape(self._shape(rows))

    def hold(self, rows: int) -> None:
        """Room for so many rows at least.

        Raises:
            MemoryError: that is more than the machine has.
        """
        if rows <= len(self.array):
            return
        if self._space is not None:
            raise MemoryError(
                f"{rows * self._row_bytes} bytes of samples are more than this machine's memory"
            )
        grown = np.zeros(self._shape(max(rows, 2 * len(self.array))), self._dtype)
        grown[: len(self.array)] = self.array
        self.array = grown

    def give_back(self, first: int, last: int) -> None:
        """Rows [first, last) may lose what is in them; whole pages among them go back to the system."""
        if self._space is not None:
            begin = -(-first * self._row_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
            end = last * self._row_bytes // mmap.PAGESIZE * mmap.PAGESIZE
            if end > begin:
                self._space.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def _shape(self, rows: int) -> tuple[int, ...]:
        return (rows, self._width) if self._width else (rows,)


def _space() -> mmap.mmap | None:
    """Address space as large as the machine's memory, or None if it is not to be had."""
    try:
        size = os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE
        space = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            space.madvise(mmap.MADV_HUGEPAGE, _SMALL_PAGES_BYTES, size - _SMALL_PAGES_BYTES)
        return space
    except (OSError, ValueError, AttributeError):
        return None
