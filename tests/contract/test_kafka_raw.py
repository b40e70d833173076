"""Raw record batches against aiokafka's own reading of the same bytes, record by record."""

from __future__ import annotations

import asyncio
import importlib.resources
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher as fetching
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.ingest import kafka_raw
from sentinel.ingest.kafka_public import PublicReader
from sentinel.ingest.kafka_raw import RawReader, read
from sentinel.ingest.record_batch import MessageSet, next_offset

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
Row = tuple[int, int, bytes]


def rows_of(pieces: Any) -> list[Row]:
    """(offset, time, value) of all records; a null value reads as empty."""
    return [
        (int(p.offset[i]), int(p.record_ms[i]), p.buffer[p.start[i] : p.end[i]].tobytes())
        for p in pieces
        for i in range(len(p.offset))
    ]


def batch(base: int, values: list[bytes | None], codec: int = 0, magic: int = 2) -> bytes:
    """One batch with times 1000, 1001, … and keys and headers of varying shape."""
    if magic < 2:
        old = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
        for i, value in enumerate(values):
            assert old.append(base + i, 1000 + i, None, value) is not None
        return bytes(old.build())
    new = DefaultRecordBatchBuilder(magic, codec, 0, -1, -1, -1, 1 << 24)
    for i, value in enumerate(values):
        headers = [("h", b"x" * i), ("n", None)][: i % 3]
        assert new.append(i, 1000 + i, b"k" * (i % 5) if i % 2 else None, value, headers) is not None
    data = bytearray(new.build())
    data[0:8] = base.to_bytes(8, "big")
    return bytes(data)


def by_library(data: bytes) -> list[Row]:
    records, found = MemoryRecords(data), []
    while records.has_next():
        found += [(r.offset, r.timestamp, r.value or b"") for r in records.next_batch()]
    return found


values_drawn = st.lists(st.none() | st.binary(max_size=200), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(values_drawn, st.sampled_from([0, 1, 2, 3, 4])), min_size=1, max_size=6), st.data())
def test_message_sets_read_as_the_library_reads_them(batches: list[Any], data: st.DataObject) -> None:
    base, parts = 100, []
    for values, codec in batches:
        parts.append(batch(base, values, codec))
        base += len(values)
    whole = b"".join(parts)
    first = data.draw(st.integers(100, base - 1))
    pieces = list(read(MessageSet(whole, first, base)))
    assert rows_of(pieces) == [row for row in by_library(whole) if row[0] >= first]
    assert not any(piece.skipped for piece in pieces)
    assert pieces[-1].next_offset == base == next_offset(whole, first, base)
    # The broker notes its end before it reads: what came in between must not be read twice.
    assert next_offset(whole, first, first) == base


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2])
def test_old_message_formats_are_read_by_the_library(magic: int, codec: int) -> None:
    old, new = batch(0, [b"a", b"", b"c"], codec, magic), batch(3, [b"new"])
    data = old + new
    expected = [(o, -1 if t is None else t, v) for o, t, v in by_library(old) + by_library(new)]
    assert rows_of(read(MessageSet(data, 0, 4))) == expected
    assert next_offset(data, 0, 4) == 4


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(list(CODECS.values())), st.booleans())
def test_broken_bytes_are_counted_and_never_crash(seed: int, codec: int, reseal: bool) -> None:
    """`reseal` puts the checksum right again, so that the damage reaches the walk and the decompressors."""
    dice = random.Random(seed)
    good = batch(10, [bytes(dice.randbytes(dice.randrange(30))) for _ in range(20)], codec)
    data = bytearray(good)
    for _ in range(dice.randrange(1, 6)):
        data[dice.randrange(61 if reseal else 0, len(data))] = dice.randrange(256)
    if reseal:
        data[17:21] = crc(bytes(data[21:])).to_bytes(4, "big")
    both = bytes(data[: dice.choice([len(data), dice.randrange(len(data))])]) + batch(30, [b"after"])
    pieces = list(read(MessageSet(both, 10, 31)))
    for piece in pieces:
        assert np.all(piece.start >= 0) and np.all(piece.start <= piece.end)
        assert np.all(piece.end <= len(piece.buffer)) and np.all(np.diff(piece.offset) > 0)
    assert 10 < next_offset(both, 10, 31) <= 31


def crc(data: bytes) -> int:
    return int(calc_crc32c(data))


