"""Unpacking gzip and deflate bodies without ever holding more than is allowed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

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


def unpack(body: bytes | bytearray, most: int) -> bytes:
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
        raise ValueError("the body is not compressed as Content-Encoding says") from None
    if not (fed or piece or stream.eof):
        raise ValueError("the body is cut off before the end of its compression")
    return piece
