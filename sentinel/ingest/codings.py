"""The content codings of HTTP bodies, unpacked without ever holding more than is allowed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import cramjam

PLAIN: Final = frozenset(["", "identity", "none"])
_FRAMED: Final = b"\xff\x06\x00\x00sNaPpY"
_FULL: Final = "failed to write"
"""What the decompressors say when what comes out does not fit."""
_OTHERWISE: Final = "the body is not compressed as Content-Encoding says"
_GZIP: Final = 16 + zlib.MAX_WBITS
_STEP: Final = 1 << 16
_LARGEST_PIECE: Final = 1 << 20
_MOST_MEMBERS: Final = 1000
"""Empty ones take time and give nothing."""


class TooLargeError(Exception):
    """A body goes on beyond `most` bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"more than {most} bytes")


def inflate(body: bytes | bytearray, most: int) -> bytes:
    """What is in gzip members, one after another, or in a zlib stream (`deflate` of HTTP).

    Raises TooLargeError, and ValueError for what is neither or is cut off.
    """
    pieces, left = list[bytes](), most
    for piece in _inflated(memoryview(body)):
        left -= len(piece)
        if left < 0:
            raise TooLargeError(most)
        pieces.append(piece)
    return b"".join(pieces)


def _inflated(packed: memoryview) -> Iterator[bytes]:
    """The content in pieces of bounded size. Raises ValueError."""
    at = members = 0
    while at < len(packed):
        members += 1
        if members > _MOST_MEMBERS:
            raise ValueError(f"the body has more than {_MOST_MEMBERS} gzip members")
        gzip = bytes(packed[at : at + 2]) == b"\x1f\x8b"
        stream = zlib.decompressobj(_GZIP if gzip else zlib.MAX_WBITS)
        while not stream.eof:
            fed = stream.unconsumed_tail
            if not fed:
                fed = bytes(packed[at : at + _STEP])
                at += len(fed)
            yield _next_piece(stream, fed)
        at -= len(stream.unused_data)


def _next_piece(stream: zlib._Decompress, fed: bytes) -> bytes:
    try:
        piece = stream.decompress(fed, _LARGEST_PIECE)
    except zlib.error:
        raise ValueError(_OTHERWISE) from None
    if not (fed or piece or stream.eof):
        raise ValueError("the body is cut off before the end of its compression")
    return piece


def unzstd(body: bytearray, most: int) -> bytes:
    """Raises TooLargeError, and ValueError with a text for the client."""
    return _unpacked(cramjam.zstd.decompress_into, body, most)


def unsnappy(body: bytearray, most: int) -> bytes:
    """A block, or frames. Raises TooLargeError, and ValueError with a text for the client."""
    if body.startswith(_FRAMED):
        return _unpacked(cramjam.snappy.decompress_into, body, most)
    try:
        length = int(cramjam.snappy.decompress_raw_len(body))
    except (cramjam.DecompressionError, ValueError):
        length = 0
    if length > most:
        raise TooLargeError(most)
    return _unpacked(cramjam.snappy.decompress_raw_into, body, length)


def _unpacked(into: Callable[[bytearray, bytearray], int], body: bytearray, most: int) -> bytes:
    out = bytearray(most)  # of pages that nothing is written to, none is held
    try:
        count = into(body, out)
    except (cramjam.DecompressionError, ValueError) as error:
        if _FULL in str(error):
            raise TooLargeError(most) from None
        raise ValueError(_OTHERWISE) from None
    return bytes(memoryview(out)[:count])


UNPACKERS: Final[Mapping[str, Callable[[bytearray, int], bytes]]] = {
    "gzip": inflate,
    "deflate": inflate,
    "zstd": unzstd,
    "snappy": unsnappy,
}
KNOWN: Final = PLAIN | UNPACKERS.keys()


async def unpacked(encoding: str, body: bytearray, most: int, take: Callable[[int], None]) -> bytes:
    """The body as it was before its coding, one of KNOWN; `take` is told how much more that is.

    One at a time for each receiver: what comes out is not counted before it is there. Raises TooLargeError,
    ValueError with a text for the client, and what `take` raises.
    """
    if encoding in PLAIN:
        return bytes(body)
    content = await asyncio.to_thread(UNPACKERS[encoding], body, most)
    take(len(content))
    return content


def unknown(encoding: str) -> str:
    """What to tell who sent this."""
    return f"Content-Encoding {encoding!r} is not known; use gzip, zstd, snappy or none"
