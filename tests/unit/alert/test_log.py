"""The alert event log: positions, segments, torn tails, repeated ids."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.alert.log import AlertLog, decode_event, encode_event
from sentinel.errors import StateError
from sentinel.model import AlertEvent
from tests.simulation.world import event


def numbered(first: int, last: int) -> list[AlertEvent]:
    return [event("firing", n, n, {"n": str(n)}, alertname="A", n=str(n)) for n in range(first, last)]


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    log, sent = AlertLog(tmp_path), numbered(0, 5)
    assert log.append(sent) == log.end
    assert [one for _, one in log.read(0)] == sent
    assert decode_event(encode_event(sent[0])) == sent[0]


def test_a_read_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    log, sent = AlertLog(tmp_path, segment_bytes=700), numbered(0, 20)
    for one in sent:
        log.append([one])
    assert len(list(tmp_path.glob("*.log"))) > 2
    got, position = [], 0
    while batch := log.read(position, limit=3):
        got += [one for _, one in batch]
        position = batch[-1][0]
    assert (got, position) == (sent, log.end)


def test_an_empty_append_writes_nothing(tmp_path: Path) -> None:
    log = AlertLog(tmp_path)
    assert log.append([]) == log.end == 0
    assert log.read(0) == []


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(1, 400), garbage=st.binary(max_size=40))
def test_a_torn_tail_is_cut_at_open(cut: int, garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        log, sent = AlertLog(Path(name)), numbered(0, 4)
        ends = [log.append([one]) for one in sent]
        log.close()
        path = next(Path(name).glob("*.log"))
        path.write_bytes(path.read_bytes()[:-cut] + garbage)
        whole = sum(end <= ends[-1] - cut for end in ends)
        again = AlertLog(Path(name))
        assert [one for _, one in again.read(0)] == sent[:whole]
        again.append(numbered(9, 10))
        assert [one for _, one in again.read(0)] == sent[:whole] + numbered(9, 10)


def test_damage_before_the_end_is_an_error_not_a_gap(tmp_path: Path) -> None:
    log = AlertLog(tmp_path, segment_bytes=300)
    for one in numbered(0, 6):
        log.append([one])
    first = min(tmp_path.glob("*.log"))
    data = bytearray(first.read_bytes())
    data[20] ^= 0xFF
    first.write_bytes(data)
    with pytest.raises(StateError, match="damaged at byte 0"):
        log.read(0)


def test_a_replay_repeats_nothing(tmp_path: Path) -> None:
    log = AlertLog(tmp_path)
    log.append(numbered(0, 3))
    snapshot = log.end
    log.append(numbered(3, 6))
    log = AlertLog(tmp_path)
    log.remember(snapshot, 0)
    log.append(numbered(3, 5))
    log.append(numbered(4, 8))
    assert [one for _, one in log.read(0)] == numbered(0, 8)
    log.forget()
    log.append(numbered(7, 8))
    assert len(log.read(0)) == 9


@pytest.mark.parametrize("segment_bytes", [300, 700, 1 << 20])
@pytest.mark.parametrize("last_entry", range(4))
def test_what_the_journal_has_lost_is_cut_off(tmp_path: Path, segment_bytes: int, last_entry: int) -> None:
    """Entries 1, 2 and 3 of the journal led to two events each; a snapshot was taken behind the first."""
    log, sent = AlertLog(tmp_path, segment_bytes), numbered(0, 8)
    ends = [log.append(sent[:2])]
    for entry in (1, 2, 3):
        log.add(sent[2 * entry : 2 * entry + 2], entry)
        log.show()
        ends.append(log.end)
    log = AlertLog(tmp_path, segment_bytes)
    log.remember(ends[1], max(last_entry, 1))
    kept = 2 + 2 * max(last_entry, 1)
    assert [one for _, one in log.read(0)] == sent[:kept]
    assert log.end == ends[max(last_entry, 1)]
    log.append(sent[4:])  # the replay: what is there is not repeated, what was cut off comes again
    assert [one for _, one in log.read(0)] == sent
    assert [one for _, one in AlertLog(tmp_path, segment_bytes).read(0)] == sent


def test_what_was_added_is_seen_when_it_is_shown(tmp_path: Path) -> None:
    log = AlertLog(tmp_path)
    log.add(numbered(0, 2), 1)
    assert (log.end, log.read(0), log.recent(0)) == (0, [], [])
    log.show()
    assert [one for _, one in log.read(0)] == numbered(0, 2)
    assert log.recent(0) == log.read(0)


def test_the_newest_are_at_hand_and_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.alert.log._RECENT", 5)
    ends = [AlertLog(tmp_path).append(numbered(0, 2))]
    log = AlertLog(tmp_path)
    assert (log.recent(0), log.recent(log.end)) == (None, [])
    ends += [log.append(numbered(n, n + 2)) for n in (2, 4, 6, 8)]
    assert [log.recent(end) for end in ends[:2]] == [None, None]
    for end in ends[2:]:
        assert log.recent(end) == log.read(end)
    assert len(log.recent(ends[2]) or []) == 4


def test_a_failed_write_is_forgotten_in_a_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AlertLog(tmp_path)
    log.remember(0, 0)
    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StateError, match="No space"):
            log.append(numbered(0, 2))
    log.append(numbered(0, 2))
    assert [one for _, one in log.read(0)] == numbered(0, 2)


def test_trim_removes_only_what_every_reader_has_passed(tmp_path: Path) -> None:
    log = AlertLog(tmp_path, segment_bytes=600)
    ends = [log.append([one]) for one in numbered(0, 12)]
    log.trim(ends[5])
    assert 0 < log.start <= ends[5]
    assert [one for _, one in log.read(ends[5])] == numbered(6, 12)
    assert [at for at, _ in log.read(0)] == [at for at in ends if at > log.start]
    log.trim(log.end)
    assert log.read(log.end) == []
    end = log.end
    assert AlertLog(tmp_path).end == end
    log.append(numbered(12, 13))
    assert [one for _, one in log.read(end)] == numbered(12, 13)


def test_readers_see_whole_appends_while_the_writer_writes(tmp_path: Path) -> None:
    log, sent = AlertLog(tmp_path, segment_bytes=2000), numbered(0, 120)

    def write() -> None:
        for one in sent:
            log.append([one])

    writer = threading.Thread(target=write)
    writer.start()
    got, position = [], 0
    while len(got) < len(sent):
        batch = log.read(position, limit=7)
        got += [one for _, one in batch]
        position = batch[-1][0] if batch else position
    writer.join()
    assert got == sent


def test_a_folder_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be opened"):
        AlertLog(tmp_path / "file" / "log")
