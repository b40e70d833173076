"""JSON records, one sample each.

    {"name": "http_requests_total", "labels": {"job": "api"}, "value": 12.5, "timestamp": 1760000000000}

An integer timestamp is in milliseconds, one with a fraction or exponent in seconds, a string is RFC 3339;
without one (or null) the record's own time counts. Labels may be missing or null; an empty value means that
the label is absent. Members that are not asked for are checked for syntax and skipped.

The kernel takes what it is sure of; the plain reader reads the rest and knows the reasons.
"""

from __future__ import annotations

import functools
import json
from typing import ClassVar

import msgspec
import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode._json_plain import Sample, read_sample
from sentinel.decode.columns import Columns
from sentinel.decode.limits import Limits
from sentinel.decode.timestamps import Times, bounds, refusal
from sentinel.errors import DecodeError
from sentinel.model import Bools, Decoded, Int64s, Labels, Payloads, UInt8s


class JsonConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a record keeps what: keys of its object, or dotted paths (`metric.value`; slower)."""

    name: str = "name"
    labels: str = "labels"
    value: str = "value"
    timestamp: str = "timestamp"

    def __post_init__(self) -> None:
        fields = self.paths
        if len(set(fields)) < len(fields) or not all(key for path in fields for key in path):
            raise ValueError("name, labels, value and timestamp must be four different fields")

    @property
    def paths(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        return (
            tuple(self.name.split(".")),
            tuple(self.labels.split(".")),
            tuple(self.value.split(".")),
            tuple(self.timestamp.split(".")),
        )


_REASONS = """
    record_too_large invalid_utf8 invalid_json too_deep duplicate_field missing_name missing_value
    wrong_type value_not_finite invalid_name invalid_label duplicate_label too_many_labels
    label_too_long timestamp_invalid timestamp_past timestamp_future
"""


class JsonDecoder:
    """One JSON object per record. For a body of many lines, `split_lines` makes records of them."""

    Config: ClassVar = JsonConfig
    REASONS: ClassVar[frozenset[str]] = frozenset(_REASONS.split())
    EXAMPLES: ClassVar[tuple[bytes, ...]] = (
        b'{"name": "http_requests", "labels": {"job": "api"}, "value": 12.5, "timestamp": 1760000000000}',
        b'{"timestamp":"2025-10-09T08:53:20.5Z","value":-1e-3,"name":"load","host":{"cpu":[0,1]}}',
        b'{"name": "up", "labels": {"path": "C:\\\\x", "city": "Z\xc3\xbcrich"}, "value": 1, "ok": true}',
    )

    def __init__(self, config: JsonConfig, limits: Limits, max_future_ms: int) -> None:
        self._paths, self._limits, self._max_future_ms = config.paths, limits, max_future_ms
        self._flat = all(len(path) == 1 for path in self._paths)

    def decode(self, payloads: Payloads) -> Decoded:
        from sentinel.decode._hash_kernel import hash_rows

        columns, taken = Columns.empty(len(payloads)), np.zeros(len(payloads), np.bool_)
        times = bounds(payloads, self._max_future_ms)
        if self._flat:
            self._scan(payloads, times, columns, taken)
        left = np.flatnonzero(~taken)
        buffer, refused = self._read(payloads, times, left, columns, taken)
        hash_rows(buffer, seed_of(payloads.target), left[taken[left]], columns)
        keep = taken if refused else slice(None)
        batch = columns.batch(payloads, buffer, np.flatnonzero(taken), keep, read_labels)
        return Decoded(batch, refused)

    def _scan(self, payloads: Payloads, times: Times, columns: Columns, taken: Bools) -> None:
        """The kernel's part: marks in `taken` what it is sure of."""
        from sentinel.decode._json_kernel import Form, scan_records
        from sentinel.decode._names_kernel import NamesSeen

        names = [path[0].encode() for path in self._paths]
        form = Form(
            fields=np.frombuffer(b"".join(names), np.uint8),
            bounds=np.cumsum([0, *map(len, names)], dtype=np.int64),
            limits=self._limits.column(),
            names_seen=NamesSeen.empty(self._limits.labels),
        )
        start, end = np.ascontiguousarray(payloads.start), np.ascontiguousarray(payloads.end)
        seed = seed_of(payloads.target)
        scan_records(payloads.buffer, start, end, *times, form, seed, columns, taken)

    def _read(
        self, payloads: Payloads, times: Times, left: Int64s, columns: Columns, taken: Bools
    ) -> tuple[UInt8s, list[tuple[int, str]]]:
        """The plain reader's part: the buffer, with the keys it wrote behind the payloads, and refusals."""
        keys, at, refused = [], len(payloads.buffer), []
        for row in left.tolist():
            try:
                sample = read_sample(payloads.record(row), self._paths, self._limits)
                own_ms = sample.timestamp_ms
                timestamp_ms = int(times.usual_ms[row]) if own_ms is None else own_ms
                if reason := refusal(timestamp_ms, int(times.latest_ms[row])):
                    raise DecodeError("json", reason)
            except DecodeError as error:
                refused.append((row, error.reason))
                continue
            name, labels = _key_of(sample)
            columns.key[row] = at, at + len(name), at + len(name), at + len(name) + len(labels)
            columns.timestamp_ms[row], columns.value[row], taken[row] = timestamp_ms, sample.value, True
            keys.append(name + labels)
            at += len(name) + len(labels)
        if not keys:
            return payloads.buffer, refused
        return np.concatenate([payloads.buffer, np.frombuffer(b"".join(keys), np.uint8)]), refused


def _key_of(sample: Sample) -> tuple[bytes, bytes]:
    """Name and labels as raw bytes of a JSON record would spell them."""
    labels = json.dumps(sample.labels, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return json.dumps(sample.name, ensure_ascii=False)[1:-1].encode(), labels.encode()


def read_labels(name: bytes, labels: bytes) -> Labels:
    """The label set of one key: `name` is the inside of a JSON string, `labels` an object or nothing."""
    pairs = _LABELS.decode(labels) if labels else {}
    pairs["__name__"] = _name_of(name)
    return Labels(pairs)


_LABELS = msgspec.json.Decoder(dict[str, str])


@functools.lru_cache(maxsize=4096)
def _name_of(name: bytes) -> str:
    return msgspec.json.decode(b'"%b"' % name, type=str)


def warm() -> None:
    """Compiles the kernels, or reads them from numba's cache."""
    from sentinel.decode import _json_kernel  # noqa: F401
