"""Raw record batches out of aiokafka: everything that touches the inside of that library is in this file.

aiokafka makes an object of each record, which costs ten times what walking the bytes costs. Its fetcher
builds two classes for what it fetched, found by name among the module's globals. One consumer's fetcher is
given the same method with two other classes under these names; the module and every other consumer in the
process stay as they are. Likewise its connections are given a protocol that receives answers in place, and a
reader that gives large fields as views. What is used here is private, so the version is pinned, `moved` looks
before anything is replaced, and `kafka_public` is there when something did move.
"""

from __future__ import annotations

import functools
import inspect
import struct
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

import aiokafka
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher as fetching
from aiokafka.record.memory_records import MemoryRecords

from sentinel.ingest import record_batch
from sentinel.ingest.buffers import Buffers
from sentinel.ingest.frames import Frames
from sentinel.ingest.kafka_public import get
from sentinel.ingest.record_batch import MessageSet
from sentinel.ingest.records import Fetched, Records

VERSION: Final = "0.14.0"

FETCH_BYTES: Final = 64 << 20
LEAST_BYTES: Final = 64 << 10
MOST_BYTES: Final = 2 << 20
STRING_BYTES: Final = 32_767
"""The protocol's longest string."""

_PARTITION_RECORDS: Final = [
    "self",
    "tp",
    "records",
    "aborted_transactions",
    "fetch_offset",
    "key_deserializer",
    "value_deserializer",
    "check_crcs",
    "isolation_level",
]


def moved(consumer: Any) -> list[str]:
    """What is not where this file expects it in the installed aiokafka and a started consumer; [] is good."""
    found: list[str] = []
    if aiokafka.__version__ != VERSION:
        found.append(f"aiokafka is {aiokafka.__version__}, not {VERSION}")
    method = getattr(fetching.Fetcher, "_proc_fetch_request", None)
    named = getattr(getattr(method, "__code__", None), "co_names", ())
    found += [
        f"Fetcher._proc_fetch_request does not use {name}"
        for name in ("MemoryRecords", "PartitionRecords")
        if name not in named or not hasattr(fetching, name)
    ]
    made = getattr(fetching, "PartitionRecords", None)
    if made is not None and list(inspect.signature(made.__init__).parameters) != _PARTITION_RECORDS:
        found.append("PartitionRecords takes other arguments")
    if not hasattr(getattr(consumer, "_fetcher", None), "_max_partition_fetch_bytes"):
        found.append("AIOKafkaConsumer._fetcher is no fetcher with _max_partition_fetch_bytes")
    if getattr(fetching, "READ_COMMITTED", None) != 1:
        found.append("READ_COMMITTED is not 1")
    if "_get_conn" not in AIOKafkaClient.ready.__code__.co_names:
        found.append("AIOKafkaClient.ready does not use _get_conn")
    if "BytesIO" not in AIOKafkaConnection._handle_frame.__code__.co_names:
        found.append("AIOKafkaConnection._handle_frame does not use BytesIO")
    made_by = AIOKafkaConnection.__init__.__code__.co_names + AIOKafkaConnection.connect.__code__.co_names
    found += [
        f"AIOKafkaConnection has no {name}"
        for name in ("_requests", "_protocol", "_writer")
        if name not in made_by
    ]
    return found


class RawReader:
    """Polls one consumer for message sets. To be made on a started consumer before it is given topics."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        _install(consumer)
        _receive_in_place(consumer._client)

    async def poll(self, timeout_ms: int) -> list[Fetched]:
        """What was fetched of each partition since. Raises aiokafka's KafkaError."""
        found = await get(self._consumer, timeout_ms=timeout_ms)
        return [
            Fetched(tp, read(messages), len(messages.data), messages.fetch_offset)
            for tp, sets in found.items()
            for messages in sets
        ]

    def share(self, partitions: int) -> None:
        """Divides the memory that fetches may fill among the partitions assigned."""
        fair = FETCH_BYTES // max(partitions, 1)
        self._consumer._fetcher._max_partition_fetch_bytes = min(max(fair, LEAST_BYTES), MOST_BYTES)


