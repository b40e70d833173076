"""Line protocol: how samples are named, what is read, and one row for each reason to refuse."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest

from sentinel.decode import Limits
from sentinel.decode._influx_plain import Naming, read_record
from sentinel.decode.influx import InfluxConfig, InfluxDecoder, split_points
from sentinel.decode.units import UNITS
from sentinel.errors import DecodeError
from sentinel.model import Labels

NOW_MS = 1_760_000_000_000
LIMITS = Limits(labels=3, label_name_bytes=8, label_value_bytes=16, record_bytes=300)
DECODER = InfluxDecoder(InfluxConfig(), LIMITS, 60_000)

REFUSED: list[tuple[str, bytes]] = [
    ("record_too_large", b"a v=1 " + b" " * 300),
    ("invalid_utf8", b"a v=1\n\xff v=1"),
    ("invalid_utf8", b'a s="\xed\xa0\x80"'),
    ("missing_name", b",t=v a=1"),
    ("invalid_syntax", b"a"),
    ("invalid_syntax", b"a "),
    ("invalid_syntax", b"a v"),
    ("invalid_syntax", b"a v="),
    ("invalid_syntax", b"a =1"),
    ("invalid_syntax", b"a v=1,"),
    ("invalid_syntax", b"a v=1,,w=2"),
    ("invalid_syntax", b"a, v=1"),
    ("invalid_syntax", b"a,t v=1"),
    ("invalid_syntax", b"a,t= v=1"),
    ("invalid_syntax", b"a,=v v=1"),
    ("invalid_syntax", b"a,t=v=w v=1"),
    ("invalid_syntax", b"a,t=v"),
    ("invalid_syntax", b"a,t=v\nv=1"),
    ("invalid_syntax", b"a v=one"),
    ("invalid_syntax", b"a v=1.5i"),
    ("invalid_syntax", b"a v=NaN"),
    ("invalid_syntax", b"a v=0x1"),
    ("invalid_syntax", b"a v=1_000"),
    ("invalid_syntax", b"a v=tRUE"),
    ("invalid_syntax", b'a v="open'),
    ("invalid_syntax", b'a v="x"y'),
    ("invalid_syntax", b"a v=1 1760000000000000000 2"),
    ("invalid_label", b"a,__name__=b v=1"),
    ("duplicate_label", b"a,t=1,t=2 v=1"),
    ("too_many_labels", b"a,b=1,c=1,d=1,e=1 v=1"),
    ("label_too_long", b"a,longnames=1 v=1"),
    ("label_too_long", b"a,t=" + b"x" * 17 + b" v=1"),
    ("label_too_long", b"measurement value_1=1"),
    ("value_not_finite", b"a v=1e999"),
    ("timestamp_invalid", b"a v=1 now"),
    ("timestamp_invalid", b"a v=1 1760000000.5"),
    ("timestamp_past", b"a v=1 1760000000"),
    ("timestamp_past", b"a v=1 -1"),
    ("timestamp_future", b"a v=1 1760000060001000000"),
    ("timestamp_future", b"a v=1 " + b"9" * 40),
]


@pytest.mark.parametrize(("reason", "record"), REFUSED)
def test_refusals(payloads_of: Any, reason: str, record: bytes) -> None:
    decoded = DECODER.decode(payloads_of([b"a v=1", record, b"a v=1"]))
    assert decoded.refused == [(1, reason)] and decoded.batch.record.tolist() == [0, 2]


def test_every_reason_is_tried_and_no_other() -> None:
    assert {reason for reason, _ in REFUSED} == InfluxDecoder.REASONS


READ: list[tuple[str, dict[str, str], float]] = [
    ("a v=1", {"__name__": "a_v"}, 1.0),
    ("a value=1", {"__name__": "a"}, 1.0),
    ("a v=-1.5e3", {"__name__": "a_v"}, -1500.0),
    ("a v=+.5", {"__name__": "a_v"}, 0.5),
    ("a v=1.", {"__name__": "a_v"}, 1.0),
    ("a v=007i", {"__name__": "a_v"}, 7.0),
    ("a v=-9223372036854775808i", {"__name__": "a_v"}, -(2.0**63)),
    ("a v=18446744073709551615u", {"__name__": "a_v"}, 2.0**64),
    ("a v=0.1", {"__name__": "a_v"}, 0.1),
    *[(f"a v={word}", {"__name__": "a_v"}, 1.0) for word in ("t", "T", "true", "True", "TRUE")],
    *[(f"a v={word}", {"__name__": "a_v"}, 0.0) for word in ("f", "F", "false", "False", "FALSE")],
    ('a s="text",v=1', {"__name__": "a_v"}, 1.0),
    ('a v=1,s="a b,c=d\\"e\nf"', {"__name__": "a_v"}, 1.0),
    ('a s="\\\\",v=1', {"__name__": "a_v"}, 1.0),
    (" \ta,t=x  v=1  \r", {"__name__": "a_v", "t": "x"}, 1.0),
    ("a\\,b\\ c v=1", {"__name__": "a,b c_v"}, 1.0),
    ("a=b v=1", {"__name__": "a=b_v"}, 1.0),
    ("a,k\\ \\,\\==v\\ \\,\\= v=1", {"__name__": "a_v", "k ,=": "v ,="}, 1.0),
    ("a f\\ 1\\,2\\==1", {"__name__": "a_f 1,2="}, 1.0),
    ("a,p=C:\\dir\\ x,q=\\n v=1", {"__name__": "a_v", "p": "C:\\dir x", "q": "\\n"}, 1.0),
    ("a,p=x\\\\\\ y v=1", {"__name__": "a_v", "p": "x\\\\ y"}, 1.0),
    ('a"b,t="q" v"=1', {"__name__": 'a"b_v"', "t": '"q"'}, 1.0),
    ("Zürich,ö=é ü=1", {"__name__": "Zürich_ü", "ö": "é"}, 1.0),
]


@pytest.mark.parametrize(("line", "labels", "value"), READ)
def test_lines(payloads_of: Any, line: str, labels: dict[str, str], value: float) -> None:
    batch = DECODER.decode(payloads_of([line.encode()])).batch
    assert [batch.labels(row) for row in range(len(batch))] == [Labels(labels)]
    assert (batch.value.tolist(), batch.timestamp_ms.tolist()) == ([value], [NOW_MS])


TELEGRAF = b"""\
cpu,cpu=cpu0,host=web-1 usage_system=0.9,usage_idle=98.5,usage_user=0.6 1760000000000000000
diskio,host=web-1,name=sda reads=12i,io_await=0.5 1760000000000000000
# written by hand

