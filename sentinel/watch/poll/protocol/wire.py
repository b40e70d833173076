"""The encodings of Kafka's protocol: numbers big-endian; strings and arrays compact in flexible versions.

A reader trusts nothing: whatever is wrong with the bytes it raises ValueError or struct.error, which
`request.read` turns into a SourceError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

_INT8, _INT16, _INT32, _INT64 = (struct.Struct(f) for f in (">b", ">h", ">i", ">q"))
_MAX_VARINT_BYTES: Final = 5


class Writer:
    """Builds the body of a message of one version."""

    def __init__(self, version: int, flexible: bool) -> None:
        self.version, self.flexible = version, flexible
        self.buffer = bytearray()

    def int8(self, value: int) -> None:
        self.buffer += _INT8.pack(value)

    def int16(self, value: int) -> None:
        self.buffer += _INT16.pack(value)

    def int32(self, value: int) -> None:
        self.buffer += _INT32.pack(value)

    def int64(self, value: int) -> None:
        self.buffer += _INT64.pack(value)

    def raw(self, value: bytes) -> None:
        self.buffer += value

    def uvarint(self, value: int) -> None:
        while value > 0x7F:
            self.buffer.append(value & 0x7F | 0x80)
            value >>= 7
        self.buffer.append(value)

    def length(self, count: int) -> None:
        """How many elements an array has; -1: there is no array."""
        if self.flexible:
            self.uvarint(count + 1)
        else:
            self.int32(count)

    def string(self, text: str | None) -> None:
        raw = None if text is None else text.encode()
        size = -1 if raw is None else len(raw)
        if self.flexible:
            self.uvarint(size + 1)
        else:
            self.int16(size)
        self.buffer += raw or b""

    def strings(self, texts: Iterable[str]) -> None:
        texts = list(texts)
        self.length(len(texts))
        for text in texts:
            self.string(text)

    def tags(self) -> None:
        """No tagged fields: the end of every structure in a flexible version."""
        if self.flexible:
            self.buffer.append(0)


class Reader:
    """Walks through the body of a message of one version. `at` is the position of the next byte."""

    def __init__(self, data: bytes, version: int, flexible: bool) -> None:
        self.data, self.version, self.flexible = data, version, flexible
        self.at = 0

    def int8(self) -> int:
        return self._number(_INT8)

    def int16(self) -> int:
        return self._number(_INT16)

    def int32(self) -> int:
        return self._number(_INT32)

    def int64(self) -> int:
        return self._number(_INT64)

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        """Several numbers at once."""
        values = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        return values

    def uvarint(self) -> int:
        value = 0
        for i, byte in enumerate(self.data[self.at : self.at + _MAX_VARINT_BYTES]):
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                self.at += i + 1
                return value
        raise ValueError(f"ends inside a number, or it is longer than {_MAX_VARINT_BYTES} bytes")

    def skip(self, size: int) -> None:
        self.take(size)

    def take(self, size: int) -> bytes:
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise ValueError(f"{size} bytes are announced, {len(self.data) - self.at} are left")
        found = self.data[self.at : end]
        self.at = end
        return found

    def length(self) -> int:
        """How many elements follow; none for an absent array. An element is at least one byte long."""
        count = self.uvarint() - 1 if self.flexible else self.int32()
        if count > len(self.data) - self.at:
            raise ValueError(f"{count} elements are announced, {len(self.data) - self.at} bytes are left")
        return max(count, 0)

    def string(self) -> str:
        """An absent string reads as an empty one: no field here tells the two apart."""
        return self.string_bytes().decode()

    def string_bytes(self) -> bytes:
        return self.take(self._string_size())

    def skip_string(self) -> None:
        self.take(self._string_size())

    def skip_bytes(self) -> None:
        self.take(max(self.uvarint() - 1 if self.flexible else self.int32(), 0))

    def int32s(self) -> tuple[int, ...]:
        count = self.length()
        return struct.unpack(f">{count}i", self.take(4 * count))

    def tags(self) -> None:
        """Passes over the tagged fields at the end of a structure."""
        if self.flexible:
            for _ in range(self.uvarint()):
                self.uvarint()
                self.take(self.uvarint())

    def _string_size(self) -> int:
        return max(self.uvarint() - 1 if self.flexible else self.int16(), 0)

    def _number(self, layout: struct.Struct) -> int:
        (value,) = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        return int(value)
