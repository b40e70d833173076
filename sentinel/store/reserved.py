"""Columns that grow where they are: address space is reserved at once, memory comes with the first touch.

As much is reserved as the machine has memory, private and without backing (`MAP_NORESERVE`). Where that
cannot be had, as under strict overcommit or a limit of address space, a column grows by copying. What is
copied is touched anew, page by page, which takes far longer than the copy: a pause.
"""

from __future__ import annotations

import mmap
import os
import resource
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

_NO_RESERVE: Final = 0x4000 if sys.platform == "linux" else 0
_STRICT_OVERCOMMIT: Final = "2"
_SMALLEST_BYTES: Final = 1 << 15
_SMALL_PAGES_BYTES: Final = 4 << 20
"""Behind so much the pages are large: what is reached in random order misses fewer of them."""


_LEAST_ROWS: Final = 64
_COPIED_BYTES: Final = 1 << 20
"""Most columns stay small: until this size they are copied, and reserve nothing."""


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

    @property
    def in_place(self) -> bool:
        """Whether it grows without being copied."""
        return self._space is not None

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


class Growing:
    """A column of numbers that may stay small: `array` is copied while it is, later it grows in place.

    Rows that nobody wrote to are zeros.
    """

    def __init__(self, dtype: Any) -> None:
        self.array: np.ndarray[Any, Any] = np.zeros(0, dtype)
        self._reserved: Reserved | None = None

    def hold(self, rows: int) -> None:
        """Room for so many rows at least; `array` may be another one then.

        Raises:
            MemoryError: that is more than the machine has.
        """
        if rows <= len(self.array):
            return
        if self._reserved is None:
            grown, room = np.zeros(0, self.array.dtype), 2 * rows + _LEAST_ROWS
            if room * grown.itemsize <= _COPIED_BYTES:
                grown = np.zeros(room, grown.dtype)
            else:
                self._reserved = Reserved(grown.dtype)
                self._reserved.hold(room)
                grown = self._reserved.array
            grown[: len(self.array)] = self.array
            self.array = grown
            return
        self._reserved.hold(rows)
        self.array = self._reserved.array


def _space() -> mmap.mmap | None:
    """Address space as large as the machine's memory, or None if it is not to be had."""
    if _is_scarce():
        return None
    try:
        size = os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE
        space = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            space.madvise(mmap.MADV_HUGEPAGE, _SMALL_PAGES_BYTES, size - _SMALL_PAGES_BYTES)
        return space
    except (OSError, ValueError, AttributeError):
        return None


def _is_scarce() -> bool:
    """Whether the rest of the process, or of the machine, would lack what is only reserved."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return True
    overcommit = Path("/proc/sys/vm/overcommit_memory")
    return overcommit.exists() and overcommit.read_text().strip() == _STRICT_OVERCOMMIT
