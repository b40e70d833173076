"""JSON records, one sample each.

    {"name": "http_requests_total", "labels": {"job": "api"}, "value": 12.5, "timestamp": 1760000000000}

An integer timestamp is in milliseconds, one with a fraction or exponent in seconds, a string is RFC 3339;
without one (or null) the record's own time counts. Labels may be missing or null; an empty value means that
the label is absent. Members that are not asked for are checked for syntax and skipped.

The kernel takes what it is sure of; the plain reader reads the rest and knows the reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode._json_events import JsonEvents
from sentinel.decode._json_key import key_of, read_labels
from sentinel.decode._json_plain import Shape, read_sample
from sentinel.decode.columns import Columns
from sentinel.decode.limits import Limits
from sentinel.decode.timestamps import Times, bounds, refusal
from sentinel.decode.units import UNITS
from sentinel.errors import DecodeError
from sentinel.model import Bools, Decoded, Int64s, Payloads, UInt8s

if TYPE_CHECKING:  # numba comes with the first batch
    from sentinel.decode._json_form import LabelsKnown


class JsonConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a record keeps what: keys of its object, or dotted paths (`metric.value`; slower).

    `fields` names an object of many values, which are there instead of `value`: each becomes a metric called
    name, separator, field, or just like the event if the field is called `value_field`. `batch` is the key of
    an array of such events, in records that have one. Numbers of `timestamp` count `timestamp_unit`, or say
    by themselves what if that is empty: whole ones milliseconds, others seconds.
    """

    name: str = "name"
    labels: str = "labels"
    value: str = "value"
    timestamp: str = "timestamp"
    timestamp_unit: Literal["", "ns", "us", "ms", "s"] = ""
    numbers_as_strings: bool = False
    fields: str = ""
    batch: str = ""
    separator: Annotated[str, msgspec.Meta(max_length=4)] = "_"
    value_field: str = "value"

    def __post_init__(self) -> None:
        paths = self.shape.paths
        if len(set(paths)) < len(paths) or not all(key for path in paths for key in path):
            raise ValueError("name, labels, value and timestamp must be four different fields")
        if (self.batch,) in paths:
            raise ValueError("batch must be another field than name, labels, value, fields and timestamp")

    @property
    def shape(self) -> Shape:
        paths = [
            tuple(path.split("."))
            for path in (self.name, self.labels, self.fields or self.value, self.timestamp)
        ]
        return Shape(
            (paths[0], paths[1], paths[2], paths[3]),
            many=bool(self.fields),
            strings=self.numbers_as_strings,
            batch=self.batch,
            separator=self.separator,
            value_field=self.value_field,
            times=UNITS[self.timestamp_unit][0] if self.timestamp_unit else 0,
            per=UNITS[self.timestamp_unit][1] if self.timestamp_unit else 1,
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
        self._shape, self._limits, self._max_future_ms = config.shape, limits, max_future_ms
        self._paths = self._shape.paths
        self._flat = all(len(path) == 1 for path in self._paths)
        self._known: LabelsKnown | None = None
        self._events = None if self._shape.usual else JsonEvents(self._shape, limits, max_future_ms)

    def decode(self, payloads: Payloads) -> Decoded:
        if self._events is not None:
            return self._events.decode(payloads)
        return self._decode_usual(payloads)

    def _decode_usual(self, payloads: Payloads) -> Decoded:
        """One sample a record, times as they say themselves, numbers as numbers."""
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
        from sentinel.decode._json_form import Form, LabelsKnown
        from sentinel.decode._json_kernel import scan_records

        self._known = self._known.grown() if self._known else LabelsKnown.empty()
        form = Form.of(self._paths, self._limits, seed_of(payloads.target))
        start, end = np.ascontiguousarray(payloads.start), np.ascontiguousarray(payloads.end)
        scan_records(payloads.buffer, start, end, tuple(times), form, self._known, columns, taken)

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
            name, labels = key_of(sample)
            columns.key[row] = at, at + len(name), at + len(name), at + len(name) + len(labels)
            columns.timestamp_ms[row], columns.value[row], taken[row] = timestamp_ms, sample.value, True
            keys.append(name + labels)
            at += len(name) + len(labels)
        if not keys:
            return payloads.buffer, refused
        return np.concatenate([payloads.buffer, np.frombuffer(b"".join(keys), np.uint8)]), refused
