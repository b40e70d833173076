"""Snapshots come back as they were, and damage is found out."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sentinel.errors import StateError
from sentinel.model import Labels
from sentinel.store import snapshot
from sentinel.store.columns import PIECE_BYTES, pieces, put_together

TYPES = st.sampled_from(["<i8", "<i4", "<f8", "|u1", "|b1", "<f4", "<u8"]).map(np.dtype)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
STATE: dict[str, Any] = {
    "labels": [Labels({"job": "a", "instance": "b"}), Labels()],
    "nested": [{"count": np.arange(5), "empty": np.zeros((0, 4))}, (1, 2.5, None, "x", b"y")],
    "large": np.random.default_rng(1).normal(size=(70_000, 5)),
    "number": np.int64(7),
}


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return (
            isinstance(found, np.ndarray)
            and (found.dtype, found.shape) == (expected.dtype, expected.shape)
            and found.tobytes() == expected.tobytes()
        )
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


@given(array=arrays.arrays(TYPES, SHAPES))
@settings(max_examples=100, deadline=None)
def test_arrays_of_every_shape_come_back_bit_for_bit(array: np.ndarray[Any, Any]) -> None:
    assert same(put_together(array.dtype, array.shape, pieces(array)), array)
    turned = array.T
    assert same(put_together(turned.dtype, turned.shape, pieces(turned)), turned.copy(order="C"))


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_pieces_end_where_the_array_does(more: int) -> None:
    array = np.arange(2 * PIECE_BYTES // 8 + more)
    found = list(pieces(array))
    assert len(found) == 2 + (more > 0)
    assert same(put_together(array.dtype, array.shape, iter(found)), array)
    with pytest.raises(ValueError, match="ends too early"):
        put_together(array.dtype, array.shape, iter(found[:-1]))
    for wrong in (1, len(array) - 2, len(array) + 1):
        with pytest.raises(ValueError, match="damaged"):
            put_together(array.dtype, (wrong,), iter(found))


def test_a_state_comes_back(tmp_path: Path) -> None:
    size = snapshot.save(tmp_path, STATE)
    assert size == (tmp_path / "snapshot.bin").stat().st_size
    found = snapshot.load(tmp_path)
    assert found is not None
    assert same(found, STATE | {"number": 7})
    assert found["large"].flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.bin"]


def test_a_folder_without_a_snapshot_has_none(tmp_path: Path) -> None:
    assert snapshot.load(tmp_path) is None


def test_objects_are_refused(tmp_path: Path) -> None:
    for state in ({"a": np.array([object()])}, {"a": object()}):
        with pytest.raises(TypeError, match="cannot hold"):
            snapshot.save(tmp_path, state)


def test_any_damage_is_found_and_the_one_before_is_taken(tmp_path: Path) -> None:
    snapshot.save(tmp_path, {"life": 1})
    snapshot.save(tmp_path, STATE | {"life": 2})
    path = tmp_path / "snapshot.bin"
    whole = path.read_bytes()
    places = [0, 25, 30, 60, 2000, len(whole) // 2, len(whole) - 1]
    for damaged in (
        *(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in places),
        *(whole[:end] for end in (0, 10, 20, 24, 40, 2000, len(whole) - 1)),
    ):
        path.write_bytes(damaged)
        assert snapshot.load(tmp_path) == {"life": 1}
    (tmp_path / "snapshot.old").unlink()
    with pytest.raises(StateError, match=r"snapshot\.bin: .*remove it to start without history"):
        snapshot.load(tmp_path)


def test_the_first_version_is_still_read(tmp_path: Path) -> None:
    array, labels = np.arange(6).reshape(2, 3), Labels({"job": "a"})
    raw = msgspec.msgpack.encode((array.dtype.str, array.shape, array.tobytes()))
    tree = {
        "a": msgspec.msgpack.Ext(1, raw),
        "b": [msgspec.msgpack.Ext(2, msgspec.msgpack.encode(labels.pairs))],
    }
    body = msgspec.msgpack.encode(tree)
    head = b"sentinel snapshot 1\n" + zlib.crc32(body).to_bytes(4, "little")
    (tmp_path / "snapshot.bin").write_bytes(head + body)
    assert same(snapshot.load(tmp_path), {"a": array, "b": [labels]})
    (tmp_path / "snapshot.bin").write_bytes(head + body[:-1] + b"?")
    with pytest.raises(StateError, match="checksum"):
        snapshot.load(tmp_path)
