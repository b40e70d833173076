"""Sums and histograms that tell what they counted since the last time: marked, and added up in the store."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from sentinel.decode import Limits
from sentinel.decode.otlp import OtlpConfig, OtlpDecoder, to_protobuf
from sentinel.model import Labels, SampleBatch, payload_of
from sentinel.store.store import Store

NOW_MS = 1_760_000_000_000
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("sum", {"asInt": 2}),
    ("histogram", {"count": 3, "sum": 1.0, "bucketCounts": [1, 2], "explicitBounds": [1]}),
    ("exponentialHistogram", {"count": 1, "sum": 1.0, "positive": {"bucketCounts": [1]}}),
]


def request(kind: str, temporality: int, *points: dict[str, Any]) -> bytes:
    data = {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": points}
    metrics = [{"name": "m", kind: data}, {"name": "g", "gauge": {"dataPoints": [at(0) | {"asInt": 1}]}}]
    return to_protobuf(json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).encode())


def at(seconds: int) -> dict[str, Any]:
    """Of the ten seconds up to then."""
    nanos = NOW_MS * 1_000_000 + seconds * 10**9
    return {"timeUnixNano": str(nanos), "startTimeUnixNano": str(nanos - 10**10)}


def decoded(body: bytes, **config: Any) -> SampleBatch:
    decoder = OtlpDecoder(OtlpConfig(**config), Limits(), 60_000)
    found = decoder.decode(payload_of("t", "otlp", body, arrival_ms=NOW_MS + 60_000))
    assert found.refused == []
    return found.batch


@pytest.mark.parametrize(("kind", "point"), KINDS)
def test_deltas_are_marked_and_nothing_else(kind: str, point: dict[str, Any]) -> None:
    assert decoded(request(kind, 2, at(0) | point)).delta_from_ms is None
    batch = decoded(request(kind, 1, at(0) | point))
    names = [labels.name for labels in batch.labels_of(np.arange(len(batch)))]
    assert batch.delta_from_ms is not None
    assert batch.delta_from_ms.tolist() == [-1 if name == "g" else NOW_MS - 10_000 for name in names]


@pytest.mark.parametrize(("kind", "point"), KINDS)
def test_deltas_may_be_refused(kind: str, point: dict[str, Any]) -> None:
    decoder = OtlpDecoder(OtlpConfig(delta="reject"), Limits(), 60_000)
    payloads = payload_of("t", "otlp", request(kind, 1, at(0) | point), arrival_ms=NOW_MS)
    assert decoder.survey(payloads).reasons == {"delta_temporality": 1}
    assert decoder.decode(payloads).refused == [(0, "delta_temporality")]


def test_deltas_add_up_in_the_store() -> None:
    store = Store(retention_ms=3_600_000)
    for kind, point in KINDS:
        for seconds in (0, 10, 20):
            store.ingest(decoded(request(kind, 1, at(seconds) | point)), 1)
    slots = np.array([store.find(Labels({"__name__": "m_total"})), store.find(Labels({"__name__": "m"}))])
    _, value, _ = store.latest(slots, NOW_MS + 20_000, 60_000)
    assert value[0] == 6.0
    (histogram,) = store.histograms.unbox(value[1:])
    assert (histogram.count, histogram.positive.counts.tolist()) == (3.0, [3.0])
    buckets = [Labels({"__name__": "m_bucket", "le": bound}) for bound in ("1", "+Inf")]
    _, value, _ = store.latest(np.array([store.find(each) for each in buckets]), NOW_MS + 20_000, 60_000)
    assert value.tolist() == [3.0, 9.0]
