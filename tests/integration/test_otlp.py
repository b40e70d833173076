"""OpenTelemetry's metrics, posted to the daemon as a collector posts them, and a rule over them pages."""

from __future__ import annotations

import gzip
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sentinel.decode.otlp import to_protobuf

from .configuration import alert, configuration, one_webhook, rule_group
from .daemon import Daemon
from .receiver import Receiver
from .waiting import wait_until

pytestmark = pytest.mark.timeout(300)
RULES = rule_group(
    "exported",
    alert("Requests", 'http_requests_total{job="shop/api", http_method="GET"} > 5'),
    alert("Slow", "histogram_quantile(0.9, http_duration_seconds_bucket) > 0.4"),
    alert("Native", "histogram_count(size_bytes) == 3"),
    alert("Promoted", 'load{zone="eu1"} == 1'),
    alert("Informed", "http_requests_total * on (job, instance) group_left (host_name) target_info > 5"),
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def daemon(tmp_path: Path, receiver: Receiver) -> Iterator[Daemon]:
    source = {"name": "push", "http": {}, "otlp": {"promote_resource_attributes": ["zone"]}}
    one = Daemon(tmp_path, configuration(source) | {"store": {"retention": "10m"}})
    one.write("alertmanager.yml", one_webhook(receiver.url))
    one.write("rules/exported.yml", RULES)
    with one:
        yield one


def attributes(**values: str) -> list[Any]:
    return [{"key": k.replace("__", "."), "value": {"stringValue": v}} for k, v in values.items()]


def exported() -> bytes:
    """One request with every kind of data point, as JSON."""
    at = {"timeUnixNano": str(time.time_ns())}
    counted = {"asInt": "7", "attributes": attributes(http__method="GET")}
    explicit = {"count": 4, "sum": 1, "bucketCounts": [1, 3, 0], "explicitBounds": [0.1, 0.5]}
    exponential = {"count": 3, "sum": 9, "scale": 2, "positive": {"offset": 0, "bucketCounts": [1, 2]}}
    quantiles = {"count": 1, "sum": 1, "quantileValues": [{"quantile": 0.5, "value": 1}]}
    cumulative = {"aggregationTemporality": 2}

    def kind(point: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"dataPoints": [at | point], **more}

    metrics = [
        {"name": "http.requests", "sum": kind(counted, isMonotonic=True, **cumulative)},
        {"name": "http.duration", "unit": "s", "histogram": kind(explicit, **cumulative)},
        {"name": "size", "unit": "By", "exponentialHistogram": kind(exponential, **cumulative)},
        {"name": "load", "gauge": kind({"asDouble": 1})},
        {"name": "wait", "summary": kind(quantiles)},
        {"name": "lost", "sum": kind({"asDouble": 1}, aggregationTemporality=0)},
    ]
    resource = attributes(service__name="api", service__namespace="shop", zone="eu1", host__name="a")
    scopes = [{"scope": {"name": "test"}, "metrics": metrics}]
    whole = {"resourceMetrics": [{"resource": {"attributes": resource}, "scopeMetrics": scopes}]}
    return json.dumps(whole).encode()


def post(url: str, body: bytes, kind: str) -> bytes:
    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
    request = urllib.request.Request(url, gzip.compress(body), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def test_what_is_exported_is_kept_and_pages(daemon: Daemon, receiver: Receiver) -> None:
    told = json.loads(post(f"{daemon.url}/v1/metrics", exported(), "application/json"))
    assert told["partialSuccess"]["rejectedDataPoints"] == "1"
    binary = f"{daemon.url}/api/v1/otlp/v1/metrics"
    assert b"invalid_temporality 1" in post(binary, to_protobuf(exported()), "application/x-protobuf")

    def fired() -> set[str]:
        return {page.name for page in receiver.pages("firing")}

    wanted = {"Requests", "Slow", "Native", "Promoted", "Informed"}
    wait_until(lambda: fired() == wanted, timeout=60, what="five pages", why=daemon.log)
    assert daemon.metric("sentinel_ingest_records_refused_total", source="push") == 0
    refused = {"source": "push", "reason": "invalid_temporality"}
    assert daemon.metric("sentinel_otlp_points_refused_total", **refused) == 2
