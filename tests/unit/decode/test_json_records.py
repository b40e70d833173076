"""JSON records: what is read, and one row for each reason to refuse."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

import msgspec
import pytest

from sentinel.decode import Limits
from sentinel.decode.json import JsonConfig, JsonDecoder, read_labels
from sentinel.model import Labels

NOW_MS = 1_760_000_000_000
LIMITS = Limits(labels=3, label_name_bytes=8, label_value_bytes=16, record_bytes=300)
DECODER = JsonDecoder(JsonConfig(), LIMITS, 60_000)

REFUSED: list[tuple[str, bytes]] = [
    ("record_too_large", b'{"name":"a","value":1}' + b" " * 300),
    ("invalid_utf8", b'{"name":"\xff","value":1}'),
    ("invalid_utf8", b'{"name":"a","value":1,"x":"\xed\xa0\x80"}'),
    ("invalid_utf8", rb'{"name":"\ud800","value":1}'),
    ("invalid_utf8", rb'{"name":"a","value":1,"labels":{"a":"\udd1e"}}'),
    ("invalid_json", b""),
    ("invalid_json", b'{"name":"a","value":1'),
    ("invalid_json", b'{"name":"a","value":NaN}'),
    ("invalid_json", b'{"name":"a","value":-Infinity}'),
    ("invalid_json", b'{"name":"a","value":1}}'),
    ("invalid_json", b'{"name":"a","value":1,}'),
    ("invalid_json", b'{"name":"a","value":01}'),
    ("invalid_json", b'{"name":"a","value":1.}'),
    ("invalid_json", b'{"name":"a\n","value":1}'),
    ("invalid_json", rb'{"name":"\x","value":1}'),
    ("invalid_json", b'\xef\xbb\xbf{"name":"a","value":1}'),
    ("too_deep", b'{"name":"a","value":1,"x":' + b"[" * 40 + b"]" * 40 + b"}"),
    ("too_deep", b"[" * 290),
    ("duplicate_field", b'{"name":"a","value":1,"value":1}'),
    ("missing_name", b'{"value":1}'),
    ("missing_name", b'{"name":null,"value":1}'),
    ("missing_value", b'{"name":"a"}'),
    ("wrong_type", b'[{"name":"a","value":1}]'),
    ("wrong_type", b'{"name":1,"value":1}'),
    ("wrong_type", b'{"name":"a","value":"1"}'),
    ("wrong_type", b'{"name":"a","value":true}'),
    ("wrong_type", b'{"name":"a","value":1,"labels":["a"]}'),
    ("wrong_type", b'{"name":"a","value":1,"labels":{"a":1}}'),
    ("wrong_type", b'{"name":"a","value":1,"timestamp":true}'),
    ("value_not_finite", b'{"name":"a","value":1e999}'),
    ("value_not_finite", b'{"name":"a","value":-' + b"9" * 270 + b"e99}"),
    ("invalid_name", b'{"name":"","value":1}'),
    ("invalid_label", b'{"name":"a","value":1,"labels":{"__name__":"b"}}'),
    ("invalid_label", b'{"name":"a","value":1,"labels":{"":"b"}}'),
    ("duplicate_label", b'{"name":"a","value":1,"labels":{"a":"b","a":"b"}}'),
    ("duplicate_label", rb'{"name":"a","value":1,"labels":{"a":"b","\u0061":""}}'),
    ("too_many_labels", b'{"name":"a","value":1,"labels":{"a":"","b":"","c":"","d":""}}'),
    ("label_too_long", b'{"name":"a","value":1,"labels":{"a":"aaaaaaaaaaaaaaaaa"}}'),
    ("label_too_long", b'{"name":"a","value":1,"labels":{"aaaaaaaaa":"a"}}'),
    ("label_too_long", b'{"name":"aaaaaaaaaaaaaaaaa","value":1}'),
    ("timestamp_invalid", b'{"name":"a","value":1,"timestamp":"yesterday"}'),
    ("timestamp_invalid", b'{"name":"a","value":1,"timestamp":1e999}'),
    ("timestamp_past", b'{"name":"a","value":1,"timestamp":-1}'),
    ("timestamp_past", b'{"name":"a","value":1,"timestamp":1760000000}'),
    ("timestamp_past", b'{"name":"a","value":1,"timestamp":99999999999}'),
    ("timestamp_past", b'{"name":"a","value":1,"timestamp":-0.0}'),
    ("timestamp_past", b'{"name":"a","value":1,"timestamp":"1969-12-31T23:30:00-00:30"}'),
    ("timestamp_past", b'{"name":"a","value":1,"timestamp":"0001-01-01T00:00:00Z"}'),
    ("timestamp_future", b'{"name":"a","value":1,"timestamp":1760000060001}'),
    ("timestamp_future", b'{"name":"a","value":1,"timestamp":"9999-12-31T23:59:59Z"}'),
    ("timestamp_future", b'{"name":"a","value":1,"timestamp":' + b"9" * 99 + b"}"),
]


@pytest.mark.parametrize(("reason", "record"), REFUSED)
def test_a_bad_record_is_refused_with_its_reason(payloads_of: Any, reason: str, record: bytes) -> None:
    decoded = DECODER.decode(payloads_of([record]))
    assert decoded.refused == [(0, reason)]
    assert len(decoded.batch) == 0


def test_every_reason_has_a_row() -> None:
    assert {reason for reason, _ in REFUSED} == JsonDecoder.REASONS


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{}", {}),
        ("null", {}),
        ('{"job":"api"}', {"job": "api"}),
        ('{ "b" : "1" ,\n"a":"2" }', {"a": "2", "b": "1"}),
        ('{"job":"api","zone":""}', {"job": "api"}),
        (r'{"path":"C:\\x\n\""}', {"path": 'C:\\x\n"'}),
        (r'{"city":"Z\u00fcrich \ud83d\ude00"}', {"city": "Zürich 😀"}),
        ('{"stadt":"Zürich 😀"}', {"stadt": "Zürich 😀"}),
        (r'{"j\u006fb":"api"}', {"job": "api"}),
    ],
)
def test_labels(payloads_of: Any, text: str, labels: dict[str, str]) -> None:
    record = f'{{"labels": {text}, "name": "up", "value": 1}}'.encode()
    decoded = DECODER.decode(payloads_of([record]))
    assert decoded.batch.labels(0) == Labels({"__name__": "up", **labels})


@pytest.mark.parametrize(
    ("text", "timestamp_ms"),
    [
        ("null", NOW_MS),
        ("1759999999999", NOW_MS - 1),
        ("1760000060000", NOW_MS + 60_000),
        ("100000000000", 100_000_000_000),
        ("1759999999.5", NOW_MS - 500),
        ("1.7599999e9", NOW_MS - 100_000),
        ("1e8", 100_000_000_000),
        ('"2025-10-09T08:53:20Z"', NOW_MS),
        ('"2025-10-09t08:53:20.1z"', NOW_MS + 100),
        ('"2025-10-09 08:53:20.123456789Z"', NOW_MS + 123),
        ('"2025-10-09T10:23:20+01:30"', NOW_MS),
        ('"2025-10-08T23:53:20-09:00"', NOW_MS),
        ('"2024-02-29T23:59:60Z"', 1_709_251_200_000),
        ('"1973-03-03T09:46:40Z"', 100_000_000_000),
    ],
)
def test_timestamps(payloads_of: Any, text: str, timestamp_ms: int) -> None:
    decoded = DECODER.decode(payloads_of([f'{{"name":"a","value":1,"timestamp":{text}}}'.encode()]))
    assert decoded.batch.timestamp_ms.tolist() == [timestamp_ms]


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-09T08:53:20",
        "2025-10-09T08:53Z",
        "2025-10-09T08:53:20.Z",
        "2025-10-09T08:53:20+1:00",
        "2025-10-09T08:53:20+24:00",
        "2025-10-09T24:00:00Z",
        "2025-10-09T08:60:00Z",
        "2025-10-09T08:53:61Z",
        "2025-02-29T08:53:20Z",
        "2025-13-01T08:53:20Z",
        "0000-01-01T00:00:00Z",
        "25-10-09T08:53:20Z",
        "2025-1O-09T08:53:20Z",
        "2025-10-09T08:53:20Zx",
        "",
    ],
)
def test_what_is_not_rfc3339(payloads_of: Any, text: str) -> None:
    decoded = DECODER.decode(payloads_of([f'{{"name":"a","value":1,"timestamp":"{text}"}}'.encode()]))
    assert decoded.refused == [(0, "timestamp_invalid")]


def test_a_record_without_a_time_takes_the_arrival_and_is_bounded_by_it(payloads_of: Any) -> None:
    records = [b'{"name":"a","value":1}', b'{"name":"a","value":1,"timestamp":1760000060006}']
    decoded = DECODER.decode(payloads_of(records, record_ms=-1))
    assert decoded.batch.timestamp_ms.tolist() == [NOW_MS + 5]
    assert decoded.refused == [(1, "timestamp_future")]


def test_configured_fields_and_dotted_paths(payloads_of: Any) -> None:
    record = b'{"n":"a","metric":{"v":2,"t":null},"name":7,"tags":{"job":"api"}}'
    flat = JsonDecoder(JsonConfig(name="n", labels="tags", value="v"), LIMITS, 0)
    assert flat.decode(payloads_of([record])).refused == [(0, "missing_value")]
    config = msgspec.convert(
        {"name": "n", "labels": "tags", "value": "metric.v", "timestamp": "metric.t"}, JsonConfig
    )
    batch = JsonDecoder(config, LIMITS, 0).decode(payloads_of([record])).batch
    assert (batch.labels(0), batch.value.tolist()) == (Labels({"__name__": "a", "job": "api"}), [2.0])


@pytest.mark.parametrize("fields", [{"name": "value"}, {"name": ""}, {"value": "a..b"}, {"nme": "x"}])
def test_a_wrong_configuration_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, JsonConfig)


def test_a_tenth_of_garbage_leaves_the_rest_alone(payloads_of: Any) -> None:
    rng = random.Random(7)
    good = [json.dumps({"name": "m", "labels": {"i": str(i)}, "value": i / 7}).encode() for i in range(900)]
    bad = [rng.choice(REFUSED)[1] for _ in range(50)] + [rng.randbytes(40) for _ in range(50)]
    records = good + bad
    rng.shuffle(records)
    decoded = DECODER.decode(payloads_of(records))
    kept = [record for record in records if record in set(good)]
    assert len(decoded.refused) == 100
    assert decoded.batch.record.tolist() == [row for row, record in enumerate(records) if record in set(good)]
    for row, record in enumerate(kept):
        assert decoded.batch.labels(row).get("i") == json.loads(record)["labels"]["i"]
        assert struct.pack("d", decoded.batch.value[row]) == struct.pack("d", json.loads(record)["value"])


def test_target_labels_win_and_part_series(payloads_of: Any) -> None:
    record = [b'{"name":"up","value":1,"labels":{"job":"theirs"}}']
    hashes = set()
    for target in (Labels(), Labels({"job": "ours"}), Labels({"job": "ours", "instance": "a"})):
        batch = DECODER.decode(payloads_of(record, target=target)).batch
        assert batch.labels(0) == Labels({"__name__": "up", "job": "theirs"}).with_(target.map)
        hashes.add(tuple(batch.series_hash[0].tolist()))
    assert len(hashes) == 3


def test_read_labels_reads_raw_bytes() -> None:
    assert read_labels(rb"a\"b", b"") == Labels({"__name__": 'a"b'})
