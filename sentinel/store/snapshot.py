"""Snapshots: one consistent state between two inputs, in one checksummed file.

Written aside, synced, renamed; the one before it is kept until the next, so that a damaged file costs a
longer replay and nothing else.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from sentinel.errors import StateError
from sentinel.model import Labels
from sentinel.store.frames import sync_folder

MAGIC: Final = b"sentinel snapshot 1\n"
_ARRAY, _LABELS = 1, 2
State = dict[str, Any]


def save(folder: Path, state: State) -> int:
    """Keep `state` as the newest snapshot; returns its size in bytes."""
    body = msgspec.msgpack.Encoder(enc_hook=_encode).encode(state)
    aside, newest, previous = (folder / name for name in ("snapshot.new", "snapshot.bin", "snapshot.old"))
    folder.mkdir(parents=True, exist_ok=True)
    with aside.open("wb") as file:
        file.write(MAGIC + zlib.crc32(body).to_bytes(4, "little"))
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    if newest.exists():
        newest.replace(previous)
    aside.replace(newest)
    sync_folder(folder)
    return len(body)


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


def _read(path: Path) -> State:
    data = path.read_bytes()
    head = len(MAGIC) + 4
    if not data.startswith(MAGIC):
        raise ValueError("not a snapshot of this version")
    body = memoryview(data)[head:]
    if zlib.crc32(body) != int.from_bytes(data[len(MAGIC) : head], "little"):
        raise ValueError("damaged: the checksum does not match")
    state: State = msgspec.msgpack.Decoder(ext_hook=_decode).decode(body)
    return state


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        parts = (value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes())
        return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode(parts))
    if isinstance(value, Labels):
        return msgspec.msgpack.Ext(_LABELS, msgspec.msgpack.encode(value.pairs))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a snapshot cannot hold {type(value).__name__}")


def _decode(code: int, data: memoryview) -> Any:
    if code == _LABELS:
        return Labels(msgspec.msgpack.decode(data, type=list[tuple[str, str]]))
    dtype, shape, raw = msgspec.msgpack.decode(data)
    return np.frombuffer(raw, np.dtype(dtype)).reshape(shape).copy()
