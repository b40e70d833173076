"""Journal and snapshot files: what is there after a crash, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentinel.errors import StateError
from sentinel.model import Labels
from sentinel.store import snapshot
from sentinel.store.journal import AdvanceEntry, InputEntry, Journal, Step


def entry(number: int) -> InputEntry:
    return InputEntry("push", "", "json", [b"x" * number, b""], number, (("job", "a"),))


def advance(number: int) -> AdvanceEntry:
    return AdvanceEntry(number, {"k": {"t/0": number}}, (Step("g", number, ("k",), True),))


def test_entries_come_back_numbered_and_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=300)
    entries = [entry(n) if n % 2 else advance(n) for n in range(1, 40)]
    assert [journal.append(each) for each in entries] == list(range(1, 40))
    journal.sync()
    assert list(Journal(tmp_path).read(0)) == list(enumerate(entries, 1))
    assert [number for number, _ in journal.read(35)] == [36, 37, 38, 39]


@pytest.mark.parametrize("lost", [1, 7, 9, 30])
def test_a_torn_tail_is_left_out_and_numbering_goes_on(tmp_path: Path, lost: int) -> None:
    journal = Journal(tmp_path)
    for number in range(1, 6):
        journal.append(entry(number))
    journal.sync()
    path = next(tmp_path.glob("*.journal"))
    path.write_bytes(path.read_bytes()[:-lost])
    reopened = Journal(tmp_path)
    assert reopened.last == 4
    reopened.append(advance(5))
    reopened.sync()
    assert list(Journal(tmp_path).read(3)) == [(4, entry(4)), (5, advance(5))]


def test_a_changed_byte_ends_the_reading(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(1, 6):
        journal.append(entry(number))
    journal.sync()
    path = next(tmp_path.glob("*.journal"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert 1 <= Journal(tmp_path).last < 5


def test_cut_removes_only_what_the_snapshot_holds(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(1, 31):
        if number % 10 == 1:
            journal.roll()
        journal.append(entry(number))
    journal.sync()
    journal.cut(15)
    assert [number for number, _ in journal.read(0)] == list(range(11, 31))
    journal.cut(20)
    assert [number for number, _ in journal.read(0)] == list(range(21, 31))


STATE = {
    "labels": [Labels({"a": "é", "b": "\n"}), Labels()],
    "array": np.array([[1, 2], [3, 4]], np.int64),
    "nan": np.array([np.nan, -0.0]),
    "nested": {"bytes": b"\x00\xff", "none": None, "list": [1, "x", 2.5]},
}


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    assert snapshot.load(tmp_path) is None
    snapshot.save(tmp_path, STATE)
    loaded = snapshot.load(tmp_path)
    assert loaded is not None
    assert loaded["labels"] == STATE["labels"] and loaded["nested"] == STATE["nested"]
    assert loaded["array"].tolist() == [[1, 2], [3, 4]]
    assert loaded["nan"].tobytes() == STATE["nan"].tobytes()  # type: ignore[attr-defined]


def test_a_damaged_snapshot_falls_back_to_the_one_before(tmp_path: Path) -> None:
    snapshot.save(tmp_path, {"number": 1})
    snapshot.save(tmp_path, {"number": 2})
    newest = tmp_path / "snapshot.bin"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert snapshot.load(tmp_path) == {"number": 1}
    (tmp_path / "snapshot.old").write_bytes(b"")
    with pytest.raises(StateError, match="restore the folder from a backup"):
        snapshot.load(tmp_path)
