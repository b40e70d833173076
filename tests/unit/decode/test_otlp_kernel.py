"""The kernels read of OpenTelemetry's requests what the plain reader reads, whatever the bytes are."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st
from remote_write_encoder import NOW_MS, double, number, text

from sentinel.decode import Limits
from sentinel.decode._otlp_attributes import read_attributes
from sentinel.decode._otlp_histograms import Several, read_explicit, read_exponential, read_summary
from sentinel.decode._otlp_labels import NONE, OF_BUCKET, OF_COUNT, Metric, Translator
from sentinel.decode._otlp_plain import (
    ATTRIBUTES,
    CUMULATIVE,
    DELTA,
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    NUMBERS,
    SUMMARY,
    PlainPoint,
    read_points,
)
from sentinel.decode.otlp import OtlpConfig, OtlpDecoder
from sentinel.errors import DecodeError
from sentinel.model import STALE_BITS, Labels, payload_of
from sentinel.model.histogram import boxed

LIMITS = Limits(labels=4, label_name_bytes=150, label_value_bytes=140, record_bytes=1 << 20)
CONFIG = OtlpConfig(promote_resource_attributes=["host.name"], promote_scope_metadata=True, delta="reject")
MODEST = settings(max_examples=200, deadline=None)
LATEST_MS = NOW_MS + 60_000
READERS = {HISTOGRAM: read_explicit, SUMMARY: read_summary, EXPONENTIAL: read_exponential}
SUFFIXES = {HISTOGRAM: OF_BUCKET, SUMMARY: OF_COUNT}

keys = st.one_of(
    st.sampled_from(["a", "b.c", "b_c", "job", "__name__", "_", "9", "", "é", "service.name", "host.name"]),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.integers(100, 160).map(lambda length: "k" * length),
)
strings = st.one_of(st.sampled_from(["x", "", "é"]), st.binary(max_size=4), st.text("v", max_size=150))
any_values = st.recursive(
    st.one_of(
        strings.map(lambda each: text(1, each)),
        st.booleans().map(lambda each: number(2, each)),
        st.integers(-9, 9).map(lambda each: number(3, each)),
        st.floats().map(lambda each: double(4, each)),
        st.just(b""),
        st.binary(max_size=3).map(lambda each: text(7, each)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda found: text(5, b"".join(text(1, each) for each in found))),
        inner.map(lambda each: text(6, text(1, text(1, "k") + text(2, each)))),
    ),
    max_leaves=3,
)


def attributes(field: int, most: int = 3) -> Any:
    pair = st.tuples(keys, any_values).map(lambda each: text(field, text(1, each[0]) + text(2, each[1])))
    return st.lists(pair, max_size=most).map(b"".join)


times_ms = st.one_of(st.sampled_from([NOW_MS, LATEST_MS + 1, 9]), st.integers(NOW_MS - 400_000, NOW_MS))
times = times_ms.map(lambda at: double(3, at * 1_000_000 + 7) + double(2, (at - 9) * 1_000_000))
bits = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0x7FF0 << 48, 0x7FF8 << 48), st.just(STALE_BITS))
rest = st.one_of(st.just(b""), st.builds(number, st.just(8), st.integers(0, 3)), st.just(number(99, 1)))
numbers = st.one_of(
    bits.map(lambda each: double(4, each)), st.integers(0, 99).map(lambda v: double(6, v)), st.just(b"")
)
BUCKETS = text(6, struct.pack("<3Q", 1, 2, 3)) + text(7, struct.pack("<2d", 1e-9, 0.5))
DESCENDING = text(6, struct.pack("<3Q", 1, 2, 3)) + text(7, struct.pack("<2d", 0.5, 1e-9))
bodies = {
    GAUGE: st.tuples(times, numbers, attributes(7, 6), rest),
    7: st.tuples(times, numbers, attributes(7), rest),
    HISTOGRAM: st.tuples(
        attributes(9, 2),
        times,
        st.sampled_from([double(4, 6) + BUCKETS, double(4, 6) + DESCENDING, double(5, 1.5)]),
    ),
    EXPONENTIAL: st.tuples(
        attributes(1, 2), times, st.sampled_from([double(4, 2) + text(8, text(2, b"\1\1")), double(4, 3)])
    ),
    SUMMARY: st.tuples(attributes(7, 2), times, st.just(text(6, double(1, 0.5) + double(2, 3.0))), rest),
}


@st.composite
def metrics(draw: Any) -> bytes:
    kind = draw(st.sampled_from([GAUGE, GAUGE, 7, HISTOGRAM, EXPONENTIAL, SUMMARY]))
    points = draw(st.lists(bodies[kind].map(b"".join), max_size=3))
    data = b"".join(text(1, each) for each in points)
    if kind not in (GAUGE, SUMMARY):
        data += number(2, draw(st.sampled_from([CUMULATIVE, CUMULATIVE, CUMULATIVE, DELTA, 0]))) + number(
            3, 1
        )
    name = draw(st.one_of(st.sampled_from(["up", "é", "", "_", "m" * 99]), st.text(max_size=3)))
    return text(1, name) + text(3, draw(st.sampled_from(["", "1", "By/s", "é"]))) + text(kind, data)


@st.composite
def requests(draw: Any) -> bytes:
    """A request, perhaps damaged."""
    body = bytearray()
    for _ in range(draw(st.integers(0, 2))):
        scope = text(1, text(1, draw(st.sampled_from(["", "s"]))) + draw(attributes(3, 1)))
        scope += b"".join(text(2, each) for each in draw(st.lists(metrics(), max_size=3)))
        body += text(1, draw(attributes(1).map(lambda each: text(1, each))) + text(2, scope))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["cut", "flip", "put", "drop"])):
            case "cut":
                del body[at:]
            case "flip" if at < len(body):
                body[at] ^= 1 << draw(st.integers(0, 7))
            case "put":
                body[at:at] = draw(st.binary(max_size=9))
            case _:
                del body[at : at + draw(st.integers(1, 9))]
    return bytes(body)


def judged(point: PlainPoint, translator: Translator) -> tuple[str, list[tuple[Labels, int, int]]]:
    """What is wrong with a point, or its samples; the bits of a native histogram are 0."""
    one = point.metric
    metric = Metric(one.name, one.unit, one.kind, one.monotonic)
    if one.kind not in (GAUGE, SUMMARY) and one.temporality != CUMULATIVE:
        return "delta_temporality" if one.temporality == DELTA else "invalid_temporality", []
    resource, scope = translator.resource(one.resource_body), translator.scope(one.scope_body, one.scope_url)
    try:
        longest = metric._replace(suffix=SUFFIXES.get(one.kind, NONE))
        translator.judged({"__name__": translator.name(longest)})
        if resource.reason or scope.reason:
            return resource.reason or scope.reason, []
        content: Any = None if one.kind in NUMBERS else READERS[one.kind](point.body)
        series, values = [metric], [point.bits if content is None or point.no_value else 0]
        if isinstance(content, Several):
            series = [metric._replace(suffix=s, bound=b) for s, b in zip(*content[:2], strict=True)]
            values = [STALE_BITS if point.no_value else v for v in content.values.view(np.uint64).tolist()]
        pairs = read_attributes(point.body, ATTRIBUTES[one.kind])
        sets = [translator.judged(translator.labels(resource, scope, each, pairs)) for each in series]
    except DecodeError as error:
        return error.reason, []
    if point.verdict:
        return point.verdict, []
    return "", [(Labels(each), point.at_ms, value) for each, value in zip(sets, values, strict=True)]


def by_twin(body: bytes) -> Any:
    """A reason for all of it, or by point its span, its verdict and its samples."""
    translator = Translator(CONFIG, LIMITS)
    try:
        found = [(point.span, *judged(point, translator)) for point in read_points(body, LATEST_MS)]
    except DecodeError as error:
        return error.reason
    return "invalid_protobuf" if "invalid_protobuf" in {each[1] for each in found} else found


def by_kernel(body: bytes) -> Any:
    """What the decoder says: a reason, or (good points, bad ones by reason, samples less `target_info`)."""
    decoder = OtlpDecoder(CONFIG, LIMITS, 60_000)
    payloads = payload_of("t", "otlp", body, arrival_ms=NOW_MS)
    try:
        survey = decoder.survey(payloads)
    except DecodeError as error:
        assert decoder.decode(payloads).refused == [(0, error.reason)]
        return error.reason
    if survey.good is None:
        return 0, survey.reasons, []
    decoded = decoder.decode(survey.good)
    assert decoded.refused == []
    return survey.points, survey.reasons, samples(decoded.batch)


def samples(batch: Any) -> list[tuple[Labels, int, int]]:
    values = np.where(boxed(batch.value), 0.0, batch.value).view(np.uint64).tolist()
    rows = zip(batch.labels_of(np.arange(len(batch))), batch.timestamp_ms.tolist(), values, strict=True)
    return sorted(row for row in rows if row[0].name != "target_info")


def compare(body: bytes) -> None:
    expected, found = by_twin(body), by_kernel(body)
    if isinstance(expected, str):
        assert found == expected
        return
    reasons: dict[str, int] = {}
    for _, verdict, _ in expected:
        if verdict:
            reasons[verdict] = reasons.get(verdict, 0) + 1
    good = [each for each in expected if not each[1]]
    assert found == (len(good), reasons, sorted(row for each in good for row in each[2]))


@MODEST
@given(requests())
def test_kernels_and_twin_agree(body: bytes) -> None:
    compare(body)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
@example(text(1, text(1, b"") + text(1, b"")))
@example(text(1, text(2, text(2, text(5, b"") + text(7, b"")))))
@example(text(1, number(1, 1)))
@example(text(1, text(2, text(2, text(5, text(1, b"\x3a\x05"))))))
@example(text(1, text(2, text(2, text(1, "a") + text(5, text(1, text(7, text(1, "a"))))))))
def test_kernels_and_twin_agree_on_garbage(body: bytes) -> None:
    compare(body)


def test_the_generator_makes_good_and_bad_requests() -> None:
    """Else the comparison above would compare nothing."""
    said: set[str] = set()
    wanted = """invalid_protobuf invalid_temporality delta_temporality missing_name invalid_label
    too_many_labels label_too_long invalid_utf8 missing_value timestamp_past timestamp_future
    invalid_histogram"""

    @settings(max_examples=300, deadline=None, database=None)
    @given(requests())
    def look(body: bytes) -> None:
        found = by_twin(body)
        said.update([found] if isinstance(found, str) else [each[1] for each in found])

    for draw in range(20):  # what one draw of three hundred holds is a matter of luck
        seed(draw)(look)()
        if said >= {"", *wanted.split()}:
            break
    assert said >= {"", *wanted.split()}


def test_a_series_has_one_hash_whatever_stands_around_it() -> None:
    """In another request, at another place, beside other points."""
    point = text(
        1, double(3, NOW_MS * 1_000_000) + double(4, 1.0) + text(7, text(1, "a") + text(2, text(1, "b")))
    )
    other = text(2, text(1, "other") + text(GAUGE, point))
    metric = text(2, text(1, "up") + text(2, "described") + text(GAUGE, point))
    alone, among = (text(1, text(2, each)) for each in (metric, other + metric + other))
    hashes = []
    for body in (alone, among):
        batch = OtlpDecoder(CONFIG, LIMITS, 0).decode(payload_of("t", "otlp", body, arrival_ms=NOW_MS)).batch
        rows = [row for row in range(len(batch)) if batch.labels(row).name == "up"]
        hashes.append(batch.series_hash[rows].tolist())
    assert hashes[0] == hashes[1] and len(hashes[0]) == 1
