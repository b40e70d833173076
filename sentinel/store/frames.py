"""Checksummed frames in append-only files: the one on-disk form of journal and logs.

A frame is `length u32, crc32 u32, body`. A crash can leave a torn last frame; reading stops before it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

HEADER: Final = Struct("<II")
_LARGEST: Final = 1 << 30


def frame(body: bytes) -> bytes:
    return HEADER.pack(len(body), zlib.crc32(body)) + body


def frames(data: bytes | memoryview, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """(position after the frame, body) of each whole frame from `start`; ends at the first torn one."""
    view = memoryview(data)
    while start + HEADER.size <= len(view):
        length, checksum = HEADER.unpack_from(view, start)
        end = start + HEADER.size + length
        if length > _LARGEST or end > len(view):
            return
        body = bytes(view[start + HEADER.size : end])
        if zlib.crc32(body) != checksum:
            return
        yield end, body
        start = end


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
