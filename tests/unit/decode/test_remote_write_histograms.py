"""Native histograms in remote write: integer and float counts, custom bounds, and what is no histogram."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remote_write_encoder import (
    NOW_MS,
    double,
    doubles,
    number,
    packed,
    request_v2,
    sample,
    series,
    span,
    text,
    zigzag,
)

from sentinel.decode import Limits
from sentinel.decode._remote_write_histogram_plain import read_histogram
from sentinel.decode.remote_write import RemoteWriteConfig, RemoteWriteDecoder
from sentinel.errors import DecodeError
from sentinel.model import STALE_BITS, Buckets, Decoded, Histogram, Labels, payload_of
from sentinel.store.store import Store

UP = [("__name__", "latency")]
AT = number(15, NOW_MS)
INTEGER = b"".join(
    [
        number(1, 12),
        double(3, 18.5),
        number(4, zigzag(1)),
        double(5, 0.001),
        number(6, 2),
        span(8, 3, 1),
        packed(9, [1]),
        span(11, -2, 2),
        span(11, 3, 1),
        packed(12, [4, -1, -1]),
        number(14, 2),
        AT,
    ]
)
FLOAT = b"".join(
    [
        double(2, 5.5),
        double(3, 9.0),
        double(7, 0.5),
        span(11, 0, 2),
        doubles(13, [2.0, 3.0]),
        number(14, 3),
        AT,
    ]
)
CUSTOM = b"".join(
    [
        number(1, 6),
        double(3, 7.0),
        number(4, zigzag(-53)),
        span(11, 1, 2),
        packed(12, [2, 2]),
        doubles(16, [1.0, 2.5]),
        AT,
    ]
)
NOTHING = double(3, 0.0) + AT


def histogram(**fields: object) -> Histogram:
    return Histogram(**fields)  # type: ignore[arg-type]


EXPECTED = {
    INTEGER: histogram(
        schema=1,
        zero_threshold=0.001,
        zero_count=2.0,
        count=12.0,
        sum=18.5,
        positive=Buckets(-2, np.array([4.0, 3.0, 0.0, 0.0, 0.0, 2.0])),
        negative=Buckets(3, np.array([1.0])),
        reset_hint="not_reset",
    ),
    FLOAT: histogram(
        zero_count=0.5, count=5.5, sum=9.0, positive=Buckets(0, np.array([2.0, 3.0])), reset_hint="gauge"
    ),
    CUSTOM: histogram(
        schema=-53, count=6.0, sum=7.0, positive=Buckets(1, np.array([2.0, 4.0])), custom_values=(1.0, 2.5)
    ),
    NOTHING: histogram(),
}


def decode(body: bytes) -> Decoded:
    decoder = RemoteWriteDecoder(RemoteWriteConfig(), Limits(), 60_000)
    return decoder.decode(payload_of("push", "remote_write", body, arrival_ms=NOW_MS))


def parts(one: Histogram) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@pytest.mark.parametrize("message", EXPECTED)
def test_histograms_of_both_versions(message: bytes) -> None:
    for body in (series(UP, text(4, message)), request_v2((UP, text(3, message)))):
        decoded = decode(body)
        assert decoded.refused == [] and decoded.batch.timestamp_ms.tolist() == [NOW_MS]
        (found,) = decoded.batch.histograms
        assert parts(found) == parts(EXPECTED[message])


def test_lists_may_be_written_one_number_at_a_time() -> None:
    apart = INTEGER.replace(
        packed(12, [4, -1, -1]), b"".join(number(12, zigzag(each)) for each in (4, -1, -1))
    )
    floats = FLOAT.replace(doubles(13, [2.0, 3.0]), double(13, 2.0) + double(13, 3.0))
    for message, whole in ((apart, INTEGER), (floats, FLOAT)):
        found = read_histogram(message, 100)
        assert found is not None and parts(found) == parts(EXPECTED[whole])


@pytest.mark.parametrize(
    "message",
    [
        INTEGER.replace(number(1, 12), number(1, 11)),
        INTEGER.replace(number(1, 12), number(1, 13)),
        INTEGER.replace(packed(12, [4, -1, -1]), packed(12, [4, -1, -4])),
        INTEGER.replace(packed(12, [4, -1, -1]), packed(12, [4, -1])),
        INTEGER.replace(packed(12, [4, -1, -1]), text(12, b"\x80")),
        INTEGER.replace(span(11, 3, 1), span(11, -1, 1)),
        INTEGER.replace(span(11, 3, 1), span(11, 1 << 30, 1)),
        INTEGER.replace(span(11, -2, 2), span(11, -2, (1 << 32) - 1)),
        INTEGER.replace(number(4, zigzag(1)), number(4, zigzag(9))),
        INTEGER.replace(number(4, zigzag(1)), number(4, zigzag(-5))),
        INTEGER + doubles(16, [1.0]),
        INTEGER.replace(double(3, 18.5), number(3, 1)),
        FLOAT.replace(double(2, 5.5), double(2, -1.0)),
        FLOAT.replace(double(7, 0.5), double(7, -0.5)),
        FLOAT.replace(doubles(13, [2.0, 3.0]), doubles(13, [2.0, -3.0])),
        FLOAT.replace(doubles(13, [2.0, 3.0]), text(13, b"seven")),
        CUSTOM.replace(doubles(16, [1.0, 2.5]), doubles(16, [1.0])),
        CUSTOM.replace(doubles(16, [1.0, 2.5]), doubles(16, [1.0, 1.0])),
        CUSTOM.replace(doubles(16, [1.0, 2.5]), doubles(16, [1.0, math.inf])),
        CUSTOM.replace(doubles(16, [1.0, 2.5]), doubles(16, [1.0, math.nan])),
        CUSTOM.replace(span(11, 1, 2), span(11, -1, 2)),
        CUSTOM + number(6, 1),
        CUSTOM + double(5, 0.5),
        CUSTOM + span(8, 0, 1) + packed(9, [1]),
    ],
)
def test_what_prometheus_refuses_is_refused(message: bytes) -> None:
    decoded = decode(series(UP, text(4, message)))
    assert decoded.refused == [(0, "invalid_histogram")] and len(decoded.batch) == 0


@pytest.mark.parametrize(
    ("schema", "lowest", "highest"), [(0, -1100, 1099), (8, -281_600, 281_599), (-4, -1100, 1099)]
)
def test_buckets_that_no_float_can_fall_into_are_refused(schema: int, lowest: int, highest: int) -> None:
    """A sum takes room for all that lie between two buckets: a few bytes would ask for gigabytes."""
    for side, counts in ((8, 9), (11, 12)):
        for first, good in ((lowest, True), (highest, True), (lowest - 1, False), (highest + 1, False)):
            message = number(1, 1) + number(4, zigzag(schema)) + span(side, first, 1)
            message += packed(counts, [1]) + double(3, 1.0) + AT
            assert (decode(series(UP, text(4, message))).refused == []) is good


def test_a_sum_of_nan_allows_observations_outside_of_all_buckets() -> None:
    message = INTEGER.replace(double(3, 18.5), double(3, math.nan))
    assert decode(series(UP, text(4, message.replace(number(1, 12), number(1, 15))))).refused == []
    less = decode(series(UP, text(4, message.replace(number(1, 12), number(1, 11)))))
    assert less.refused == [(0, "invalid_histogram")]


def test_a_staleness_marker_is_one_whatever_else_it_says() -> None:
    batch = decode(series(UP, text(4, double(2, -1.0) + double(3, STALE_BITS) + AT))).batch
    assert batch.value.view(np.uint64).tolist() == [STALE_BITS] and batch.histograms == ()


def test_boxes_stand_for_histograms_in_the_order_of_rows_and_the_store_takes_them() -> None:
    """A marker, floats and a bad neighbour do not shift them."""
    marker = text(4, double(3, STALE_BITS) + number(15, NOW_MS + 1))
    later = FLOAT.replace(AT, number(15, NOW_MS + 2))
    body = series(UP, text(4, INTEGER), marker, text(4, later)) + series([("__name__", "up")])
    body += series([("__name__", "custom")], text(4, CUSTOM))
    decoded = decode(body)
    assert [each.count for each in decoded.batch.histograms] == [12.0, 5.5, 6.0]
    store = Store(retention_ms=3_600_000)
    store.histograms.box([EXPECTED[NOTHING]])  # numbers of the store's are not the batch's
    assert store.ingest(decoded.batch, 1)[1][0] == 5
    for name, counts in (("latency", [12.0, 5.5]), ("custom", [6.0])):
        first, last = store.spans(np.array([store.find(Labels({"__name__": name}))]), 0, NOW_MS + 9)
        values = store.value[first[0] : last[0]]
        boxes = values[values.view(np.uint64) != STALE_BITS]
        assert [each.count for each in store.histograms.unbox(boxes)] == counts


def test_many_wide_histograms_are_refused_together() -> None:
    wide = b"".join(
        [
            *(number(1, 2), number(4, zigzag(8)), span(11, 0, 1), span(11, 65_000, 1)),
            *(packed(12, [1, 0]), double(3, 1.0), AT),
        ]
    )
    assert decode(series(UP, text(4, wide))).refused == []
    assert decode(series(UP, *[text(4, wide)] * 130)).refused == [(0, "request_too_large")]


def test_a_long_histogram_is_refused_before_it_is_read() -> None:
    long = text(9, b"\x80" * (17 << 20)) + AT
    decoder = RemoteWriteDecoder(RemoteWriteConfig(), Limits(record_bytes=1 << 30), 60_000)
    body = series(UP, text(4, long))
    decoded = decoder.decode(payload_of("push", "remote_write", body, arrival_ms=NOW_MS))
    assert decoded.refused == [(0, "request_too_large")]


def test_histograms_and_samples_may_stand_together() -> None:
    decoded = decode(series(UP, text(4, FLOAT), sample(2.0, NOW_MS + 1)))
    assert len(decoded.batch) == 2 and len(decoded.batch.histograms) == 1


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(EXPECTED)), st.data())
def test_damaged_histograms_raise_nothing_else(message: bytes, data: st.DataObject) -> None:
    body = bytearray(message)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    try:
        found = read_histogram(bytes(body), 1000)
    except DecodeError as error:
        assert error.reason in ("invalid_histogram", "invalid_protobuf")
    else:
        assert found is None or (len(found.positive) <= 1000 and len(found.negative) <= 1000)
