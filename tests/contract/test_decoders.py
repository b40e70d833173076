"""The contract of decoders: every one that is installed is found and checked by itself."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel import plugins
from sentinel.decode import Decoder, Limits
from sentinel.model import Decoded, Labels, Payloads

NOW_MS = 1_760_000_000_000
MODEST = settings(max_examples=60, deadline=None)
TIGHT = Limits(labels=1, label_name_bytes=3, label_value_bytes=6, record_bytes=120)


@pytest.fixture(params=plugins.names("decoders"), scope="module")
def decoder_class(request: pytest.FixtureRequest) -> Any:
    return plugins.load("decoders", request.param)


def _decoder(decoder_class: Any, limits: Limits | None = None) -> Decoder:
    made: Decoder = decoder_class(decoder_class.Config(), limits or Limits(), 60_000)
    return made


def _payloads(records: list[bytes], target: Labels | None = None) -> Payloads:
    """Records in one buffer, garbage between them: spans are what counts."""
    starts, buffer = [], bytearray()
    for record in records:
        buffer += b'"}\\'
        starts.append(len(buffer))
        buffer += record
    start = np.array(starts, np.int64)
    count = len(records)
    return Payloads(
        source="test",
        partition="0",
        format="any",
        buffer=np.frombuffer(bytes(buffer), np.uint8),
        start=start,
        end=start + np.array([len(record) for record in records], np.int64),
        offset=np.arange(count),
        record_ms=np.full(count, NOW_MS),
        next_offset=count,
        arrival_ms=NOW_MS,
        target=target or Labels(),
    )


def _rows(decoded: Decoded, first_record: int = 0) -> list[Any]:
    """All that a batch says, NaN comparable, one entry per sample."""
    batch = decoded.batch
    return [
        (
            first_record + int(batch.record[row]),
            batch.labels(row),
            int(batch.timestamp_ms[row]),
            struct.pack("d", batch.value[row]),
        )
        for row in range(len(batch))
    ]


def _by_record(decoded: Decoded, count: int) -> list[list[Any]]:
    rows: list[list[Any]] = [[] for _ in range(count)]
    for record, *rest in _rows(decoded):
        rows[record].append(rest)
    return rows


@st.composite
def bad_or_good(draw: Any, examples: tuple[bytes, ...]) -> bytes:
    """An example, damaged or not: truncated, bits flipped, pieces of others put in; or plain garbage."""
    if draw(st.integers(0, 4)) == 0:
        return bytes(draw(st.binary(max_size=60)))
    record = bytearray(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(record)))
        match draw(st.sampled_from(["cut", "flip", "put", "drop"])):
            case "cut":
                del record[at:]
            case "flip" if at < len(record):
                record[at] ^= 1 << draw(st.integers(0, 7))
            case "put":
                other = draw(st.sampled_from(examples))
                begin = draw(st.integers(0, len(other)))
                record[at:at] = other[begin : begin + draw(st.integers(0, 12))]
            case _:
                del record[at : at + draw(st.integers(1, 12))]
    return bytes(record)


def test_examples_decode(decoder_class: Any) -> None:
    records = list(decoder_class.EXAMPLES)
    decoded = _decoder(decoder_class).decode(_payloads(records))
    assert decoded.refused == []
    assert all(_by_record(decoded, len(records)))


def test_no_records_give_no_samples(decoder_class: Any) -> None:
    decoded = _decoder(decoder_class).decode(_payloads([]))
    assert (len(decoded.batch), decoded.refused) == (0, [])


def test_bad_records_raise_nothing_and_leave_their_neighbours_alone(decoder_class: Any) -> None:
    decoder = _decoder(decoder_class)

    @MODEST
    @given(st.lists(bad_or_good(decoder_class.EXAMPLES), max_size=8))
    def check(records: list[bytes]) -> None:
        decoded = decoder.decode(_payloads(records))
        refused = dict(decoded.refused)
        assert list(refused) == sorted(refused)
        assert set(refused.values()) <= decoder_class.REASONS
        for row, samples in enumerate(_by_record(decoded, len(records))):
            alone = decoder.decode(_payloads([records[row]]))
            assert samples == _by_record(alone, 1)[0]
            assert dict(alone.refused).get(0) == refused.get(row)

    check()


def test_every_split_gives_the_same_rows(decoder_class: Any) -> None:
    decoder = _decoder(decoder_class)

    @MODEST
    @given(st.lists(bad_or_good(decoder_class.EXAMPLES), max_size=8), st.data())
    def check(records: list[bytes], data: st.DataObject) -> None:
        payloads = _payloads(records, Labels({"job": "t"}))
        whole = decoder.decode(payloads)
        cut = data.draw(st.integers(0, len(records)))
        head, tail = (decoder.decode(part) for part in payloads.split(cut))
        assert _rows(head) + _rows(tail, cut) == _rows(whole)
        assert head.refused + [(row + cut, reason) for row, reason in tail.refused] == whole.refused
        hashes = np.concatenate([head.batch.series_hash, tail.batch.series_hash])
        assert hashes.tolist() == whole.batch.series_hash.tolist()

    check()


def test_columns_fit_together(decoder_class: Any) -> None:
    decoder = _decoder(decoder_class)

    @MODEST
    @given(st.lists(bad_or_good(decoder_class.EXAMPLES), max_size=6))
    def check(records: list[bytes]) -> None:
        batch = decoder.decode(_payloads(records)).batch
        count = len(batch)
        assert batch.series_hash.shape == (count, 2)
        assert batch.key.shape == (count, 4)
        assert len(batch.value) == len(batch.record) == count
        assert ((batch.key >= 0) & (batch.key <= len(batch.buffer))).all()
        assert (np.diff(batch.record) >= 0).all()
        assert ((batch.timestamp_ms >= 0) & (batch.timestamp_ms <= NOW_MS + 60_000)).all()

    check()


def test_equal_hashes_mean_equal_labels(decoder_class: Any) -> None:
    decoder = _decoder(decoder_class)

    @MODEST
    @given(st.lists(bad_or_good(decoder_class.EXAMPLES), max_size=8))
    def check(records: list[bytes]) -> None:
        batch = decoder.decode(_payloads(records)).batch
        seen: dict[tuple[int, int], Labels] = {}
        for row in range(len(batch)):
            first, second = batch.series_hash[row].tolist()
            assert seen.setdefault((first, second), batch.labels(row)) == batch.labels(row)

    check()


def test_two_targets_share_no_hash(decoder_class: Any) -> None:
    decoder, records = _decoder(decoder_class), list(decoder_class.EXAMPLES)
    batches = [
        decoder.decode(_payloads(records, target)).batch
        for target in (Labels(), Labels({"instance": "a"}), Labels({"instance": "b"}))
    ]
    hashes = [set(map(tuple, batch.series_hash.tolist())) for batch in batches]
    assert len(set.union(*hashes)) == sum(map(len, hashes))
    for batch in batches[1:]:
        for row in range(len(batch)):
            assert batch.labels(row).get("instance") == batch.target.get("instance")


def test_limits_hold(decoder_class: Any) -> None:
    decoder = _decoder(decoder_class, TIGHT)

    @MODEST
    @given(st.lists(bad_or_good(decoder_class.EXAMPLES), max_size=8))
    def check(records: list[bytes]) -> None:
        decoded = decoder.decode(_payloads(records))
        assert {len(records[row]) <= TIGHT.record_bytes for row in decoded.batch.record.tolist()} <= {True}
        for row in range(len(decoded.batch)):
            labels = decoded.batch.labels(row)
            assert len(labels) <= TIGHT.labels + 1
            for name, value in labels:
                assert name == "__name__" or len(name.encode()) <= TIGHT.label_name_bytes
                assert len(value.encode()) <= TIGHT.label_value_bytes

    check()
    large = decoder_class.EXAMPLES[0] + b" " * TIGHT.record_bytes
    assert decoder.decode(_payloads([large])).refused == [(0, "record_too_large")]
