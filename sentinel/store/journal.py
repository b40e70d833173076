"""The journal: what came in and cannot be read again, and when the engine was advanced.

Segments of frames, each an entry with its running number; synced before a push is acknowledged and before
what an advance caused is published; cut off behind the snapshot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from itertools import pairwise
from pathlib import Path

import msgspec

from sentinel.errors import StateError
from sentinel.store.frames import frame, frames, sync_folder

Positions = dict[str, dict[str, int]]
"""By source and partition, the offset of the next record."""


class InputEntry(msgspec.Struct, frozen=True, tag="input", array_like=True):
    """One payload that only the journal can give again: a push, a scrape."""

    source: str
    partition: str
    format: str
    body: list[bytes]
    arrival_ms: int
    target: tuple[tuple[str, str], ...]


class Step(msgspec.Struct, frozen=True, array_like=True):
    """Evaluate one group at one event time. Rules fed by `held` sources stand still."""

    group: str
    at_ms: int
    held: tuple[str, ...] = ()
    incomplete: bool = False


class AdvanceEntry(msgspec.Struct, frozen=True, tag="advance", array_like=True):
    """The engine was told the time, after exactly these inputs."""

    now_ms: int
    positions: Positions
    steps: tuple[Step, ...]


Entry = InputEntry | AdvanceEntry


class Journal:
    """Entries numbered from 1. Not thread-safe: the host's thread owns it.

    `append` only collects; `write` and `sync` raise StateError where the disk takes nothing, have lost
    nothing then, and may be called again.
    """

    def __init__(self, folder: Path, segment_bytes: int = 64 << 20) -> None:
        self._folder, self._segment_bytes = folder, segment_bytes
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(InputEntry | AdvanceEntry)
        self._file: FileIO | None = None
        self._size = self._written = 0
        self._collected = bytearray()
        self._unsynced = False
        folder.mkdir(parents=True, exist_ok=True)
        self.last = 0
        for number, _ in self.read(0):
            self.last = number
        self._written = self.last
        self._cut_torn_tail()

    def append(self, entry: Entry) -> int:
        """Take an entry and give its number; it is durable after the next `sync`."""
        self.last += 1
        self._collected += frame(self._encoder.encode(entry))
        return self.last

    def write(self) -> None:
        """Hand what was collected to the operating system: it outlives the process, not a power cut."""
        if not self._collected:
            return
        try:
            if self._file is None or self._size >= self._segment_bytes:
                self._new_segment(self._written + 1)
            assert self._file is not None
            rest, at = memoryview(self._collected), self._size
            while rest:  # after a failure all of it is written again, over its own beginning
                count = os.pwrite(self._file.fileno(), rest, at)
                rest, at = rest[count:], at + count
        except OSError as error:
            raise StateError(f"the journal in {self._folder} cannot be written: {error.strerror}") from None
        self._size, self._written = at, self.last
        self._collected = bytearray()
        self._unsynced = True

    def sync(self) -> None:
        """Everything that was taken survives a power cut.

        Raises OSError, and must not be called again, where the disk has lost what it had taken.
        """
        self.write()
        if self._file is not None and self._unsynced:
            os.fdatasync(self._file.fileno())
            self._unsynced = False

    def read(self, after: int) -> Iterator[tuple[int, Entry]]:
        """(number, entry) of all entries behind number `after`."""
        for first, path in self._segments():
            number = first - 1
            for _, body in frames(path):
                number += 1
                if number > after:
                    yield number, self._decode(path, body)

    def cut(self, before: int) -> None:
        """Remove segments whose entries are all numbered at most `before`."""
        segments = self._segments()
        for (_, path), (following, _) in pairwise(segments):
            if following <= before + 1:
                path.unlink()

    def roll(self) -> None:
        """Begin a new segment with the next entry, so that the old one can be cut."""
        self.sync()
        self._close()

    def _new_segment(self, first: int) -> None:
        path = self._folder / f"{first:020d}.journal"
        file = FileIO(path, "w")
        sync_folder(self._folder)
        self._close()
        self._file, self._size = file, 0

    def _close(self) -> None:
        if self._file is not None:
            if self._unsynced:
                os.fdatasync(self._file.fileno())
                self._unsynced = False
            self._file.close()
            self._file = None

    def _segments(self) -> list[tuple[int, Path]]:
        return sorted((int(path.stem), path) for path in self._folder.glob("*.journal"))

    def _cut_torn_tail(self) -> None:
        """Only the last segment may end in a torn frame; numbering goes on in a new one behind it.

        What was written before a kill, and is told of from now on, is synced.
        """
        for first, path in self._segments()[-1:]:
            if first > self.last:
                path.unlink()
                continue
            with path.open("rb") as file:
                os.fdatasync(file.fileno())

    def _decode(self, path: Path, body: bytes) -> Entry:
        try:
            return self._decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise StateError(
                f"{path}: entry of an unknown form ({error}); was it written by a newer version?"
            ) from None