def _install(consumer: Any) -> None:
    """From now on `consumer.getmany()` gives one `MessageSet` per partition instead of records."""
    fetcher = consumer._fetcher
    method = fetching.Fetcher._proc_fetch_request
    names = {
        **method.__globals__,
        "MemoryRecords": _Bytes,
        "PartitionRecords": functools.partial(_OneMessageSet, consumer),
    }
    own = types.FunctionType(method.__code__, names, method.__name__, method.__defaults__, method.__closure__)
    fetcher._proc_fetch_request = types.MethodType(own, fetcher)


def _receive_in_place(client: Any) -> None:
    """Connections of this client receive with `Frames` from the first request on that finds them idle."""
    connect, buffers = client._get_conn, Buffers()

    async def get_conn(*args: Any, **options: Any) -> Any:
        connection = await connect(*args, **options)
        if connection is not None and not connection._requests:
            transport = connection._writer.transport
            if transport.get_protocol() is connection._protocol and not transport.is_closing():
                transport.set_protocol(Frames(connection._protocol, _answered(connection), buffers))
        return connection

    client._get_conn = get_conn


def _answered(connection: Any) -> Callable[[memoryview], None]:
    """What a connection does with an answer, given as a view."""
    method = type(connection)._handle_frame
    names = {**method.__globals__, "io": types.SimpleNamespace(BytesIO=_Answer)}
    handle = types.FunctionType(method.__code__, names, method.__name__)

    def took(frame: memoryview) -> None:
        if connection.connected():  # an answer before it may have closed it
            handle(connection, frame)

    return took


class _Answer:
    """Stands in for BytesIO: gives what is larger than any string in the protocol as a view."""

    def __init__(self, frame: memoryview) -> None:
        self._view, self._at = frame.toreadonly(), 0

    def read(self, size: int) -> bytes | memoryview:
        begin, self._at = self._at, self._at + size
        found = self._view[begin : self._at]
        return found if size > STRING_BYTES else found.tobytes()


def read(messages: MessageSet) -> Iterator[Records]:
    """The records of a message set, in pieces; for any thread."""
    return record_batch.read(messages, parse_legacy)


class _Bytes:
    """Stands in for MemoryRecords: the bytes as they are."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data

    def size_in_bytes(self) -> int:
        return len(self.data)

    def has_next(self) -> bool:
        return record_batch.has_batch(self.data)


class _OneMessageSet:
    """Stands in for PartitionRecords: an iterator of one element."""

    def __init__(self, consumer: Any, tp: Any, records: _Bytes, aborted: Any, *rest: Any) -> None:
        self.next_fetch_offset: int = rest[0]
        self._left: bytes | memoryview | None = records.data
        self._highwater = consumer.highwater(tp)
        committed_only = rest[-1] == fetching.READ_COMMITTED
        self._aborted = list(aborted or []) if committed_only else None

    def __iter__(self) -> _OneMessageSet:
        return self

    def __next__(self) -> MessageSet:
        if self._left is None:
            raise StopIteration
        data, self._left, offset = self._left, None, self.next_fetch_offset
        self.next_fetch_offset = record_batch.next_offset(data, offset, self._highwater)
        return MessageSet(data, offset, self.next_fetch_offset, self._aborted)


def parse_legacy(batch: bytes) -> list[tuple[int, int, bytes]]:
    """One batch of message format 0 or 1 by aiokafka's own parser. Raises ValueError if it is corrupt."""
    try:
        parsed = MemoryRecords(batch).next_batch()
        if not parsed.validate_crc():
            raise ValueError("checksum")
        return [(r.offset, -1 if r.timestamp is None else r.timestamp, r.value or b"") for r in parsed]
    except (aiokafka.errors.KafkaError, struct.error, OverflowError, EOFError, OSError) as error:
        raise ValueError(f"message format 0 or 1: {error}") from error
