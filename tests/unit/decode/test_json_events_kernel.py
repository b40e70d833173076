"""The scan of JSON events against its plain twin, and what it leaves to it."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sentinel.decode import Limits
from sentinel.decode._json_events import JsonEvents
from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.decode.rows import Scanned
from sentinel.model import Decoded

MODEST = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LIMITS = Limits(labels=4, label_name_bytes=8, label_value_bytes=30, record_bytes=2000)


class PlainEvents(JsonEvents):
    def _scan(self, payloads: Any, times: Any) -> Scanned:
        """Leaves every record to the plain reader."""
        return Scanned.nothing(payloads)


CONFIGS = st.sampled_from(
    [
        {"fields": "fields", "labels": "tags", "timestamp_unit": "s", "batch": "metrics"},
        {"fields": "fields", "separator": '"', "value_field": "é", "numbers_as_strings": True},
        {"numbers_as_strings": True, "timestamp_unit": "ms"},
        {"numbers_as_strings": True, "batch": "metrics"},
        {"timestamp_unit": "us", "labels": "tags"},
        {"fields": "fields", "timestamp_unit": "ns", "value_field": ""},
    ]
).map(lambda options: JsonConfig(**options))  # type: ignore[arg-type]
VALUES = st.sampled_from(
    [
        *[
            "1",
            "-2.5e3",
            "0.1",
            "true",
            "false",
            "null",
            '"3"',
            '"-4.5"',
            '"text"',
            '"1 "',
            '"\\u0031"',
            '"NaN"',
        ],
        *[
            "1e999",
            '"1e999"',
            "12345678901234567890",
            "{}",
            '{"a":[1]}',
            "[1,{}]",
            "01",
            '"',
            "nul",
            '"é"',
            "[1,]",
        ],
    ]
)
NAMES = st.sampled_from(["cpu", "m" * 15, "é", "a\\n", "usage", "value", "x" * 31, "", "val\\u0075e"])
TIMES = st.sampled_from(
    [
        *["1760000000", "1760000000000", "1760000000000000", "1760000000000000000", "null", "1760000000.5"],
        *['"1760000000"', '"1760000000000"', '"2025-10-09T08:53:20Z"', "-1", "1e18", '"x"', "9" * 30, "true"],
    ]
)
BLANK = st.sampled_from(["", "", "", " ", "\n"])


@st.composite
def objects(draw: Any, names: Any, values: Any, most: int = 4) -> str:
    pairs = draw(st.lists(st.tuples(names, values, BLANK), max_size=most))
    return (
        "{" + ",".join(f'{blank}"{name}"{blank}:{blank}{value}{blank}' for name, value, blank in pairs) + "}"
    )


@st.composite
def events(draw: Any) -> str:
    labels = draw(
        objects(st.sampled_from(["a", "b", "job", "__name__"]), NAMES.map(lambda name: f'"{name}"'), 3)
    )
    members = {
        "fields": draw(st.one_of(objects(NAMES, VALUES), objects(NAMES, VALUES), VALUES)),
        "value": draw(VALUES),
        "name": f'"{draw(NAMES)}"',
        "tags": labels,
        "labels": draw(st.sampled_from([labels, "null"])),
        "timestamp": draw(TIMES),
        "other": draw(st.one_of(VALUES, st.integers(25, 33).map(lambda deep: "[" * deep + "]" * deep))),
    }
    order = draw(st.permutations(list(members))) + draw(st.sampled_from([[], [], [], ["fields"], ["name"]]))
    return (
        "{"
        + ",".join(f'"{name}":{draw(BLANK)}{members[name]}' for name in order[draw(st.integers(0, 2)) :])
        + "}"
    )


@st.composite
def records(draw: Any) -> bytes:
    good = st.sampled_from(
        [
            '{"fields":{"a":1,"value":2.5,"s":"x"},"name":"cpu","tags":{"host":"a"},"timestamp":1760000000}',
            '{"name":"up","value":"1","labels":{"job":"a"}}',
        ]
    )
    if draw(st.booleans()):
        text = draw(st.one_of(good, events(), events()))
    else:
        inner = draw(st.lists(st.one_of(good, good, events(), st.just("1")), max_size=3))
        group = draw(st.sampled_from(["[" + " , ".join(inner) + "]"] * 4 + ["null", "{}"]))
        text = draw(st.sampled_from(['{{"metrics":{}}}', '{{"name":"x","metrics": {} ,"value":1}}'])).format(
            group
        )
    record = bytearray(text.encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1]))):
        at = draw(st.integers(0, len(record)))
        record[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(record)


def _rows(decoded: Decoded) -> list[Any]:
    batch = decoded.batch
    return [
        (
            int(batch.record[row]),
            int(batch.timestamp_ms[row]),
            struct.pack("d", batch.value[row]),
            batch.labels(row),
        )
        for row in range(len(batch))
    ]


@given(st.lists(records(), max_size=5), CONFIGS)
@example([b'{"fields":{},"name":"cpu","timestamp":"x"}'], JsonConfig(fields="fields"))
@MODEST
def test_the_scan_equals_the_plain_reader(payloads_of: Any, found: list[bytes], config: JsonConfig) -> None:
    payloads = payloads_of(found)
    scanned = JsonDecoder(config, LIMITS, 60_000).decode(payloads)
    plain = PlainEvents(config.shape, LIMITS, 60_000).decode(payloads)
    assert (_rows(scanned), scanned.refused) == (_rows(plain), plain.refused)


USUAL = [
    b'{"fields":{"idle":99.5,"host":"x","ok":true,"none":null},"name":"cpu","tags":{"a":"b"},"timestamp":1760000000}',
    b'{"metrics":[{"name":"disk","fields":{"free":1e3,"used":"7"}},{"timestamp":1760000000,"fields":{},"name":"x"}]}',
]


def test_usual_records_need_no_twin(payloads_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.decode._json_events.read_samples", None)
    config = JsonConfig(
        fields="fields", labels="tags", timestamp_unit="s", batch="metrics", numbers_as_strings=True
    )
    batch = JsonDecoder(config, Limits(), 60_000).decode(payloads_of(USUAL)).batch
    assert batch.value.tolist() == [99.5, 1.0, 1000.0, 7.0] and batch.record.tolist() == [0, 0, 1, 1]


def test_room_for_names_grows_while_reading(payloads_of: Any) -> None:
    record = json.dumps({"name": "m" * 30, "fields": {f"f{n}": n for n in range(300)}}).encode()
    batch = (
        JsonDecoder(JsonConfig(fields="fields"), Limits(), 60_000).decode(payloads_of([record] * 20)).batch
    )
    assert batch.value.tolist() == list(map(float, range(300))) * 20
    assert batch.labels(5999).get("__name__") == "m" * 30 + "_f299"