net,host=web-1,interface=eth0 bytes_recv=18446744073709551615u,err_in=0i
system,host=web-1 uptime_format="12 days,  3:04",n_users=2i 1760000000123456789
"""


def test_what_telegraf_writes(payloads_of: Any) -> None:
    decoded = InfluxDecoder(InfluxConfig(), Limits(), 60_000).decode(payloads_of([TELEGRAF, TELEGRAF]))
    batch = decoded.batch
    names = [batch.labels(row).get("__name__") for row in range(len(batch))]
    expected = ["cpu_usage_system", "cpu_usage_idle", "cpu_usage_user", "diskio_reads", "diskio_io_await"]
    assert names == [*expected, "net_bytes_recv", "net_err_in", "system_n_users"] * 2
    assert batch.labels(4) == Labels({"__name__": "diskio_io_await", "host": "web-1", "name": "sda"})
    assert batch.value.tolist()[:8] == [0.9, 98.5, 0.6, 12.0, 0.5, 2.0**64, 0.0, 2.0]
    assert batch.timestamp_ms.tolist()[:8] == [NOW_MS] * 7 + [NOW_MS + 123]
    assert decoded.refused == [] and batch.record.tolist() == [0] * 8 + [1] * 8


@pytest.mark.parametrize(
    ("precision", "time", "timestamp_ms"),
    [
        ("ns", "1760000000999999999", NOW_MS + 999),
        ("us", "1760000000999999", NOW_MS + 999),
        ("ms", "1760000000999", NOW_MS + 999),
        ("s", "1760000001", NOW_MS + 1000),
        ("m", "29333333", 29_333_333 * 60_000),
        ("h", "488888", 488_888 * 3_600_000),
    ],
)
def test_units(payloads_of: Any, precision: Any, time: str, timestamp_ms: int) -> None:
    decoder = InfluxDecoder(InfluxConfig(precision=precision), LIMITS, 60_000)
    assert decoder.decode(payloads_of([f"a v=1 {time}".encode()])).batch.timestamp_ms.tolist() == [
        timestamp_ms
    ]


def test_names_may_be_joined_otherwise(payloads_of: Any) -> None:
    config = InfluxConfig(separator=".", value_field="gau ge")
    batch = InfluxDecoder(config, LIMITS, 60_000).decode(payloads_of([b"a value=1,gau\\ ge=2"])).batch
    assert [batch.labels(row).get("__name__") for row in range(2)] == ["a.value", "a"]
    plain = InfluxDecoder(InfluxConfig(value_field=""), LIMITS, 60_000).decode(payloads_of([b"a value=1"]))
    assert plain.batch.labels(0).get("__name__") == "a_value"


def test_long_names_take_no_room_before_they_are_refused(payloads_of: Any) -> None:
    record = b"m" * 2000 + b" " + b",".join([b"a=1"] * 50_000)
    tracemalloc.start()
    decoded = InfluxDecoder(InfluxConfig(), Limits(), 0).decode(payloads_of([record]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decoded.refused == [(0, "record_too_large")]
    assert peak < 200 * len(record)


def test_a_long_measurement_in_many_names_is_refused(payloads_of: Any) -> None:
    line = b"m" * 1000 + b" " + b",".join(b"a=1" for _ in range(1000))
    decoded = InfluxDecoder(InfluxConfig(), Limits(), 60_000).decode(payloads_of([line]))
    assert decoded.refused == [(0, "record_too_large")]


@pytest.mark.parametrize("options", [{"precision": "d"}, {"separator": "12345"}, {"unit": "s"}])
def test_a_wrong_configuration_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, InfluxConfig)


def test_a_complaint_names_the_line() -> None:
    naming = Naming(b"_", b"value", *UNITS["ns"])
    with pytest.raises(DecodeError, match="line 3: missing fields"):
        list(read_record(b'a s="\n",v=1\nb', naming, LIMITS))


def test_a_body_is_split_at_lines_but_not_inside_strings() -> None:
    body = b'a s="1\n2",v=1\r\n\n# it\'s "quoted\nb v=2\nc s="open\nd v=3'
    split = split_points("push", "influx", body, arrival_ms=NOW_MS)
    lines = [split.record(row) for row in range(len(split))]
    assert lines == [b'a s="1\n2",v=1\r', b"# it's \"quoted", b"b v=2", b'c s="open', b"d v=3"]
    assert split.offset.tolist() == [0, 1, 2, 3, 4] and split.next_offset == 5
    survey = DECODER.survey(split)
    assert survey.reasons == {"invalid_syntax": 1} and survey.first.startswith("'c s=\"open'")
    assert survey.good is not None and survey.good.record(0) == b"\n".join(lines[:3] + lines[4:])
