"""Expositions: the official client's parsers as oracle, target labels, and one row for each reason."""

from __future__ import annotations

import math
from typing import Any

import prometheus_client
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import parser as text_parser
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics import parser as openmetrics_parser

from sentinel.decode import Limits
from sentinel.decode._openmetrics_plain import read_exposition
from sentinel.decode.openmetrics import OpenMetricsConfig, OpenMetricsDecoder
from sentinel.decode.timestamps import EARLIEST_MS
from sentinel.errors import DecodeError
from sentinel.model import Labels

NOW_MS = 1_760_000_000_000
LIMITS = Limits(labels=3, label_name_bytes=8, label_value_bytes=16, record_bytes=300)
DECODER = OpenMetricsDecoder(OpenMetricsConfig(), LIMITS, 60_000)
ROOMY = OpenMetricsDecoder(OpenMetricsConfig(), Limits(), 60_000)

REFUSED: list[tuple[str, bytes]] = [
    ("record_too_large", b"up 1\n" + b"#" * 300),
    ("invalid_utf8", b'up{a="\xff"} 1\n'),
    ("invalid_utf8", b"up 1\n# HELP \xff\n"),
    ("invalid_syntax", b"up\n"),
    ("invalid_syntax", b"up 1 2 3\n"),
    ("invalid_syntax", b"up 1\r\n"),
    ("invalid_syntax", b"9up 1\n"),
    ("invalid_syntax", b"up one\n"),
    ("invalid_syntax", b"up 1_0\n"),
    ("invalid_syntax", b"up 0x10\n"),
    ("invalid_syntax", b'up{a="b} 1\n'),
    ("invalid_syntax", b'up{a="b"\n} 1\n'),
    ("invalid_syntax", b'up{a="b\n"} 1\n'),
    ("invalid_syntax", b'up{a="b" c="d"} 1\n'),
    ("invalid_syntax", b'up{a="b",,} 1\n'),
    ("invalid_syntax", b"up{a=b} 1\n"),
    ("invalid_syntax", b"up{a} 1\n"),
    ("invalid_syntax", b'up{"down"} 1\n'),
    ("invalid_syntax", b'up 1 # {id="1"} 2\n'),
    ("invalid_syntax", b"up 1\n# EOF\nup 2\n# EOF\n"),
    ("missing_name", b'{a="b"} 1\n'),
    ("missing_name", b'{"",a="b"} 1\n'),
    ("invalid_label", b'up{__name__="b"} 1\n'),
    ("invalid_label", b'up{""="b"} 1\n'),
    ("duplicate_label", b'up{a="b",a="b"} 1\n'),
    ("duplicate_label", b'up{a="b","a"="c"} 1\n'),
    ("too_many_labels", b'up{a="",b="",c="",d=""} 1\n'),
    ("label_too_long", b'up{a="' + b"a" * 17 + b'"} 1\n'),
    ("label_too_long", b'up{aaaaaaaaa="a"} 1\n'),
    ("label_too_long", b"aaaaaaaaaaaaaaaaa 1\n"),
    ("value_not_finite", b"up 1e999\n"),
    ("timestamp_invalid", b"up 1 1760000000.5\n"),
    ("timestamp_invalid", b"up 1 now\n# EOF\n"),
    ("timestamp_invalid", b"up 1 1e999\n# EOF\n"),
    ("timestamp_past", b"up 1 -1\n"),
    ("timestamp_past", b"up 1 1760000000\n"),
    ("timestamp_past", b"up 1 99999999.999\n# EOF\n"),
    ("timestamp_future", b"up 1 1760000060001\n"),
    ("timestamp_future", b"up 1 1760000060.001\n# EOF\n"),
]


@pytest.mark.parametrize(("reason", "record"), REFUSED)
def test_a_bad_exposition_is_refused_whole(payloads_of: Any, reason: str, record: bytes) -> None:
    decoded = DECODER.decode(payloads_of([b"a 1\n", b"b 2\n" + record, b"c 3\n"]))
    assert decoded.refused == [(1, reason)]
    assert (decoded.batch.value.tolist(), decoded.batch.record.tolist()) == ([1.0, 3.0], [0, 2])


def test_every_reason_has_a_row() -> None:
    assert {reason for reason, _ in REFUSED} == OpenMetricsDecoder.REASONS


def test_the_plain_reader_names_the_line() -> None:
    with pytest.raises(DecodeError, match="line 3: bad value"):
        list(read_exposition(b"# a comment\nup 1\nup one\n", LIMITS))


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("up 1", {"__name__": "up"}, 1.0),
        ("up{} 1", {"__name__": "up"}, 1.0),
        ('\tup { a = "b" , } +Inf', {"__name__": "up", "a": "b"}, math.inf),
        ('a:b{le="+Inf"}-1e-3', {"__name__": "a:b", "le": "+Inf"}, -1e-3),
        (r'up{a="\\ \" \n \t"} .5', {"__name__": "up", "a": '\\ " \n \\t'}, 0.5),
        ('up{a="",b="{,}#"} -inf', {"__name__": "up", "b": "{,}#"}, -math.inf),
        ('{"a.b",x="y"} 007', {"__name__": "a.b", "x": "y"}, 7.0),
        ('{"x y"="1","é"} 5.', {"__name__": "é", "x y": "1"}, 5.0),
        ('up{"x.y"="1"} 1', {"__name__": "up", "x.y": "1"}, 1.0),
    ],
)
def test_lines(payloads_of: Any, line: str, labels: dict[str, str], value: float) -> None:
    batch = DECODER.decode(payloads_of([line.encode()])).batch
    assert (batch.labels(0), batch.value.tolist()) == (Labels(labels), [value])
    assert batch.timestamp_ms.tolist() == [NOW_MS]


