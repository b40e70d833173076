"""The kernels of record batches: against plain Python, and with damaged bytes and every index checked."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from aiokafka.record.util import calc_crc32c, encode_varint
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.ingest import _kafka_kernel as kernel
from sentinel.ingest.record_batch import MessageSet, has_batch, read
from sentinel.model import Int64s

Row = tuple[bytes, int, int]


def varint(value: int) -> bytes:
    out = bytearray()
    encode_varint(value, out.append)
    return bytes(out)


def walk_plain(data: bytes, count: int, base: int, first_ms: int, last_delta: int) -> list[Row] | None:
    """The rows of one batch, or None if it is malformed: the kernel's plain twin."""
    rows: list[Row] = []
    at, last = 0, -1

    def number(end: int) -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= end or shift >= 64:
                raise ValueError
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                value &= (1 << 64) - 1
                return (value >> 1) ^ -(value & 1)

    try:
        for _ in range(count):
            length = number(len(data))
            end = at + length
            if length < 1 or end > len(data):
                return None
            at += 1
            time, delta, key = number(end), number(end), number(end)
            at += max(key, 0)
            size = number(end)
            if at + max(size, 0) >= end or not last < delta <= last_delta:
                return None
            rows.append((data[at : at + max(size, 0)], base + delta, max(first_ms + time, -1)))
            at, last = end, delta
    except ValueError:
        return None
    return rows if at == len(data) else None


def record(key: bytes | None, value: bytes | None, time: int, delta: int) -> bytes:
    fields = b"\0" + varint(time) + varint(delta)
    for field in (key, value):
        fields += varint(-1) if field is None else varint(len(field)) + field
    return varint(len(fields) + 1) + fields + varint(0)


records = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=9), st.none() | st.binary(max_size=99), st.integers(-(2**40), 2**40)
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(records, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3), st.booleans())
def test_the_walk_equals_its_plain_twin(drawn: list, damage: list, holes: bool) -> None:
    step = 2 if holes else 1
    data = bytearray(b"".join(record(k, v, t, i * step) for i, (k, v, t) in enumerate(drawn)))
    for at, byte in damage if data else []:
        data[at % len(data)] = byte
    last = len(drawn) * step
    body = np.array([[0, len(data), 500, 1000, -1, len(drawn), last]], np.int64)
    start, end, offset, time, bad = kernel.walk(np.frombuffer(bytes(data), np.uint8), body, 0)
    expected = walk_plain(bytes(data), len(drawn), 500, 1000, last)
    assert bad == (expected is None)
    got = [(bytes(data[a:b]), o, t) for a, b, o, t in zip(start, end, offset, time, strict=True)]
    assert got == (expected or [])


def test_time_of_the_broker_and_records_below_the_fetch() -> None:
    data = b"".join(record(None, b"v", 5, i) for i in range(4))
    body = np.array([[0, len(data), 10, 1000, 7777, 4, 3]], np.int64)
    *_, offset, time, bad = kernel.walk(np.frombuffer(data, np.uint8), body, 12)
    assert offset.tolist() == [12, 13] and time.tolist() == [7777, 7777] and bad == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", False), (bytes(16), False), (bytes(17), True), (bytes(8) + b"\0\0\0\x06" + bytes(5), False)],
)
def test_whether_there_is_anything_to_read(data: bytes, expected: bool) -> None:
    assert has_batch(data) is expected


def test_a_torn_length_ends_the_message_set() -> None:
    pieces = list(read(MessageSet(bytes(40), 3, 4), lambda batch: []))
    assert [len(p.offset) for p in pieces] == [0]
    assert pieces[0].skipped == {"malformed": 1} and pieces[0].next_offset == 4


def test_large_sets_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    def sealed(base: int) -> bytes:
        body = record(None, b"v", 0, 0) + record(None, b"w", 0, 1)
        tail = b"\0\0" + (1).to_bytes(4, "big") + bytes(16) + b"\xff" * 14 + (2).to_bytes(4, "big") + body
        head = base.to_bytes(8, "big") + (9 + len(tail)).to_bytes(4, "big") + bytes(4) + b"\x02"
        return head + calc_crc32c(tail).to_bytes(4, "big") + tail

    monkeypatch.setattr("sentinel.ingest.record_batch.PIECE_RECORDS", 4)
    pieces = list(read(MessageSet(b"".join(sealed(2 * i) for i in range(5)), 0, 10), lambda batch: []))
    offsets: list[Int64s] = [p.offset for p in pieces]
    assert [o.tolist() for o in offsets] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [p.next_offset for p in pieces] == [4, 8, 10]


def test_no_index_leaves_its_array() -> None:
    """Uncompiled, numpy itself refuses what is out of bounds; damaged bytes through all kernels."""
    script = """
        import random, numpy as np
        from sentinel.ingest import _kafka_kernel as kernel
        dice = random.Random(7)
        np.seterr(over="ignore")
        for _ in range(300):
            data = np.frombuffer(dice.randbytes(dice.randrange(140)), np.uint8).copy()
            if len(data) > 61:
                data[8:12] = [0, 0, 0, dice.randrange(5, len(data) - 11)]
                data[16] = dice.choice([1, 2, 2, 2])
            headers, _ = kernel.scan(data)
            kernel.verify(headers, np.zeros(len(headers), np.int64))
            end = dice.randrange(len(data) + 1)
            start = dice.randrange(end + 1)
            kernel.walk(data, np.array([[start, end, 5, 0, -1, dice.randrange(-1, 40), 50]], np.int64), 0)
        print("in bounds")
    """
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "in bounds\n", done.stderr
