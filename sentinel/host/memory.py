"""Memory of the C library: what comes and goes all the time stays ours, what a snapshot needed does not."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of `mallopt`."""
KEPT_BYTES: Final = 64 << 20


def keep() -> None:
    """Free memory up to `KEPT_BYTES` stays with the process, also that of large arrays.

    A page that comes from the system is cleared first, which takes longer than to receive records into it.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_THRESHOLD, KEPT_BYTES // 2)
        libc.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def give_back() -> None:
    """Asks the C library to return free pages; where it is another one than glibc, nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
