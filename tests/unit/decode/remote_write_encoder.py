"""Remote write requests written by hand, as the protocol's definition says."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

NOW_MS = 1_760_000_000_000

Pairs = Sequence[tuple[str | bytes, str | bytes]]


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def text(field: int, body: str | bytes) -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def double(field: int, value: float | int) -> bytes:
    """A float, or the bits of one."""
    form = "<d" if isinstance(value, float) else "<Q"
    return varint(field << 3 | 1) + struct.pack(form, value)


def label(name: str | bytes, value: str | bytes) -> bytes:
    return text(1, text(1, name) + text(2, value))


def sample(value: float | int = 1.0, at_ms: int = NOW_MS) -> bytes:
    return text(2, double(1, value) + number(2, at_ms))


def series(labels: Pairs, *rest: bytes) -> bytes:
    """One series of version 1; a request is any number of them, one after another."""
    return text(1, b"".join(label(*pair) for pair in labels) + b"".join(rest or (sample(),)))


def request_v2(*all_series: tuple[Pairs, bytes]) -> bytes:
    """A request of version 2: (labels, fields) of each series, their strings interned."""
    numbers: dict[str | bytes, int] = {"": 0}
    found = []
    for labels, rest in all_series:
        refs = [numbers.setdefault(each, len(numbers)) for pair in labels for each in pair]
        found.append(text(5, text(1, b"".join(map(varint, refs))) + rest))
    return b"".join([*(text(4, each) for each in numbers), *found])


def packed(field: int, values: Iterable[int]) -> bytes:
    """A list of zigzag integers."""
    return text(field, b"".join(varint(zigzag(value)) for value in values))


def doubles(field: int, values: Sequence[float]) -> bytes:
    return text(field, struct.pack(f"<{len(values)}d", *values))


def span(field: int, gap: int, length: int) -> bytes:
    return text(field, number(1, zigzag(gap)) + number(2, length))
