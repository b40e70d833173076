"""OpenTelemetry's names, attributes and data points as Prometheus 3 has them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from msgspec.structs import astuple

from sentinel.decode import Limits
from sentinel.decode._otlp_attributes import as_text, plain_float
from sentinel.decode._otlp_names import Kind, label_name, metric_name
from sentinel.decode.otlp import OtlpConfig, OtlpDecoder, to_protobuf
from sentinel.decode.otlp_config import Strategy
from sentinel.model import STALE_BITS, Buckets, Histogram, SampleBatch, payload_of

NOW_MS = 1_760_000_000_000
AT = {"timeUnixNano": str(NOW_MS * 1_000_000)}
FULL: Strategy = "UnderscoreEscapingWithSuffixes"
SHORT: Strategy = "UnderscoreEscapingWithoutSuffixes"
UTF8: Strategy = "NoUTF8EscapingWithSuffixes"
RAW: Strategy = "NoTranslation"


@pytest.mark.parametrize(
    ("name", "unit", "kind", "strategy", "found"),
    [
        ("requests", "", "counter", FULL, "requests_total"),
        ("requests_total", "", "counter", FULL, "requests_total"),
        ("total.requests", "", "counter", FULL, "requests_total"),
        ("cpu.usage", "1", "gauge", FULL, "cpu_usage_ratio"),
        ("cpu_usage_ratio", "1", "gauge", FULL, "cpu_usage_ratio"),
        ("items", "1", "counter", FULL, "items_total"),
        ("response.time", "ms", "gauge", FULL, "response_time_milliseconds"),
        ("response_time_seconds", "s", "gauge", FULL, "response_time_seconds"),
        ("throughput", "By/s", "gauge", FULL, "throughput_bytes_per_second"),
        ("requests", "1/s", "gauge", FULL, "requests_per_second"),
        ("custom", "{request}", "gauge", FULL, "custom"),
        ("custom", "By/{op}", "gauge", FULL, "custom_bytes"),
        ("custom", "custom_unit", "gauge", FULL, "custom_custom_unit"),
        ("disk", "%", "gauge", FULL, "disk_percent"),
        ("1xx", "", "other", FULL, "_1xx"),
        ("a  b@@c", "", "other", FULL, "a_b_c"),
        ("job:rule", "", "other", FULL, "job:rule"),
        ("_lead__in", "", "other", FULL, "lead_in"),
        ("@#", "", "gauge", FULL, ""),
        ("metric@with#signs", "s", "counter", SHORT, "metric_with_signs"),
        ("123metric", "", "gauge", SHORT, "_123metric"),
        ("__a__b", "", "gauge", SHORT, "__a__b"),
        ("@_#_$_%", "", "gauge", SHORT, ""),
        ("__", "", "gauge", SHORT, "__"),
        ("http.größe", "By", "gauge", UTF8, "http.größe_bytes"),
        ("cpu_seconds_total", "s", "counter", UTF8, "cpu_seconds_total"),
        ("requests_total", "", "counter", UTF8, "requests_total"),
        ("rate", "By/s", "counter", UTF8, "rate_bytes_per_second_total"),
        ("usage.ratio", "1", "gauge", UTF8, "usage_ratio"),
        ("http.größe", "By", "counter", RAW, "http.größe"),
    ],
)
def test_metric_names(name: str, unit: str, kind: Kind, strategy: Strategy, found: str) -> None:
    assert metric_name(name, unit, kind, strategy) == found


@pytest.mark.parametrize(
    ("key", "strategy", "found"),
    [
        ("http.method", FULL, "http_method"),
        ("größe", SHORT, "gr__e"),
        ("1st", FULL, "key_1st"),
        ("_private", FULL, "key_private"),
        ("__meta", FULL, "__meta"),
        ("a..b", FULL, "a__b"),
        ("a:b", FULL, "a_b"),
        ("...", FULL, ""),
        ("", FULL, ""),
        ("http.method", UTF8, "http.method"),
        ("_", RAW, "_"),
        ("__", UTF8, "__"),
        ("", RAW, ""),
    ],
)
def test_label_names(key: str, strategy: Strategy, found: str) -> None:
    assert label_name(key, strategy) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, ""),
        (True, "true"),
        (-3, "-3"),
        (0.25, "0.25"),
        (3.0, "3"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-7"),
        (math.inf, "+Inf"),
        ({"b": [1, None, "<"], "a": True}, '{"a":true,"b":[1,null,"\\u003c"]}'),
    ],
)
def test_values_as_text(value: Any, found: str) -> None:
    assert as_text(value) == found


def test_bounds_have_no_exponent() -> None:
    found = [plain_float(each) for each in (1e-9, 0.1, 1.0, 1e22, -2.5, math.inf)]
    assert found == ["0.000000001", "0.1", "1", "10000000000000000000000", "-2.5", "+Inf"]


def attributes(**values: str) -> list[Any]:
    """Two underscores stand for a dot."""
    return [{"key": k.replace("__", "."), "value": {"stringValue": v}} for k, v in values.items()]


def request(metrics: Sequence[Any], resource: Any = (), scope: Any = None) -> bytes:
    one = {"scope": scope or {}, "metrics": metrics}
    whole = {"resourceMetrics": [{"resource": {"attributes": list(resource)}, "scopeMetrics": [one]}]}
    return to_protobuf(json.dumps(whole).encode())


def gauge(name: str, *points: Any) -> dict[str, Any]:
    return {
        "name": name,
        "gauge": {"dataPoints": [AT | {"asDouble": 1.0} | point for point in points or ({},)]},
    }


def decoded(body: bytes, **config: Any) -> SampleBatch:
    decoder = OtlpDecoder(OtlpConfig(**config), Limits(), 60_000)
    found = decoder.decode(payload_of("t", "otlp", body, arrival_ms=NOW_MS))
    assert found.refused == []
    return found.batch


def series(body: bytes, **config: Any) -> list[str]:
    batch = decoded(body, **config)
    values = [repr(float(v)) for v in batch.value]
    return [f"{labels} {v}" for labels, v in zip(batch.labels_of(np.arange(len(batch))), values, strict=True)]


SERVICE = attributes(service__name="api", service__namespace="shop", service__instance__id="i-1")


def test_a_resource_gives_job_instance_and_target_info() -> None:
    body = request([gauge("up")], [*SERVICE, *attributes(host__name="a", os="linux")])
    info = 'target_info{host_name="a", instance="i-1", job="shop/api", os="linux"} 1.0'
    assert series(body) == ['up{instance="i-1", job="shop/api"} 1.0', info]
    kept = series(body, keep_identifying_resource_attributes=True)[1]
    assert 'service_name="api"' in kept and 'host_name="a"' in kept and 'service_instance_id="i-1"' in kept
    assert series(request([gauge("up")], SERVICE)) == ['up{instance="i-1", job="shop/api"} 1.0']
    assert series(request([gauge("up")], attributes(host__name="a"))) == ["up 1.0"]


def test_attributes_of_a_resource_are_promoted() -> None:
    points = [{}, {"attributes": attributes(host__name="own", job="mine")}]
    body = request([gauge("up", *points)], [*SERVICE[:1], *attributes(host__name="a")])
    first, second, _ = series(body, promote_resource_attributes=["host.name", "absent"])
    assert first == 'up{host_name="a", job="api"} 1.0'
    assert second == 'up{host_name="own", job="api"} 1.0'


def test_a_scope_is_promoted_on_demand() -> None:
    scope = {"name": "lib", "version": "2", "attributes": attributes(a__b="c")}
    body = request([gauge("up")], scope=scope)
    assert series(body) == ["up 1.0"]
    (found,) = series(body, promote_scope_metadata=True)
    assert found == 'up{otel_scope_a_b="c", otel_scope_name="lib", otel_scope_version="2"} 1.0'


def test_attributes_that_become_one_label_are_joined_in_their_order() -> None:
    point = {"attributes": attributes(a_b="2", a__b="1")}
    assert series(request([gauge("up", point)])) == ['up{a_b="1;2"} 1.0']
    (found,) = series(request([gauge("up", point)]), translation_strategy="NoTranslation")
    assert found == 'up{a.b="1", a_b="2"} 1.0'


def test_lists_in_lists_have_an_end() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for depth in range(18):
        point = {"attributes": [{"key": "a", "value": value}]}
        payloads = payload_of("t", "otlp", request([gauge("up", point)]), arrival_ms=NOW_MS)
        survey = OtlpDecoder(OtlpConfig(), Limits(), 60_000).survey(payloads)
        assert survey.reasons == ({} if depth <= 16 else {"too_deep": 1})
        value = {"arrayValue": {"values": [value]}}


def test_target_info_stands_at_both_ends_of_a_request_and_between() -> None:
    early = {"timeUnixNano": str((NOW_MS - 400_000) * 1_000_000)}
    batch = decoded(request([gauge("up", early, {})], [*SERVICE, *attributes(os="x")]))
    times = [int(at) - NOW_MS for at in batch.timestamp_ms[2:]]
    assert times == [-400_000, -250_000, -100_000, 0]


def test_numbers() -> None:
    points = [{"asDouble": "NaN"}, {"asInt": "-7", "asDouble": None}, {"flags": 1}]
    batch = decoded(request([gauge("up", *points)]))
    assert math.isnan(batch.value[0]) and batch.value[1] == -7.0
    assert batch.value[2:].view(np.uint64)[0] == STALE_BITS


def test_a_histogram_with_bounds_becomes_buckets() -> None:
    point = AT | {"count": "6", "sum": 2.5, "bucketCounts": ["1", "2", "3"], "explicitBounds": [0.1, 5]}
    empty = AT | {"flags": 1, "attributes": attributes(a="b")}
    data = {"aggregationTemporality": 2, "dataPoints": [point, empty]}
    found = series(request([{"name": "t", "unit": "s", "histogram": data}]))
    assert found[:3] == [
        't_seconds_bucket{le="0.1"} 1.0',
        't_seconds_bucket{le="5"} 3.0',
        't_seconds_bucket{le="+Inf"} 6.0',
    ]
    assert found[3:] == [
        "t_seconds_count 6.0",
        "t_seconds_sum 2.5",
        't_seconds_bucket{a="b", le="+Inf"} nan',
        't_seconds_count{a="b"} nan',
    ]


def test_a_summary_becomes_quantiles() -> None:
    quantiles = [{"quantile": 0.5, "value": 1}, {"quantile": 1, "value": 9}]
    point = AT | {"count": 2, "sum": 10, "quantileValues": quantiles}
    found = series(request([{"name": "t", "summary": {"dataPoints": [point]}}]))
    assert found == ['t{quantile="0.5"} 1.0', 't{quantile="1"} 9.0', "t_count 2.0", "t_sum 10.0"]


def exponential(**fields: Any) -> bytes:
    data = {"aggregationTemporality": 2, "dataPoints": [AT | fields]}
    return request([{"name": "e", "exponentialHistogram": data}])


def test_an_exponential_histogram_becomes_a_native_one() -> None:
    """Its bucket 0 is (1, base], which native ones call 1."""
    sides = {"positive": {"offset": -1, "bucketCounts": [1, 0, 3]}, "negative": {"bucketCounts": [2]}}
    batch = decoded(exponential(count=8, sum=4.5, scale=2, zeroCount=2, zeroThreshold=0.001, **sides))
    wanted = Histogram(
        schema=2,
        zero_threshold=0.001,
        zero_count=2.0,
        count=8.0,
        sum=4.5,
        positive=Buckets(0, np.array([1.0, 0.0, 3.0])),
        negative=Buckets(1, np.array([2.0])),
    )
    (found,) = batch.histograms
    assert astuple(found) == astuple(wanted)


def test_a_finer_scale_is_lowered() -> None:
    """Four buckets of scale 10 are one of scale 8."""
    counts = {"offset": -2, "bucketCounts": [1, 1, 1, 1, 1, 1, 5]}
    (found,) = decoded(exponential(count=11, scale=10, positive=counts)).histograms
    assert (found.schema, found.positive) == (8, Buckets(0, np.array([2.0, 4.0, 5.0])))


@pytest.mark.parametrize(
    "fields",
    [
        {"scale": -5},
        {"count": 2, "positive": {"bucketCounts": [1]}},
        {"count": 1, "positive": {"bucketCounts": [1, 1]}},
        {"count": 1, "positive": {"offset": 2_000_000, "bucketCounts": [1]}},
    ],
)
def test_exponential_histograms_that_are_none(fields: dict[str, Any]) -> None:
    decoder = OtlpDecoder(OtlpConfig(), Limits(), 60_000)
    survey = decoder.survey(payload_of("t", "otlp", exponential(**fields), arrival_ms=NOW_MS))
    assert survey.reasons == {"invalid_histogram": 1} and survey.good is None
