"""OpenTelemetry's metrics: a record is one ExportMetricsServiceRequest in protocol buffers, unpacked.

Series get the names and labels that Prometheus 3 gives them. A request is refused if its form is wrong or one
of its data points is bad; who can answer its sender asks for a `survey` first, which cuts the bad points out.
Deltas are marked, and added up where they are stored. Exemplars and descriptions are passed over.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from sentinel.decode._otlp_cut import varint, without
from sentinel.decode._otlp_json import to_protobuf
from sentinel.decode._otlp_labels import Translator
from sentinel.decode._otlp_plain import VERDICTS
from sentinel.decode._otlp_request import RECORD_REASONS, Found, read_requests
from sentinel.decode._otlp_rows import batch_of
from sentinel.decode.limits import Limits
from sentinel.decode.otlp_config import OtlpConfig
from sentinel.decode.timestamps import bounds
from sentinel.errors import DecodeError
from sentinel.model import Decoded, Payloads, payload_of

__all__ = ["OtlpConfig", "OtlpDecoder", "Survey", "to_protobuf", "varint"]

_MALFORMED = VERDICTS.index("invalid_protobuf")


_TIME = b'"timeUnixNano": "1760000000000000000"'
_EXAMPLES = (
    b"""{"resourceMetrics": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "api"}},
            {"key": "host.name", "value": {"stringValue": "a"}}]},
        "scopeMetrics": [{"scope": {"name": "s"}, "metrics": [
            {"name": "load", "gauge": {"dataPoints": [{%b, "asDouble": 0.5}]}},
            {"name": "requests", "unit": "1", "sum": {
                "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                    {%b, "asInt": "7", "attributes": [{"key": "ok", "value": {"boolValue": true}}]},
                    {%b, "flags": 1, "attributes": [{"key": "a.b", "value": {"intValue": "1"}}]}]}}]}]}]}"""
    % (_TIME, _TIME, _TIME),
    b"""{"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "t", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {%b, "count": 3, "sum": 1.5, "bucketCounts": [1, 2], "explicitBounds": [0.5]}]}},
        {"name": "q", "summary": {"dataPoints": [
            {%b, "count": 2, "sum": 3, "quantileValues": [{"quantile": 0.5, "value": 1}]}]}}]}]}]}"""
    % (_TIME, _TIME),
)


class Survey(msgspec.Struct, frozen=True):
    """What a request holds."""

    good: Payloads | None
    """The request without its bad points; None if it has none then."""
    points: int
    """How many are good."""
    reasons: dict[str, int]
    """How many are bad, by reason."""


class OtlpDecoder:
    """One request per record."""

    Config: ClassVar = OtlpConfig
    REASONS: ClassVar[frozenset[str]] = frozenset([*RECORD_REASONS[1:], *VERDICTS[1:]])
    EXAMPLES: ClassVar[tuple[bytes, ...]] = tuple(map(to_protobuf, _EXAMPLES))

    def __init__(self, config: OtlpConfig, limits: Limits, max_future_ms: int) -> None:
        self._limits, self._max_future_ms = limits, max_future_ms
        self._translator = Translator(config, limits)

    def decode(self, payloads: Payloads) -> Decoded:
        found = self._read(payloads)
        refused = _refused(found)
        bad = np.zeros(len(payloads) + 1, np.bool_)
        bad[[record for record, _ in refused]] = True
        return Decoded(batch_of(payloads, found, bad, self._translator), refused)

    def survey(self, payloads: Payloads) -> Survey:
        """Of the one record in `payloads`. Raises DecodeError if its form is wrong."""
        from sentinel.decode._otlp_points_kernel import P_END, P_FIRST

        found = self._read(payloads)
        if found.failed[0] or (found.verdict == _MALFORMED).any():
            raise DecodeError("otlp", RECORD_REASONS[int(found.failed[0]) or 1])
        counts = np.bincount(found.verdict, minlength=len(VERDICTS)).tolist()
        bad = found.verdict > 0
        good: Payloads | None = payloads if counts[0] else None
        if good is not None and bad.any():
            body = without(payloads.record(0), found.points[bad][:, [P_FIRST, P_END]] - payloads.start[0])
            good = payload_of(payloads.source, payloads.format, body, arrival_ms=payloads.arrival_ms)
        reasons = {reason: count for reason, count in zip(VERDICTS, counts, strict=True) if reason and count}
        return Survey(good, counts[0], reasons)

    def _read(self, payloads: Payloads) -> Found:
        latest_ms = bounds(payloads, self._max_future_ms).latest_ms
        spans = payloads.start, payloads.end
        return read_requests(payloads.buffer, *spans, latest_ms, self._translator, self._limits)


def _refused(found: Found) -> list[tuple[int, str]]:
    """Each bad record, and why: its form, or else what is wrong with its first bad point."""
    reasons = {
        record: RECORD_REASONS[found.failed[record]] for record in np.flatnonzero(found.failed).tolist()
    }
    bad = np.flatnonzero(found.verdict)
    for record, verdict in zip(found.record[bad].tolist(), found.verdict[bad].tolist(), strict=True):
        if verdict == _MALFORMED:
            reasons[record] = VERDICTS[verdict]
        reasons.setdefault(record, VERDICTS[verdict])
    return sorted(reasons.items())
