"""Remote write requests: what becomes of labels, values and times, and why a series is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from remote_write_encoder import NOW_MS, double, label, number, request_v2, sample, series, text, varint

from sentinel.decode import Limits
from sentinel.decode.remote_write import RemoteWriteConfig, RemoteWriteDecoder, Survey
from sentinel.errors import DecodeError
from sentinel.model import STALE_BITS, Decoded, Labels, Payloads, payload_of

UP = [("__name__", "up"), ("job", "api")]
TIGHT = Limits(labels=2, label_name_bytes=5, label_value_bytes=8)


def payloads(body: bytes) -> Payloads:
    return payload_of("push", "remote_write", body, arrival_ms=NOW_MS)


def decode(body: bytes, limits: Limits | None = None) -> Decoded:
    return RemoteWriteDecoder(RemoteWriteConfig(), limits or Limits(), 60_000).decode(payloads(body))


def survey(body: bytes) -> Survey:
    return RemoteWriteDecoder(RemoteWriteConfig(), Limits(), 60_000).survey(payloads(body))


def labels_of(decoded: Decoded) -> list[Labels]:
    return [decoded.batch.labels(row) for row in range(len(decoded.batch))]


@pytest.mark.parametrize(
    "pairs",
    [
        [("__name__", "up")],
        [("Zone", "a"), ("__name__", "up"), ("job", "b")],
        [("job", "unsorted"), ("__name__", "up"), ("a", "c")],
        [("__name__", "resource cpu.usage"), ("job name", "line\nbreak"), ("x", '"quoted" \\ {a="b"}')],
        [("__name__", 'a"b\\n'), ('"', '\\"'), ("环境", "test🚀" * 9)],
        [("__name__", "up"), ("empty", ""), ("job", "b")],
    ],
)
def test_labels_come_back_as_they_were_sent(pairs: list[tuple[str, str]]) -> None:
    for body in (series(pairs), request_v2((pairs, sample()))):
        decoded = decode(body)
        assert decoded.refused == [] and labels_of(decoded) == [Labels(pairs)]


def test_both_versions_write_one_key() -> None:
    first, second = decode(series(UP)).batch, decode(request_v2((UP, sample()))).batch
    assert first.series_hash.tolist() == second.series_hash.tolist()


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([], "missing_name"),
        ([("job", "api")], "missing_name"),
        ([("__name__", ""), ("job", "api")], "missing_name"),
        ([("__name__", "up"), ("", "x")], "invalid_label"),
        ([("__name__", "up"), ("a", "1"), ("a", "2")], "duplicate_label"),
        ([("__name__", "up"), ("a", "1"), ("a", "1")], "duplicate_label"),
        ([("__name__", "up"), ("__name__", "up")], "duplicate_label"),
        ([("__name__", "up"), ("a", "1"), ("b", "2"), ("c", "3")], "too_many_labels"),
        ([("__name__", "up"), ("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "")], "too_many_labels"),
        ([("__name__", "up"), ("toolong", "1")], "label_too_long"),
        ([("__name__", "up"), ("a", "ninebytes")], "label_too_long"),
        ([("__name__", "ninebytes")], "label_too_long"),
        ([("__name__", b"\xff")], "invalid_utf8"),
        ([("__name__", "up"), (b"\xed\xa0\x80", "a")], "invalid_utf8"),
        ([("__name__", "up"), ("a", b"x\xc3")], "invalid_utf8"),
    ],
)
def test_bad_labels(pairs: list[tuple[str | bytes, str | bytes]], reason: str) -> None:
    assert decode(series(pairs), TIGHT).refused == [(0, reason)]
    assert decode(request_v2((pairs, sample())), TIGHT).refused == [(0, reason)]


@pytest.mark.parametrize(
    "refs", [b"\x01", b"\x01\x02\x01", b"\x01\x63", b"\x63\x02", varint(1 << 63) + b"\x01"]
)
def test_references_that_mean_nothing(refs: bytes) -> None:
    symbols = text(4, "") + text(4, "__name__") + text(4, "up")
    assert decode(symbols + text(5, text(1, b"\x01\x02") + sample())).refused == []
    assert decode(symbols + text(5, text(1, refs) + sample())).refused == [(0, "invalid_label")]


def test_references_may_be_written_one_by_one_and_strings_come_last() -> None:
    names = [text(4, each) for each in ("", "__name__", "up")]
    body = text(5, number(1, 1) + sample() + number(1, 2)) + b"".join(names)
    assert labels_of(decode(body)) == [Labels({"__name__": "up"})]


@pytest.mark.parametrize(
    ("bits", "kept"),
    [
        (STALE_BITS, STALE_BITS),
        (0x7FF8000000000001, 0x7FF8000000000001),
        (0x7FF4000000000007, 0x7FF8000000000001),  # would be a box
        (0xFFF4000000000007, 0x7FF8000000000001),
        (0x7FF0000000000001, 0x7FF8000000000001),
        (0x7FF0000000000000, 0x7FF0000000000000),
        (0xFFF0000000000000, 0xFFF0000000000000),
        (0x8000000000000000, 0x8000000000000000),
        (
            struct.unpack("<Q", struct.pack("<d", -123.456))[0],
            struct.unpack("<Q", struct.pack("<d", -123.456))[0],
        ),
    ],
)
def test_values_keep_their_bits_and_nothing_looks_like_a_histogram(bits: int, kept: int) -> None:
    batch = decode(series(UP, sample(bits))).batch
    assert batch.value.view(np.uint64).tolist() == [kept] and batch.histograms == ()


@pytest.mark.parametrize(
    ("at_ms", "refused"),
    [
        (NOW_MS + 60_000, []),
        (NOW_MS - 3_600_000, []),
        (NOW_MS + 60_001, [(0, "timestamp_future")]),
        (NOW_MS // 1000, [(0, "timestamp_past")]),
        (0, [(0, "timestamp_past")]),
        (-1, [(0, "timestamp_past")]),
        (1 << 63, [(0, "timestamp_past")]),
    ],
)
def test_times(at_ms: int, refused: list[tuple[int, str]]) -> None:
    assert decode(series(UP, sample(1.0), sample(2.0, at_ms))).refused == refused


def test_a_series_may_have_many_samples_and_what_else_it_has_is_passed_over() -> None:
    exemplar, unknown = text(3, label("trace_id", "x")), number(99, 7) + varint(98 << 3 | 5) + b"four"
    created = text(2, double(1, 3.0) + number(2, NOW_MS - 2) + number(3, NOW_MS - 99))
    body = series(UP, sample(1.0, NOW_MS), exemplar, sample(2.0, NOW_MS - 1), created, unknown)
    metadata = text(3, number(1, 1) + text(2, "up") + text(4, "help"))
    decoded = decode(metadata + body + series([("__name__", "down")]) + unknown)
    assert decoded.batch.value.tolist() == [1.0, 2.0, 3.0, 1.0]
    assert decoded.batch.timestamp_ms.tolist() == [NOW_MS, NOW_MS - 1, NOW_MS - 2, NOW_MS]
    assert [labels.name for labels in labels_of(decoded)] == ["up", "up", "up", "down"]
    assert len({tuple(each) for each in decoded.batch.series_hash[:3].tolist()}) == 1
    assert survey(body).written == (3, 0, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\x05\x00",
        b"\x0a",
        b"\x0a" + b"\xff" * 9 + b"\x02",  # a length of 65 bits
        b"\x0a" + b"\xff" * 9 + b"\x01",  # a length that turns negative
        b"\x00\x00",
        b"\x0b",
        b"\x0e",
        number(1, 1),
        number(5, 1),
        series(UP) + request_v2((UP, sample())),
        series(UP, number(2, 1)),
        series(UP, text(2, number(1, 1))),
        series(UP, text(2, text(2, "x"))),
        series(UP, text(1, number(1, 1))),
        series(UP, text(4, text(15, "x"))),
        series([], text(2, number(1, 1))),
        text(4, "") + text(5, text(1, b"\x80")),
        text(4, "") + text(5, double(1, 1.0)),
        series(UP)[:-1],
    ],
)
def test_what_has_no_form_is_refused_whole(body: bytes) -> None:
    good = series(UP) if not body.startswith(b"\x22") else b""
    assert decode(good + body).refused == [(0, "invalid_protobuf")]
    with pytest.raises(DecodeError, match="invalid_protobuf"):
        survey(good + body)


def test_a_survey_cuts_out_what_is_bad() -> None:
    bad = [series([("job", "x")], sample(), sample(), text(3, "")), series(UP, sample(1.0, 5))]
    good = [series(UP), series([("__name__", "down")], sample(STALE_BITS), text(3, ""))]
    whole = bad[0] + good[0] + bad[1] + good[1] + bad[0]
    found = survey(whole)
    assert found.version == 1 and found.written == (2, 0, 1) and found.refused == (5, 0, 2)
    assert found.reasons == {"missing_name": 2, "timestamp_past": 1}
    assert found.good is not None and found.good.record(0) == good[0] + good[1]
    assert decode(whole).refused == [(0, "missing_name")]
    assert decode(found.good.record(0)).refused == []


def test_a_survey_of_version_2_keeps_the_strings() -> None:
    found = survey(request_v2((UP, sample()), ([("a", "b")], sample()), (UP, sample(2.0, NOW_MS - 1))))
    assert found.version == 2 and found.reasons == {"missing_name": 1} and found.good is not None
    assert labels_of(decode(found.good.record(0))) == [Labels(UP)] * 2


@pytest.mark.parametrize("body", [b"", text(3, text(2, "up")), text(4, ""), series(UP, text(3, ""))])
def test_a_request_without_samples_is_good_and_nothing_to_keep(body: bytes) -> None:
    found = survey(body)
    assert found.good is None and found.reasons == {}
    assert decode(body).refused == [] and len(decode(body).batch) == 0


def test_a_request_of_too_many_things_is_refused_before_room_is_made() -> None:
    for many in (b"\x0a\x00", b"\x22\x00", b"\x2a\x00"):
        assert decode(many * ((1 << 20) + 1), Limits(record_bytes=1 << 30)).refused == [
            (0, "request_too_large")
        ]
    rows = text(1, b"\x12\x00" * ((1 << 20) + 1))
    assert decode(rows, Limits(record_bytes=1 << 30)).refused == [(0, "request_too_large")]


def test_references_to_a_long_string_do_not_unpack_to_more_than_a_bound() -> None:
    symbols = text(4, "a" * 2000)
    bomb = symbols + text(5, text(1, b"\x00" * 100_000) + sample())
    assert decode(bomb).refused == [(0, "request_too_large")]
