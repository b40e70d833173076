"""The content codings of HTTP bodies, unpacked without ever holding more than is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import cramjam

from sentinel.ingest.packed import TooLargeError, unpack

PLAIN: Final = frozenset(["", "identity", "none"])
_FRAMED: Final = b"\xff\x06\x00\x00sNaPpY"
_FULL: Final = "failed to write"
"""What the decompressors say when what comes out does not fit."""


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
        raise ValueError("the body is not compressed as Content-Encoding says") from None
    return bytes(memoryview(out)[:count])


UNPACKERS: Final[Mapping[str, Callable[[bytearray, int], bytes]]] = {
    "gzip": unpack,
    "deflate": unpack,
    "zstd": unzstd,
    "snappy": unsnappy,
}
