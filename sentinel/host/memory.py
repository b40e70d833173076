"""Memory that is free gets back to the system: a flood or a restore needs more than what stays."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Asks the C library to return free pages; where it is another one than glibc, nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
