"""The text is read back exactly, whatever names a cluster's people chose."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from sentinel.decode.openmetrics import OpenMetricsConfig, OpenMetricsDecoder
from sentinel.model import Labels, payload_of
from sentinel.watch.check import Gauge, installed
from sentinel.watch.exposition import LIMITS, exposition
from sentinel.watch.snapshot import Family
from tests.unit.watch.clusters import AT_MS, HEALTHY

DECODER = OpenMetricsDecoder(OpenMetricsConfig(), LIMITS, 60_000)
TARGET = Labels({"cluster": "eu"})

TEXTS = st.one_of(
    st.sampled_from(
        ["", '"', "\\", "\n", '\\"', "\\n", "a b", "#", "}", '"} 1\nup{x="', "# EOF", "\r", "ü€𝄞"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
VALUES = st.one_of(st.integers(-1, 2**53), st.floats(), st.floats().map(np.float64))


@st.composite
def families(draw: st.DrawFn) -> list[Family]:
    made = []
    for number in range(draw(st.integers(0, 3))):
        labels = ("topic", "partition", "group_id")[: draw(st.integers(0, 3))]
        values = st.tuples(*(TEXTS for _ in labels))
        rows = draw(st.dictionaries(values, VALUES, max_size=4))
        made.append(Family(f"kafka_family_{number}", draw(TEXTS), labels, list(rows.items())))
    return made


def read(body: bytes) -> list[tuple[Labels, float]]:
    decoded = DECODER.decode(payload_of("watch/eu", "openmetrics", body, arrival_ms=AT_MS, target=TARGET))
    assert decoded.refused == []
    assert set(decoded.batch.timestamp_ms.tolist()) <= {AT_MS}
    labels = decoded.batch.labels_of(np.arange(len(decoded.batch)))
    return list(zip(labels, decoded.batch.value.tolist(), strict=True))


@settings(max_examples=150, deadline=None)
@given(families())
def test_it_is_read_back_exactly(made: list[Family]) -> None:
    body = exposition(made)
    assert body.endswith(b"# EOF\n")
    wanted = [
        (Labels({"__name__": f.name, **TARGET.map, **dict(zip(f.labels, values, strict=True))}), float(value))
        for f in made
        for values, value in f.rows
    ]
    found = read(body)
    assert [labels for labels, _ in found] == [labels for labels, _ in wanted]
    for (_, value), (_, given_value) in zip(found, wanted, strict=True):
        assert value == given_value or (math.isnan(value) and math.isnan(given_value))
        assert math.copysign(1, value) == math.copysign(1, given_value) or math.isnan(value)


def test_it_is_the_standards_text() -> None:
    gauge = Gauge("kafka_lag", 'Said with "quotes", \\ and\na break.', ("topic",))
    rows = [((text,), 1.5) for text in ('a"b', "a\\b", "a\nb", "ü")]
    (family,) = text_string_to_metric_families(exposition([gauge.of(rows)]).decode())
    assert (family.name, family.type, family.documentation) == (gauge.name, "gauge", gauge.help)
    assert [(s.labels["topic"], s.value) for s in family.samples] == [(v[0], n) for v, n in rows]


def test_all_that_checks_say_is_the_standards_text() -> None:
    every = [family for check in installed() for family in check.check(HEALTHY)]
    parsed = list(text_string_to_metric_families(exposition(every).decode()))
    assert [(p.name, len(p.samples)) for p in parsed] == [(f.name, len(f.rows)) for f in every]


def test_families_without_rows_are_left_out() -> None:
    assert exposition([Gauge("kafka_lag", "x.").of([])]) == exposition([]) == b"# EOF\n"


def test_the_longest_name_that_kafka_allows_is_read() -> None:
    name = "g" * 32_767
    ((labels, value),) = read(exposition([Gauge("kafka_lag", "x.", ("group",)).of([((name,), 3)])]))
    assert (labels.get("group"), value) == (name, 3)


def test_what_is_not_utf8_does_not_make_the_rest_unreadable() -> None:
    rows = [(("bad\udc80",), 1.0), (("good",), 2.0)]
    found = read(exposition([Gauge("kafka_lag", "x.", ("group",)).of(rows)]))
    assert [labels.get("group") for labels, _ in found] == ["bad?", "good"]


@pytest.mark.parametrize("name", ["plain", 'with"quote'])
def test_it_is_written_quickly(name: str) -> None:
    """100,000 rows; the best of three, for the machine has others."""
    labels = [(f"{name}-{row % 100}", "topic", str(row)) for row in range(100_000)]
    family = Gauge("kafka_lag", "x.", ("group", "topic", "partition")).of((each, 7) for each in labels)
    taken = []
    for _ in range(3):
        began = time.process_time()
        exposition([family])
        taken.append(time.process_time() - began)
    assert min(taken) < 0.3 * (1 + ('"' in name))
