"""Requests of many tiny parts: they are refused before they take much more room than their text has."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest

from sentinel.decode import Limits
from sentinel.decode._otlp_cut import varint, without
from sentinel.decode.otlp import OtlpConfig, OtlpDecoder
from sentinel.errors import DecodeError
from sentinel.model import payload_of

NOW_MS = 1_760_000_000_000
MANY = 1 << 20
TIME = b"\x19" + struct.pack("<Q", NOW_MS * 1_000_000)
VALUE = b"\x21" + bytes(8)


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def metric(kind: int, point: bytes, resource: bytes = b"") -> bytes:
    """A request with one point; its temporality is cumulative where there is one."""
    data = field(kind, field(1, TIME + point) + (b"\x10\x02" if kind in (7, 9, 10) else b""))
    return field(1, field(1, resource) + field(2, field(2, field(1, b"m") + data)))


POINTS = {
    "attributes": metric(5, VALUE + b"\x3a\x00" * MANY),
    "attributes of a resource": metric(5, VALUE, b"\x0a\x00" * MANY),
    "attributes of a resource, not empty": metric(5, VALUE, field(1, field(1, b"a") + b"\x12\x00") * MANY),
    "buckets one by one": metric(9, (b"\x31" + bytes(8)) * MANY),
    "unknown fields of a histogram": metric(9, b"\x78\x00" * MANY),
    "buckets of an exponential histogram": metric(10, field(8, b"\x10\x00" * MANY)),
    "quantiles": metric(11, b"\x32\x00" * MANY),
}


def survey(body: bytes) -> dict[str, int]:
    decoder = OtlpDecoder(OtlpConfig(promote_resource_attributes=["a"]), Limits(record_bytes=1 << 26), 0)
    return decoder.survey(payload_of("s", "otlp", body, arrival_ms=NOW_MS)).reasons


@pytest.mark.parametrize("what", POINTS)
def test_messages_of_many_fields_are_not_read_to_their_end(what: str) -> None:
    tracemalloc.start()
    reasons = survey(POINTS[what])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reasons == {"too_many_fields": 1}
    assert peak < 64 << 20


def test_empty_resources_are_counted() -> None:
    with pytest.raises(DecodeError, match="request_too_large"):
        survey(b"\x0a\x00" * (MANY + 1))


def test_a_summary_has_as_many_quantiles_as_a_histogram_bounds() -> None:
    quantiles = [field(6, b"\x09" + struct.pack("<d", number)) for number in range(4097)]
    assert survey(metric(11, b"".join(quantiles[1:]))) == {}
    assert survey(metric(11, b"".join(quantiles))) == {"invalid_histogram": 1}


def test_cutting_keeps_all_else_in_few_pieces() -> None:
    request = b"\x78\x00" * MANY + field(1, b"abc")
    cuts = np.array([[0, 2], [len(request) - 5, len(request)]])
    tracemalloc.start()
    kept = without(request, cuts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept == request[2:-5]
    assert peak < 16 << 20
