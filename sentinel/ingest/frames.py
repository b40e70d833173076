"""Length-prefixed frames off a socket, each received in its place: asyncio's stream reader copies every byte
three times on its way, which costs more than all that is done with a record afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sentinel.ingest.buffers import Buffers

HEAD: Final = 4
SCRATCH_BYTES: Final = 1 << 16
MOST_BYTES: Final = 1 << 30
"""No broker answers with more; a longer frame is none."""


class Frames(asyncio.BufferedProtocol):
    """Gives each frame's body to `took`; all else that happens to the connection is told to `former`.

    Small frames are cut out of a scratch buffer. What is missing of a larger one is received into memory that
    `buffers` lends.
    """

    def __init__(
        self, former: asyncio.StreamReaderProtocol, took: Callable[[memoryview], None], buffers: Buffers
    ) -> None:
        self._former, self._took, self._buffers = former, took, buffers
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._frame: memoryview | None = None
        self._fill(self._scratch, b"")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room[self._filled :]

    def buffer_updated(self, count: int) -> None:
        """Raises ValueError, which ends the connection, if what came is no frame."""
        self._filled += count
        frame = self._frame
        if frame is None:
            self._cut()
        elif self._filled == len(frame):
            self._frame = None
            self._fill(self._scratch, b"")
            self._took(frame)

    def _cut(self) -> None:
        """Takes the frames out of the scratch buffer; begins one that does not fit."""
        at = 0
        while self._filled - at >= HEAD:
            begin = at + HEAD
            size = int.from_bytes(self._scratch[at:begin], "big")
            if size > MOST_BYTES:
                raise ValueError(f"a frame of {size} bytes")
            if size > SCRATCH_BYTES - HEAD:
                self._frame = self._buffers.lend(size)
                self._fill(self._frame, self._scratch[begin : self._filled])
                return
            if begin + size > self._filled:
                break
            at = begin + size
            self._took(memoryview(bytes(self._scratch[begin:at])))
        self._fill(self._scratch, bytes(self._scratch[at : self._filled]))

    def _fill(self, target: memoryview, first: bytes | memoryview) -> None:
        """From now on what comes goes there, behind `first`."""
        target[: len(first)] = first
        self._room, self._filled = target, len(first)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._former.connection_lost(exc)  # type: ignore[arg-type]

    def eof_received(self) -> bool | None:
        return self._former.eof_received()

    def pause_writing(self) -> None:
        self._former.pause_writing()

    def resume_writing(self) -> None:
        self._former.resume_writing()
