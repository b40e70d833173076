"""The folder that a daemon's state lies in: writable, and nobody else's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sentinel.errors import StateError


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Holds the folder for this process; the lock goes with the process, however it ends.

    Raises:
        StateError: the folder cannot be written, or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StateError(
            f"--storage.path: {folder} cannot be written: {error.strerror}; make it writable for this user"
        ) from None
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


class Folder:
    """Sees whether the folder is still the one that the daemon began with."""

    def __init__(self, path: Path) -> None:
        self._alerts = path / "alerts"
        self._identity = self._look()

    def lost(self) -> bool:
        """Whether it was removed or replaced: then what is written goes nowhere. Asks the disk."""
        return self._look() != self._identity

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._alerts.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def _lock(descriptor: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: one has to take care oneself
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StateError(
            f"--storage.path: another process uses {folder}; stop it, or give each its own folder"
        ) from None
