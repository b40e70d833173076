"""Unpacking: everything that was packed comes back, and nothing grows beyond its bound."""

from __future__ import annotations

import gzip
import random
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.ingest.codings import TooLargeError, inflate

MANY = 1 << 30


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_members_come_back(parts: list[bytes]) -> None:
    assert inflate(b"".join(gzip.compress(part) for part in parts), MANY) == b"".join(parts)
    assert inflate(zlib.compress(parts[0]), MANY) == parts[0]


@given(st.integers(0, 300_000), st.integers(0, 300_000))
def test_bodies_longer_than_a_step_come_back(first: int, second: int) -> None:
    noise = random.Random(first).randbytes(first)
    assert inflate(gzip.compress(noise, 1) + gzip.compress(noise[:second], 1), MANY) == noise + noise[:second]


@given(st.binary(max_size=200))
def test_anything_else_is_a_value_error(body: bytes) -> None:
    try:
        inflate(body, MANY)
    except ValueError:
        return
    assert not body or body[:2] == b"\x1f\x8b" or body[0] & 15 == 8


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_part_is_not_taken_for_the_whole(body: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(body)
    length = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(ValueError):
        inflate(packed[:length], MANY)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_bound_is_exact(size: int, most: int) -> None:
    packed = gzip.compress(bytes(size))
    if size <= most:
        assert len(inflate(packed, most)) == size
    else:
        with pytest.raises(TooLargeError, match=f"more than {most} bytes"):
            inflate(packed, most)


def test_a_bomb_takes_no_memory() -> None:
    """A quarter of a gigabyte of nothing, in a quarter of a megabyte."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(16)) + packer.flush()
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        inflate(bomb, 8 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 31 << 20


def test_empty_members_take_no_time() -> None:
    began = time.perf_counter()
    with pytest.raises(ValueError, match="more than 1000 gzip members"):
        inflate(gzip.compress(b"") * 400_000, MANY)
    assert time.perf_counter() - began < 5
