"""Checksummed frames in append-only files: the one form in which journal and logs lie on disk.

A frame is length, CRC-32, payload. A crash can leave a torn last one; reading stops before it.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct("<II")


def frame(payload: bytes) -> bytes:
    """`payload` with its length and checksum in front."""
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def frames(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """(offset behind the frame, payload) of every whole frame from `offset`; ends where one is not."""
    with path.open("rb") as file:
        file.seek(offset)
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            length, checksum = _HEADER.unpack(header)
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != checksum or not payload:
                return
            offset += _HEADER.size + length
            yield offset, payload


def cut_torn_tail(path: Path) -> tuple[int, int]:
    """Cuts what a crash left half written; (bytes kept, bytes cut).

    Only the last segment can have such a tail: an earlier one was synced before the next was begun.
    """
    kept = 0
    for offset, _ in frames(path):
        kept = offset
    torn = path.stat().st_size - kept
    if torn:
        with path.open("r+b") as file:
            file.truncate(kept)
            os.fsync(file.fileno())
    return kept, torn


def sync_folder(folder: Path) -> None:
    """Makes created, renamed and removed names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, text: str) -> None:
    """A small file as a whole or as it was before, whatever happens meanwhile."""
    aside = path.with_suffix(".new")
    with aside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync_folder(path.parent)
