"""Arrays as small compressed pieces, so that a large one is written and read without a second copy of it.

A piece holds the first bytes of its items, then the second ones, and so on: what neighbours have in common
(times, counters) lies together then, and zstd's quickest level finds it. A GB a second and core both ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, Final

import cramjam
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PIECE_BYTES: Final = 1 << 20
_LEVEL: Final = 1


def pieces(array: Array) -> Iterator[bytes]:
    """The pieces of an array of any shape, in order; none if it is empty."""
    if array.dtype.hasobject:
        raise TypeError("a snapshot cannot hold an array of objects")
    width = array.dtype.itemsize
    items = np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, width)
    for start in range(0, len(items), _rows(width)):
        planes = np.ascontiguousarray(items[start : start + _rows(width)].T)
        yield bytes(cramjam.zstd.compress(planes.data, _LEVEL))


def put_together(dtype: np.dtype[Any], shape: tuple[int, ...], payloads: Iterator[bytes]) -> Array:
    """An array of its pieces.

    Raises:
        ValueError: they end too early, or are none of such an array.
    """
    width, count = dtype.itemsize, prod(shape)
    items = np.empty((count, width), np.uint8)
    planes = np.empty(min(count, _rows(width)) * width, np.uint8)
    for start in range(0, count, _rows(width)):
        wanted = min(_rows(width), count - start)
        payload = next(payloads, None)
        if payload is None:
            raise ValueError("damaged: it ends too early, or a checksum does not match")
        try:
            found = cramjam.zstd.decompress_into(payload, planes.data)
        except cramjam.DecompressionError as error:
            raise ValueError(f"damaged: {error}") from None
        if found != wanted * width:
            raise ValueError("damaged: a piece of another length")
        items[start : start + wanted] = planes[:found].reshape(width, wanted).T
    return items.reshape(-1).view(dtype).reshape(shape)


def _rows(width: int) -> int:
    return max(PIECE_BYTES // width, 1)