def test_nan_is_a_sample_and_one_nan(payloads_of: Any) -> None:
    batch = DECODER.decode(payloads_of([b"a NaN\n", b"a -nan\n"])).batch
    assert batch.value.view("int64").tolist() == [0x7FF8000000000000] * 2


def test_milliseconds_or_seconds_by_the_end(payloads_of: Any) -> None:
    texts = [b"a 1 1760000000001\n", b'a 1 1760000000.001 # {id="1"} 0.5 1\n# EOF', b"# EOF\n", b""]
    decoded = DECODER.decode(payloads_of(texts))
    assert decoded.batch.timestamp_ms.tolist() == [NOW_MS + 1] * 2
    assert decoded.refused == []


@pytest.mark.parametrize(
    ("target", "scraped", "expected"),
    [
        ({"job": "t"}, 'a="1"', {"job": "t", "a": "1"}),
        ({"job": "t"}, 'job="s"', {"job": "t", "exported_job": "s"}),
        ({"job": "t"}, 'job=""', {"job": "t"}),
        (
            {"job": "t"},
            'job="s",exported_job="x"',
            {"job": "t", "exported_job": "x", "exported_exported_job": "s"},
        ),
        (
            {"a": "t", "exported_a": "u"},
            'a="1",exported_a="2"',
            {"a": "t", "exported_a": "u", "exported_exported_a": "1", "exported_exported_exported_a": "2"},
        ),
    ],
)
def test_target_labels_win(
    payloads_of: Any, target: dict[str, str], scraped: str, expected: dict[str, str]
) -> None:
    payloads = payloads_of([f"up{{{scraped}}} 1\n".encode()], target=Labels(target))
    assert ROOMY.decode(payloads).batch.labels(0) == Labels({"__name__": "up", **expected})


Sample = tuple[Labels, float, int]

TEXT_FAMILIES: Any = text_parser.text_string_to_metric_families
OPENMETRICS_FAMILIES: Any = openmetrics_parser.text_string_to_metric_families
OPENMETRICS_LATEST: Any = openmetrics_exposition.generate_latest


def _ours(payloads_of: Any, text: str) -> list[Sample]:
    decoded = ROOMY.decode(payloads_of([text.encode()]))
    assert decoded.refused == []
    batch = decoded.batch
    rows = zip(batch.value.tolist(), batch.timestamp_ms.tolist(), strict=True)
    return [(batch.labels(row), *rest) for row, rest in enumerate(rows)]


def _theirs(families: Any) -> list[Sample]:
    return [
        (
            Labels({"__name__": sample.name, **sample.labels}),
            sample.value,
            NOW_MS if sample.timestamp is None else round(float(sample.timestamp) * 1000),
        )
        for family in families
        for sample in family.samples
    ]


def _alike(ours: list[Sample], theirs: list[Sample]) -> bool:
    return repr(sorted(ours, key=repr)) == repr(sorted(theirs, key=repr))  # NaN prints alike


_LABEL_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=6)
_LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,4}", fullmatch=True), _LABEL_VALUES, max_size=4
)
_SERIES = st.lists(
    st.tuples(_LABELS, st.floats(), st.one_of(st.none(), st.integers(EARLIEST_MS, NOW_MS))),
    min_size=1,
    max_size=3,
)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _text(series: list[tuple[dict[str, str], float, int | None]], *, seconds: bool) -> str:
    lines = []
    for number, (labels, value, time) in enumerate(series):
        inner = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        written = {math.inf: "+Inf", -math.inf: "-Inf"}.get(
            value, "NaN" if math.isnan(value) else repr(value)
        )
        stamp = "" if time is None else f" {time / 1000!r}" if seconds else f" {time}"
        lines.append(f"metric{number}{{{inner}}} {written}{stamp}\n")
    return "".join(lines) + ("# EOF\n" if seconds else "")


@given(_SERIES)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_agrees_with_the_official_parsers(payloads_of: Any, series: list[Any]) -> None:
    text = _text(series, seconds=False)
    assert _alike(_ours(payloads_of, text), _theirs(TEXT_FAMILIES(text)))
    text = _text(series, seconds=True)
    assert _alike(_ours(payloads_of, text), _theirs(OPENMETRICS_FAMILIES(text)))


def test_reads_what_the_official_client_writes(payloads_of: Any) -> None:
    registry = prometheus_client.CollectorRegistry()
    requests = prometheus_client.Counter("requests", "Help \\ with\nescapes", ["path"], registry=registry)
    requests.labels('C:\\dir "x"\n').inc(3, exemplar={"trace": "7"})
    latency = prometheus_client.Histogram("latency_seconds", "Latency.", registry=registry)
    latency.observe(0.3, exemplar={"trace": "8"})
    prometheus_client.Gauge("größe.x", "A quoted name.", registry=registry).set(-math.inf)
    text = OPENMETRICS_LATEST(registry).decode()
    families = OPENMETRICS_FAMILIES(text)
    assert _alike(_ours(payloads_of, text), _theirs(families))
    text = generate_latest(registry).decode()
    assert _alike(_ours(payloads_of, text), _theirs(TEXT_FAMILIES(text)))
