"""Avro records as Kafka's serializers write them: a zero byte, four bytes of a schema's number, the body.

Schemas are looked up by number and never asked for here: whoever hands on records has to know theirs before
(`schema_numbers` says which they are). A body is read by the schema that it was written with.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from sentinel.decode._avro_record import RecordReader, refuse
from sentinel.decode._avro_schema import WHOLE, UnsupportedSchemaError, read_schema
from sentinel.decode._json_key import read_labels
from sentinel.decode.avro_config import AvroConfig
from sentinel.decode.limits import Limits
from sentinel.decode.rows import Read, Scanned, together
from sentinel.decode.timestamps import bounds
from sentinel.errors import DecodeError
from sentinel.model import Decoded, Int64s, Payloads

__all__ = ["AvroConfig", "AvroDecoder", "Schemas", "schema_numbers"]

HEAD_BYTES: Final = 5
_EXAMPLE_SCHEMA: Final = """{"type": "record", "name": "Sample", "fields": [
    {"name": "name", "type": "string"},
    {"name": "labels", "type": {"type": "map", "values": "string"}},
    {"name": "value", "type": ["null", "long", "double"]},
    {"name": "timestamp", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]}]}"""
_HEAD: Final = b"\x00\x00\x00\x00\x01"
_REASONS: Final = """
    record_too_large invalid_header unknown_schema unsupported_schema invalid_avro invalid_utf8 missing_name
    missing_value wrong_type value_not_finite invalid_name invalid_label too_many_labels label_too_long
    timestamp_invalid timestamp_past timestamp_future
"""


class Schemas:
    """Schemas by number. Filled on one thread and looked up on another; what a number means never changes."""

    def __init__(self) -> None:
        self._read: dict[int, Any] = {}

    def add(self, number: int, texts: Sequence[str]) -> str:
        """The last of `texts`, with the schemas that it refers to before it.

        Says why it cannot be used, if so: records of this number will be refused.
        """
        why = ""
        try:
            self._read[number] = read_schema(texts)
        except UnsupportedSchemaError as error:
            self._read[number], why = None, str(error)
        return why

    def find(self, number: int) -> Any:
        """For the reader of the library. Raises DecodeError."""
        schema = self._read.get(number)
        if schema is None:
            refuse("unsupported_schema" if number in self._read else "unknown_schema", str(number))
        return schema


def schema_numbers(payloads: Payloads) -> Int64s:
    """The number of each record's schema; -1 where no header is."""
    start = payloads.start
    whole = payloads.end - start >= HEAD_BYTES
    numbers = np.full(len(payloads), -1, np.int64)
    head = payloads.buffer[start[whole][:, None] + np.arange(HEAD_BYTES)].astype(np.int64)
    numbers[whole] = np.where(head[:, 0] == 0, head[:, 1:] @ (1 << np.arange(24, -1, -8)), -1)
    return numbers


class AvroDecoder:
    """One record of the schema's type is a sample, or many. Without `schemas` of a registry given to it, it
    knows that of its examples.
    """

    Config: ClassVar = AvroConfig
    REASONS: ClassVar[frozenset[str]] = frozenset(_REASONS.split())
    EXAMPLES: ClassVar[tuple[bytes, ...]] = (
        _HEAD + b"\x1ahttp_requests\x02\x06job\x06api\x00\x04" + b"\0\0\0\0\0\0\x29\x40" + b"\0",
        _HEAD + b"\x08load\x00\x02\x0b\x02\x80\x80\xe6\x82\xb9f",
        _HEAD + b"\x04up\x04\x08path\x06C:\\\x08city\x0eZ\xc3\xbcrich\x00\x02\x02\x00",
    )

    def __init__(self, config: AvroConfig, limits: Limits, max_future_ms: int) -> None:
        self._limits, self._max_future_ms = limits, max_future_ms
        self._reader = RecordReader(config, limits)
        self.schemas = Schemas()
        self.schemas.add(1, [_EXAMPLE_SCHEMA])

    def decode(self, payloads: Payloads) -> Decoded:
        times = bounds(payloads, self._max_future_ms)
        read, refused = list[Read](), list[tuple[int, str]]()
        columns = schema_numbers(payloads), payloads.start, payloads.end, times.usual_ms, times.latest_ms
        view = payloads.buffer.data
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for row, (number, start, end, usual_ms, latest_ms) in enumerate(rows):
            try:
                record = self._record(view[start:end], number)
                read += self._reader.read(record, row, usual_ms, latest_ms, end - start)
            except DecodeError as error:
                refused.append((row, error.reason))
        return Decoded(together(payloads, Scanned.nothing(payloads), read, read_labels), refused)

    def _record(self, data: memoryview, number: int) -> Any:
        """The content of one record, header included, as the library reads it. Raises DecodeError."""
        from fastavro import schemaless_reader

        if len(data) > self._limits.record_bytes:
            refuse("record_too_large", f"{len(data)} bytes, at most {self._limits.record_bytes}")
        if number < 0:
            refuse("invalid_header", "no zero byte and four of a schema's number")
        schema = self.schemas.find(number)
        body = io.BytesIO(data[HEAD_BYTES:])
        try:
            record: Any = schemaless_reader(body, schema, None)
        except UnicodeDecodeError as error:
            refuse("invalid_utf8", str(error)[:200])
        except Exception as error:  # the library's are many, and none is documented
            refuse("invalid_avro", f"{type(error).__name__}: {error}"[:200])
        if body.tell() != len(data) - HEAD_BYTES:
            refuse("invalid_avro", "it goes on behind its end")
        return record.get(WHOLE, record)
