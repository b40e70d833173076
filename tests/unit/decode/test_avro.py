"""Avro records: what the library writes comes back as samples, and no bytes and no schema do any harm."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.decode.avro import AvroConfig, AvroDecoder, Schemas, schema_numbers
from sentinel.decode.limits import Limits
from sentinel.model import Decoded, Payloads

NOW_MS = 1_760_000_000_000
TEXT, TIME = {"type": "map", "values": "string"}, {"type": "long", "logicalType": "timestamp-millis"}


def record(name: str = "R", /, **fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields.items()]}


SAMPLE = record(name="string", labels=TEXT, value="double", timestamp=["null", TIME])


def written(schema: Any, value: Any, number: int = 7) -> bytes:
    out = io.BytesIO(b"\0" + number.to_bytes(4, "big"))
    out.seek(0, io.SEEK_END)
    schemaless_writer(out, parse_schema(schema), value)
    return out.getvalue()


def payloads(records: list[bytes]) -> Payloads:
    ends = np.cumsum([len(each) for each in records], dtype=np.int64)
    count = len(records)
    return Payloads(
        source="test",
        partition="t/0",
        format="avro",
        buffer=np.frombuffer(b"".join(records), np.uint8),
        start=ends - np.array([len(each) for each in records], np.int64),
        end=ends,
        offset=np.arange(count),
        record_ms=np.full(count, NOW_MS),
        next_offset=count,
        arrival_ms=NOW_MS,
    )


def decoded(schema: Any, *records: bytes, limits: Limits | None = None, **config: Any) -> Decoded:
    decoder = AvroDecoder(AvroConfig(**config), limits or Limits(), 60_000)
    decoder.schemas = Schemas()
    assert decoder.schemas.add(7, [json.dumps(schema)]) == ""
    return decoder.decode(payloads(list(records)))


def samples(found: Decoded) -> list[tuple[dict[str, str], float, int]]:
    assert found.refused == []
    batch = found.batch
    return [
        (dict(batch.labels(row)), float(batch.value[row]), int(batch.timestamp_ms[row]))
        for row in range(len(batch))
    ]


def one(schema: Any, value: Any, /, **config: Any) -> tuple[dict[str, str], float, int]:
    (sample,) = samples(decoded(schema, written(schema, value), **config))
    return sample


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(deadline=None)  # the first example compiles
@given(
    names,
    st.dictionaries(names.filter(lambda name: name != "__name__"), names, max_size=5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(10**11, NOW_MS + 60_000),
)
def test_a_sample_comes_back(name: str, labels: dict[str, str], value: float, at_ms: int) -> None:
    sample = {"name": name, "labels": labels, "value": value, "timestamp": at_ms}
    found = one(SAMPLE, sample)
    assert found == ({"__name__": name, **labels}, value, at_ms)


@pytest.mark.parametrize(
    ("kind", "written_time", "config", "at_ms"),
    [
        (TIME, NOW_MS, {}, NOW_MS),
        ({"type": "long", "logicalType": "timestamp-micros"}, NOW_MS * 1000 + 999, {}, NOW_MS),
        ({"type": "long", "logicalType": "local-timestamp-nanos"}, NOW_MS * 10**6, {}, NOW_MS),
        ({"type": "long", "logicalType": "timestamp-micros"}, NOW_MS * 1000, {"timestamp_unit": "s"}, NOW_MS),
        (["null", {"type": "long", "logicalType": "timestamp-micros"}], NOW_MS * 1000, {}, NOW_MS),
        (["null", TIME], None, {}, NOW_MS),
        ("long", NOW_MS, {}, NOW_MS),
        ("int", NOW_MS // 1000, {"timestamp_unit": "s"}, NOW_MS),
        ("double", NOW_MS / 1000, {}, NOW_MS),
        ("string", "2025-10-09T08:53:20Z", {}, NOW_MS),
        ({"type": "long", "logicalType": "of-the-future"}, NOW_MS - 5, {}, NOW_MS - 5),
    ],
)
def test_times(kind: Any, written_time: Any, config: dict[str, Any], at_ms: int) -> None:
    schema = record(name="string", value="int", timestamp=kind)
    plain = json.loads(json.dumps(schema).replace("logicalType", "as"))
    found = decoded(schema, written(plain, {"name": "a", "value": 1, "timestamp": written_time}), **config)
    assert samples(found) == [({"__name__": "a"}, 1.0, at_ms)]


def test_paths_listed_labels_and_enums() -> None:
    meta = record("M", host="string", port="int", zone=["null", "string"], ok="boolean")
    kind = {"type": "enum", "name": "K", "symbols": ["cpu", "mem"]}
    schema = record(meta=meta, metric=["null", record("N", kind=kind, v="float")], at=TIME)
    value = {
        "meta": {"host": "a", "port": 80, "zone": None, "ok": True},
        "metric": {"kind": "mem", "v": 0.5},
        "at": NOW_MS,
    }
    config = {"name": "metric.kind", "value": "metric.v", "timestamp": "at"}
    listed = one(schema, value, labels=["meta.host", "meta.port", "meta.zone"], **config)
    assert listed == ({"__name__": "mem", "host": "a", "port": "80"}, 0.5, NOW_MS)
    whole = one(schema, value, labels="meta", **config)
    assert whole[0] == {"__name__": "mem", "host": "a", "port": "80", "ok": "true"}


def test_many_fields() -> None:
    fields = record("F", idle="double", cores="int", on="boolean", state="string", value="float", at=TIME)
    schema = record(name="string", fields=fields)
    value = {
        "name": "cpu",
        "fields": {"idle": 1.5, "cores": 4, "on": True, "state": "x", "value": 2, "at": NOW_MS},
    }
    found = samples(decoded(schema, written(schema, value), fields="fields"))
    assert {labels["__name__"]: number for labels, number, _ in found} == {
        "cpu_idle": 1.5,
        "cpu_cores": 4.0,
        "cpu_on": 1.0,
        "cpu": 2.0,
    }
    long = written(
        record(name="string", fields=TEXT | {"values": "boolean"}),
        {
            "name": "n" * 2000,
            "fields": {f"{n}": True for n in range(500)},
        },
    )
    found = decoded(record(name="string", fields=TEXT | {"values": "boolean"}), long, fields="fields")
    assert found.refused == [(0, "record_too_large")]


def test_decimals_and_a_union_on_top() -> None:
    price = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    schema = ["null", record(name="string", value=price)]
    body = b"\0\0\0\0\7\x02" + b"\x02a" + b"\x04\x30\x39"  # 12345
    assert samples(decoded(schema, body)) == [({"__name__": "a"}, 123.45, NOW_MS)]
    assert decoded(schema, b"\0\0\0\0\7\0").refused == [(0, "wrong_type")]
    huge = b"\0\0\0\0\7\x02\x02a\x82\x01" + b"\x7f" * 65
    assert decoded(schema, huge).refused == [(0, "value_not_finite")]


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        (record(value="int"), {"value": 1}, "missing_name"),
        (record(name="int", value="int"), {"name": 1, "value": 1}, "wrong_type"),
        (record(name="string", value="int"), {"name": "", "value": 1}, "invalid_name"),
        (record(name="string"), {"name": "a"}, "missing_value"),
        (record(name="string", value="string"), {"name": "a", "value": "1"}, "wrong_type"),
        (record(name="string", value="double"), {"name": "a", "value": float("nan")}, "value_not_finite"),
        (record(name="string", labels="string"), {"name": "a", "labels": "x"}, "wrong_type"),
        (record(name="string", labels=TEXT), {"name": "a", "labels": {"__name__": "x"}}, "invalid_label"),
        (record(name="string", labels=TEXT), {"name": "a", "labels": {"l": "é" * 6}}, "label_too_long"),
        (record(name="string", labels=TEXT), {"name": "a", "labels": dict.fromkeys("abcd", "x")}, "too_many"),
        (
            record(name="string", labels=TEXT | {"values": "float"}),
            {"name": "a", "labels": {"l": 1}},
            "wrong",
        ),
        (record(name="string", timestamp="long"), {"name": "a", "timestamp": 2**62}, "timestamp_future"),
        (record(name="string", timestamp="long"), {"name": "a", "timestamp": 17}, "timestamp_past"),
        (record(name="string", timestamp="string"), {"name": "a", "timestamp": "soon"}, "timestamp_invalid"),
        (record(name="string", timestamp="boolean"), {"name": "a", "timestamp": True}, "wrong_type"),
    ],
)
def test_bad_records_are_refused(schema: Any, value: Any, reason: str) -> None:
    limits = Limits(labels=3, label_value_bytes=10)
    ((_, found),) = decoded(schema, written(schema, value), limits=limits).refused
    assert found.startswith(reason)


@given(st.binary(max_size=200), st.data())
def test_parts_and_more_than_the_whole_are_refused(tail: bytes, data: st.DataObject) -> None:
    sample = {"name": "load", "labels": {"job": "a"}, "value": 1.0, "timestamp": NOW_MS}
    whole = written(SAMPLE, sample)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    found = decoded(SAMPLE, cut, whole + tail, whole)
    assert found.refused[0] == (0, "invalid_header" if len(cut) < 5 else "invalid_avro")
    assert found.refused[1:] == ([(1, "invalid_avro")] if tail else [])


def test_headers() -> None:
    good = written(SAMPLE, {"name": "a", "labels": {}, "value": 1, "timestamp": None}, 7)
    other = good[:1] + b"\xff\xff\xff\xfe" + good[5:]
    records = [good, b"", b"\0\0\0", b"\1" + good[1:], other]
    assert schema_numbers(payloads(records)).tolist() == [7, -1, -1, -1, 0xFFFFFFFE]
    header = "invalid_header"
    assert decoded(SAMPLE, *records).refused == [(1, header), (2, header), (3, header), (4, "unknown_schema")]


DEEP: Any = "int"
for level in range(40):
    DEEP = record(f"D{level}", d=DEEP)
WIDE: Any = ["null", record("W0", a="null")]
for level in range(14):
    WIDE.append(record(f"W{level + 1}", a=f"W{level}", b=f"W{level}"))
CHAIN = [record("C0", a="null"), *(record(f"C{n}", a=f"C{n - 1}") for n in range(1, 3000))]
LOOP = {"Y": record("Y", y=["null", "Y"])}


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([record("L", next=["null", "L"])], "L holds itself"),
        ([record("L", next={"type": "map", "values": {"type": "array", "items": "L"}})], "L holds itself"),
        ([{"type": "array", "items": "null"}], "takes no bytes"),
        ([record(a={"type": "array", "items": record("Empty")})], "takes no bytes"),
        ([DEEP], "levels"),
        ([WIDE], "types"),
        ([["null", *CHAIN]], "levels"),
        ([["null", *CHAIN], record(last="C2999")], "levels"),
        ([record(y="Y") | {"__fastavro_parsed": True, "__named_schemas": LOOP}], "UnknownType: Y"),
        (["nix"], "nix"),
        ([17], ""),
        ([None], ""),
        ([{"type": "record"}], ""),
        ([{"type": "fixed", "name": "F", "size": "x"}, record(f="F")], ""),
        ([], "no Avro schema"),
    ],
)
def test_schemas_that_could_do_harm_are_not_used(texts: list[Any], why: str) -> None:
    decoder = AvroDecoder(AvroConfig(), Limits(), 60_000)
    assert why in decoder.schemas.add(9, [json.dumps(each) for each in texts])
    refused = decoder.decode(payloads([b"\0\0\0\0\x09" + b"\x02" * 1000])).refused
    assert refused == [(0, "unsupported_schema")]


@pytest.mark.parametrize("text", ["{", "[" * 300 + "]" * 300, "[" * 100_000, '{"type":' * 300])
def test_what_is_no_schema_is_not_used(text: str) -> None:
    assert Schemas().add(1, [text])


def test_references() -> None:
    schemas = Schemas()
    inner = json.dumps(record("a.Inner", name="string", value="int"))
    outer = json.dumps({"type": "record", "name": "a.Outer", "fields": [{"name": "in", "type": "a.Inner"}]})
    assert schemas.add(3, [inner, outer]) == ""
    decoder = AvroDecoder(AvroConfig(name="in.name", value="in.value"), Limits(), 60_000)
    decoder.schemas = schemas
    assert samples(decoder.decode(payloads([b"\0\0\0\0\3\x02a\x02"]))) == [({"__name__": "a"}, 1.0, NOW_MS)]


@pytest.mark.parametrize(
    "config",
    [{"name": ""}, {"value": "a..b"}, {"labels": "name"}, {"labels": ["a.x", "b.x"]}, {"labels": ["value"]}],
)
def test_options_that_contradict_each_other(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        AvroConfig(**config)
