"""Snapshots: one consistent state between two inputs, in one file of checksummed frames.

Written aside, synced, renamed; the one before it is kept until the next, so that a damaged file costs a
longer replay and nothing else. Behind the magic come the length of the tree, the tree (the state in msgpack,
each array in it only as type and shape), and the arrays in the order of the tree; `columns` has their form.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from sentinel.errors import StateError
from sentinel.model import Labels
from sentinel.store.columns import Array, pieces, put_together
from sentinel.store.frames import frame, frames, sync_folder

MAGIC: Final = b"sentinel snapshot 2\n"
FIRST_MAGIC: Final = b"sentinel snapshot 1\n"
SYNC_BYTES: Final = 8 << 20
"""Handed to the disk in pieces: whoever syncs something small meanwhile does not wait for all of it."""
_ARRAY, _LABELS, _COLUMN = 1, 2, 3
State = dict[str, Any]


def save(folder: Path, state: State) -> int:
    """Keep `state` as the newest snapshot; returns the size of the file in bytes."""
    aside, newest, previous = (folder / name for name in ("snapshot.new", "snapshot.bin", "snapshot.old"))
    folder.mkdir(parents=True, exist_ok=True)
    with aside.open("wb") as file:
        unsynced = file.write(MAGIC)
        for payload in _payloads(state):
            unsynced += file.write(frame(payload))
            if unsynced >= SYNC_BYTES:
                file.flush()
                os.fdatasync(file.fileno())
                unsynced = 0
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    if newest.exists():
        newest.replace(previous)
    aside.replace(newest)
    sync_folder(folder)
    return size


def load(folder: Path) -> State | None:
    """The newest whole snapshot, or None if there has never been one.

    Raises:
        StateError: snapshots are there, but none can be read.
    """
    problems = []
    for name in ("snapshot.bin", "snapshot.old"):
        path = folder / name
        if path.exists():
            try:
                return _read(path)
            except (ValueError, msgspec.MsgspecError) as error:
                problems.append(f"{path}: {error}")
    if problems:
        raise StateError(
            "; ".join(problems) + "; restore the folder from a backup, or remove it to start without history"
        )
    return None


def _payloads(state: State) -> Iterator[bytes]:
    arrays: list[Array] = []

    def encode(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return msgspec.msgpack.Ext(_COLUMN, msgspec.msgpack.encode((value.dtype.str, value.shape)))
        if isinstance(value, Labels):
            return msgspec.msgpack.Ext(_LABELS, msgspec.msgpack.encode(value.pairs))
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"a snapshot cannot hold {type(value).__name__}")

    tree = np.frombuffer(msgspec.msgpack.Encoder(enc_hook=encode).encode(state), np.uint8)
    yield msgspec.msgpack.encode(len(tree))
    for array in (tree, *arrays):
        yield from pieces(array)


def _read(path: Path) -> State:
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic == FIRST_MAGIC:
        return _read_first(path)
    if magic != MAGIC:
        raise ValueError("not a snapshot of this version")
    payloads = (payload for _, payload in frames(path, len(MAGIC)))
    length = msgspec.msgpack.decode(next(payloads, b""), type=int)
    tree = put_together(np.dtype(np.uint8), (length,), payloads)

    def decode(code: int, data: memoryview) -> Any:
        if code != _COLUMN:
            return _decode(code, data)
        dtype, shape = msgspec.msgpack.decode(data, type=tuple[str, tuple[int, ...]])
        return put_together(np.dtype(dtype), shape, payloads)

    state: State = msgspec.msgpack.Decoder(ext_hook=decode).decode(tree.data)
    return state


def _read_first(path: Path) -> State:
    """As version 1 was written: the checksum of all of it, and arrays in their places in the tree."""
    data = path.read_bytes()
    head = len(FIRST_MAGIC) + 4
    body = memoryview(data)[head:]
    if zlib.crc32(body) != int.from_bytes(data[len(FIRST_MAGIC) : head], "little"):
        raise ValueError("damaged: the checksum does not match")
    state: State = msgspec.msgpack.Decoder(ext_hook=_decode).decode(body)
    return state


def _decode(code: int, data: memoryview) -> Any:
    if code == _LABELS:
        return Labels(msgspec.msgpack.decode(data, type=list[tuple[str, str]]))
    dtype, shape, raw = msgspec.msgpack.decode(data)
    return np.frombuffer(raw, np.dtype(dtype)).reshape(shape).copy()