def test_one_corrupt_batch_is_skipped_and_its_neighbours_are_read() -> None:
    parts = [batch(0, [b"a"]), batch(1, [b"b"] * 9), batch(10, [b"c"])]
    broken = bytearray(parts[1])
    broken[-1] ^= 1
    pieces = list(read(MessageSet(parts[0] + bytes(broken) + parts[2], 0, 11)))
    assert [row[0] for row in rows_of(pieces)] == [0, 10]
    assert pieces[-1].skipped == {"crc": 1}


def test_after_a_corrupt_last_batch_reading_goes_on_behind_it_but_never_behind_the_end() -> None:
    data = bytearray(batch(5, [b"b"] * 9))
    data[-1] ^= 1
    assert next_offset(bytes(data), 5, 14) == 14  # its header agrees with itself
    data[23:27] = (5000).to_bytes(4, "big")
    assert next_offset(bytes(data), 5, 14) == 6
    assert next_offset(bytes(data), 5, 10_000) == 6


def test_what_moved_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = type("Consumer", (), {"_fetcher": type("F", (), {"_max_partition_fetch_bytes": 1})()})()
    assert kafka_raw.moved(consumer) == []
    monkeypatch.setattr(kafka_raw, "VERSION", "9.9")
    monkeypatch.delattr(fetching, "PartitionRecords")
    assert kafka_raw.moved(object()) == [
        "aiokafka is 0.14.0, not 9.9",
        "Fetcher._proc_fetch_request does not use PartitionRecords",
        "AIOKafkaConsumer._fetcher is no fetcher with _max_partition_fetch_bytes",
    ]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("noida_db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("kafka")
    binary = str(importlib.resources.files("noida_db") / "noida-db")
    command = [binary, "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder)]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
        process.terminate()


async def consume(address: str, topic: str, reader: Any, until: int, isolation: str) -> tuple[list[Row], int]:
    """All records up to offset `until`, and where the reader says that reading goes on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, auto_offset_reset="earliest", isolation_level=isolation
    )
    await consumer.start()
    assert kafka_raw.moved(consumer) == []
    source = reader(consumer)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    rows: list[Row] = []
    async with asyncio.timeout(20):
        while (position := await consumer.position(partition)) < until:
            for fetched in await source.poll(200):
                rows += rows_of(fetched.pieces)
    await consumer.stop()
    return rows, position


async def compare(address: str, topic: str, until: int, isolation: str = "read_uncommitted") -> list[Row]:
    raw = await consume(address, topic, RawReader, until, isolation)
    public = await consume(address, topic, PublicReader, until, isolation)
    assert raw == public
    return raw[0]


@pytest.mark.parametrize("codec", CODECS)
def test_raw_equals_public_for_every_compression(address: str, codec: str) -> None:
    async def run() -> list[Row]:
        kind = None if codec == "none" else codec
        producer = AIOKafkaProducer(bootstrap_servers=address, compression_type=kind, linger_ms=20)
        await producer.start()
        values = [b'{"n":%d}' % i * (i % 7 + 1) for i in range(3000)]
        sent = [
            await producer.send(codec, v, partition=0, timestamp_ms=5000 + i) for i, v in enumerate(values)
        ]
        await asyncio.gather(*sent)
        await producer.stop()
        rows = await compare(address, codec, 3000)
        assert [value for _, _, value in rows] == values
        assert [time for _, time, _ in rows] == list(range(5000, 8000))
        return rows

    assert len(asyncio.run(run())) == 3000


def test_aborted_transactions_and_control_batches_are_left_out(address: str) -> None:
    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=address, transactional_id="tx")
        await producer.start()
        for i in range(6):
            await producer.begin_transaction()
            for j in range(3):
                await producer.send_and_wait("tx", b"%d-%d" % (i, j), partition=0)
            await (producer.abort_transaction() if i % 2 else producer.commit_transaction())
        await producer.stop()
        probe = AIOKafkaConsumer(bootstrap_servers=address)
        await probe.start()
        partition = TopicPartition("tx", 0)
        end = (await probe.end_offsets([partition]))[partition]
        await probe.stop()
        committed = await compare(address, "tx", end, "read_committed")
        assert [v for _, _, v in committed] == [b"%d-%d" % (i, j) for i in (0, 2, 4) for j in range(3)]
        assert len(await compare(address, "tx", end)) == 18

    asyncio.run(run())
