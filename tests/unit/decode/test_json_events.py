"""JSON as others write it: Telegraf's events and batches, numbers as strings, other units of time."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest

from sentinel.decode import Limits
from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.model import Labels

NOW_MS = 1_760_000_000_000
LIMITS = Limits(labels=3, label_name_bytes=8, label_value_bytes=16, record_bytes=300)
TELEGRAF = JsonConfig(labels="tags", fields="fields", timestamp_unit="s", batch="metrics")
STRINGS = JsonConfig(numbers_as_strings=True)

CPU = (
    b'{"fields":{"usage_idle":99,"usage_user":0.5,"active":true,"state":"on","gone":null},'
    b'"name":"cpu","tags":{"cpu":"cpu0","host":"web-1"},"timestamp":1760000000}'
)
UP = b'{"fields":{"value":1},"name":"up","tags":{},"timestamp":1760000001}'


def _read(payloads_of: Any, config: JsonConfig, record: bytes) -> list[tuple[Labels, float, int]]:
    decoded = JsonDecoder(config, Limits(), 60_000).decode(payloads_of([record]))
    assert decoded.refused == []
    batch = decoded.batch
    return [
        (batch.labels(row), float(batch.value[row]), int(batch.timestamp_ms[row]))
        for row in range(len(batch))
    ]


def _of(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


CPU_READ = [
    (_of("cpu_usage_idle", cpu="cpu0", host="web-1"), 99.0, NOW_MS),
    (_of("cpu_usage_user", cpu="cpu0", host="web-1"), 0.5, NOW_MS),
    (_of("cpu_active", cpu="cpu0", host="web-1"), 1.0, NOW_MS),
]
UP_READ = [(_of("up"), 1.0, NOW_MS + 1000)]


def test_an_event_of_telegraf(payloads_of: Any) -> None:
    assert _read(payloads_of, TELEGRAF, CPU) == CPU_READ


@pytest.mark.parametrize(
    "form", [b'{"metrics":[%b,%b]}', b'{ "x": 1, "metrics": [ %b , %b ], "name": null }']
)
def test_a_batch_of_telegraf(payloads_of: Any, form: bytes) -> None:
    assert _read(payloads_of, TELEGRAF, form % (CPU, UP)) == CPU_READ + UP_READ


def test_no_events_give_no_samples(payloads_of: Any) -> None:
    assert _read(payloads_of, TELEGRAF, b'{"metrics":[]}') == []
    assert _read(payloads_of, TELEGRAF, b'{"name":"a","fields":{"s":"text"}}') == []


def test_dotted_paths_and_names(payloads_of: Any) -> None:
    config = JsonConfig(name="m.name", fields="m.values", labels="m.tags", separator=":", value_field="")
    record = b'{"m":{"name":"a\\"b","values":{"value":1,"c\\n":2},"tags":{"x":"y"}}}'
    assert _read(payloads_of, config, record) == [
        (_of('a"b:value', x="y"), 1.0, NOW_MS),
        (_of('a"b:c\n', x="y"), 2.0, NOW_MS),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [('"1.5"', 1.5), ('"-2e3"', -2000.0), ("7", 7.0), ('"12345678901234567890"', 12345678901234567890.0)],
)
def test_numbers_as_strings(payloads_of: Any, text: str, value: float) -> None:
    record = f'{{"name":"a","value":{text},"timestamp":"1760000000000"}}'.encode()
    assert _read(payloads_of, STRINGS, record) == [(_of("a"), value, NOW_MS)]


@pytest.mark.parametrize(
    ("unit", "text", "timestamp_ms"),
    [
        ("s", "1760000001", NOW_MS + 1000),
        ("s", "1760000001.25", NOW_MS + 1250),
        ("ms", "1760000000001", NOW_MS + 1),
        ("us", "1760000000001999", NOW_MS + 1),
        ("ns", "1760000000001999999", NOW_MS + 1),
        ("ns", '"2025-10-09T08:53:20.5Z"', NOW_MS + 500),
        ("ns", "null", NOW_MS),
    ],
)
def test_units(payloads_of: Any, unit: Any, text: str, timestamp_ms: int) -> None:
    record = f'{{"name":"a","value":1,"timestamp":{text}}}'.encode()
    assert _read(payloads_of, JsonConfig(timestamp_unit=unit), record) == [(_of("a"), 1.0, timestamp_ms)]


@pytest.mark.parametrize(
    ("config", "record", "reason"),
    [
        (TELEGRAF, b'{"name":"a","fields":1}', "wrong_type"),
        (TELEGRAF, b'{"name":"a","fields":null}', "missing_value"),
        (TELEGRAF, b'{"name":"a","value":1}', "missing_value"),
        (TELEGRAF, b'{"fields":{"a":1}}', "missing_name"),
        (TELEGRAF, b'{"name":"a","fields":{"b":1e999}}', "value_not_finite"),
        (TELEGRAF, b'{"name":"long","fields":{"longer_than_it":1}}', "label_too_long"),
        (TELEGRAF, b'{"name":"a","fields":{},"fields":{}}', "duplicate_field"),
        (TELEGRAF, b'{"metrics":[1]}', "wrong_type"),
        (TELEGRAF, b'{"metrics":{}}', "wrong_type"),
        (TELEGRAF, b'{"metrics":[],"metrics":[]}', "duplicate_field"),
        (TELEGRAF, b'{"metrics":[{"name":"a","fields":{"b":1}},{"name":"a"}]}', "missing_value"),
        (TELEGRAF, b'{"name":"a","fields":{"b":1},"timestamp":1760000000000}', "timestamp_future"),
        (TELEGRAF, b'{"name":"a","fields":{"b":1},"timestamp":1760000}', "timestamp_past"),
        (STRINGS, b'{"name":"a","value":"text"}', "wrong_type"),
        (STRINGS, b'{"name":"a","value":" 1"}', "wrong_type"),
        (STRINGS, b'{"name":"a","value":"NaN"}', "wrong_type"),
        (STRINGS, b'{"name":"a","value":"1e999"}', "value_not_finite"),
        (STRINGS, b'{"name":"a","value":true}', "wrong_type"),
        (JsonConfig(), b'{"name":"a","value":"1"}', "wrong_type"),
    ],
)
def test_refusals(payloads_of: Any, config: JsonConfig, record: bytes, reason: str) -> None:
    assert JsonDecoder(config, LIMITS, 60_000).decode(payloads_of([record])).refused == [(0, reason)]


def test_long_names_take_no_room_before_they_are_refused(payloads_of: Any) -> None:
    record = b'{"name":"%b","fields":{%b}}' % (b"m" * 2000, b",".join([b'"a":1'] * 50_000))
    tracemalloc.start()
    decoded = JsonDecoder(JsonConfig(fields="fields"), Limits(), 0).decode(payloads_of([record]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decoded.refused == [(0, "record_too_large")]
    assert peak < 200 * len(record)


def test_a_long_name_in_many_metrics_is_refused(payloads_of: Any) -> None:
    record = b'{"name":"%b","fields":{%b}}' % (b"m" * 1000, b",".join([b'"a":1'] * 1000))
    decoded = JsonDecoder(TELEGRAF, Limits(), 60_000).decode(payloads_of([record]))
    assert decoded.refused == [(0, "record_too_large")]


@pytest.mark.parametrize(
    "options", [{"timestamp_unit": "m"}, {"fields": "name"}, {"batch": "labels"}, {"fields": "a."}]
)
def test_a_wrong_configuration_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, JsonConfig)
