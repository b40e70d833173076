"""Whether samples and alerts are as expected, and how they are written, which is as promtool does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from sentinel.model import Buckets, Histogram, Labels, quote
from sentinel.promql.syntax.literals import LEGACY_NAME
from sentinel.rule_test.outcome import Mismatch
from sentinel.rule_test.rehearsal import FiringAlert, Sample
from sentinel.template.gonumber import digits_of, scientific, shortest


def compare_samples(expected: Iterable[Sample], got: Iterable[Sample], *, fuzzy: bool) -> Mismatch | None:
    """Order does not matter. `fuzzy` lets values differ by the last bit; NaN equals NaN."""
    wanted, found = sorted(expected, key=_labels), sorted(got, key=_labels)
    if len(wanted) == len(found) and all(
        one.labels == other.labels and _same(one.value, other.value, fuzzy)
        for one, other in zip(wanted, found, strict=True)
    ):
        return None
    return Mismatch([_sample_text(each) for each in wanted], [_sample_text(each) for each in found])


def compare_alerts(expected: Iterable[FiringAlert], got: Iterable[FiringAlert]) -> Mismatch | None:
    """Order does not matter; labels and annotations must be equal in full."""
    wanted, found = sorted(expected, key=_pairs), sorted(got, key=_pairs)
    if wanted == found:
        return None
    return Mismatch(
        [_alert_text(each) for each in wanted], [_alert_text(each) for each in found], blocks=True
    )


def _labels(sample: Sample) -> Labels:
    return sample.labels


def _pairs(alert: FiringAlert) -> tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]:
    return sorted(alert.labels.items()), sorted(alert.annotations.items())


def _same(expected: float | Histogram, got: float | Histogram, fuzzy: bool) -> bool:
    if isinstance(expected, Histogram) or isinstance(got, Histogram):
        if not (isinstance(expected, Histogram) and isinstance(got, Histogram)):
            return False
        return histogram_text(_as_given(expected)) == histogram_text(_as_given(got))
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return True
    return fuzzy and got in (math.nextafter(expected, math.inf), math.nextafter(expected, -math.inf))


def _as_given(histogram: Histogram) -> Histogram:
    """Whether a counter was reset before it depends on how a storage cuts series: it counts for nothing."""
    if histogram.reset_hint == "gauge":
        return histogram
    return msgspec.structs.replace(histogram, reset_hint="unknown")


def _sample_text(sample: Sample) -> str:
    value = sample.value
    text = histogram_text(value) if isinstance(value, Histogram) else float_text(value)
    return f"{labels_text(dict(sample.labels))} {text}"


def _alert_text(alert: FiringAlert) -> str:
    return f"Labels:{labels_text(alert.labels)}\nAnnotations:{labels_text(alert.annotations)}"


def labels_text(labels: Mapping[str, str]) -> str:
    """`{__name__="up", job="node"}`."""
    pairs = (
        f"{name if LEGACY_NAME.fullmatch(name) else quote(name)}={quote(labels[name])}"
        for name in sorted(labels)
    )
    return "{" + ", ".join(pairs) + "}"


def float_text(value: float) -> str:
    """The fewest digits, always with an exponent: `1.5E+00`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return ("-" if math.copysign(1, value) < 0 else "") + scientific(*digits_of(abs(value)), mark="E")


def histogram_text(histogram: Histogram) -> str:
    """In the notation of test files; what is zero is left out."""
    numbers = {
        "schema": histogram.schema,
        "count": histogram.count,
        "sum": histogram.sum,
        "z_bucket": histogram.zero_count,
        "z_bucket_w": histogram.zero_threshold,
    }
    parts = [f"{name}:{shortest(value)}" for name, value in numbers.items() if value]
    if histogram.is_custom:
        parts.append(f"custom_values:{_list_text(histogram.custom_values)}")
    if histogram.reset_hint != "unknown":
        parts.append(f"counter_reset_hint:{histogram.reset_hint}")
    parts += _buckets_text("", histogram.positive) + _buckets_text("n_", histogram.negative)
    return "{{" + " ".join(parts) + "}}"


def _buckets_text(prefix: str, buckets: Buckets) -> list[str]:
    offset = [f"{prefix}offset:{buckets.offset}"] if buckets.offset else []
    return [*offset, f"{prefix}buckets:{_list_text(buckets.counts.tolist())}"] if len(buckets) else []


def _list_text(numbers: Iterable[float]) -> str:
    return "[" + " ".join(map(shortest, numbers)) + "]"
