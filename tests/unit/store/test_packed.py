"""Blocks of samples: whatever goes in comes out, to the last bit, and what is usual takes little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import STALE, Floats, Int64s
from sentinel.model.histogram import BOX_BITS
from sentinel.store import _packed_kernels as packed

odd = [0.0, -0.0, np.inf, -np.inf, np.nan, STALE, 5e-324, -1.7976931348623157e308, 2.0**53, 0.1 + 0.2, 1e-6]
odd += np.array([BOX_BITS, BOX_BITS | 7, 0xFFF8_0000_0000_0001], np.uint64).view(np.float64).tolist()
some = st.one_of(
    st.sampled_from(odd),
    st.floats(),
    st.integers(-(10**16), 10**16).map(float),
    st.integers(-(10**7), 10**7).map(lambda number: number / 1000),
)
columns = st.one_of(
    st.lists(some, min_size=1, max_size=packed.MOST),
    st.lists(st.integers(-50, 50).map(lambda number: number / 100), min_size=1, max_size=packed.MOST),
    st.lists(st.sampled_from([0.1 + 0.2, STALE]), min_size=1, max_size=packed.MOST),
)
distances = st.one_of(st.integers(1, 100), st.integers(1, 1 << 45))


def pack(times: Int64s, values: Floats) -> Int64s:
    out, numbers = np.zeros(packed.MOST_WORDS, np.int64), np.zeros(packed.MOST + 1, np.int64)
    size = packed.encode(times, values, values.view(np.uint64), 0, len(times), out, numbers)
    return out[: size + 2]  # an empty row is read from behind the block, with the word behind that


@settings(max_examples=300, deadline=None)
@given(columns, st.data(), st.integers(-(1 << 50), 1 << 50))
def test_blocks_are_exact(numbers: list[float], data: st.DataObject, start: int) -> None:
    steps = data.draw(st.lists(distances, min_size=len(numbers), max_size=len(numbers)))
    times, values = start + np.cumsum(np.array(steps, np.int64)), np.array(numbers, np.float64)
    words = pack(times, values)
    assert packed.length(words, 0) == len(words) - 2 and packed.samples(words, 0) == len(times)
    assert packed.is_whole(words, 0, len(words) - 2) and not packed.is_whole(words, 0, len(words) - 3)
    room, room_values = np.zeros(packed.MOST + 3, np.int64), np.zeros(packed.MOST + 3)
    assert packed.decode(words, 0, room, room_values, room_values.view(np.uint64), 3) == len(times)
    assert room[3 : 3 + len(times)].tolist() == times.tolist()
    bits = room_values[3 : 3 + len(times)].view(np.uint64)
    assert bits.tolist() == values.view(np.uint64).tolist()
    stale = (bits == np.array([STALE]).view(np.uint64)).any()
    assert bool(words[packed.SHAPE] & packed.MARKER_INSIDE) == stale


def _shapes() -> dict[str, Floats]:
    draw = np.random.default_rng(7)
    size = 64 * packed.MOST
    return {
        "counter": np.cumsum(draw.integers(0, 200, size)).astype(np.float64),
        "counter of seconds": np.round(np.cumsum(draw.random(size) * 15), 2).astype(np.float64),
        "gauge of 3 decimals": np.round(50 + np.cumsum(draw.normal(0, 0.5, size)), 3).astype(np.float64),
        "per cent": np.round(100 * draw.random(size), 2),
        "bytes": np.floor(1e9 + np.cumsum(draw.normal(0, 1e5, size))),
        "state": draw.integers(0, 3, size).astype(np.float64),
    }


@pytest.mark.parametrize("shape", _shapes())
def test_what_is_usual_takes_4_bytes_a_sample(shape: str) -> None:
    values, draw = _shapes()[shape], np.random.default_rng(8)
    times = 15_000 * np.arange(len(values)) + draw.integers(-50, 50, len(values))
    size = sum(
        len(pack(times[first : first + packed.MOST], values[first : first + packed.MOST])) - 2
        for first in range(0, len(values), packed.MOST)
    )
    assert 8 * size <= 4 * len(values)
