"""JSON records with any number of samples, or with times and numbers written otherwise than usual."""

from __future__ import annotations

from typing import Any

import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode._json_key import key_of, read_labels, spelled
from sentinel.decode._json_plain import Shape, read_samples
from sentinel.decode.columns import Columns
from sentinel.decode.limits import Limits
from sentinel.decode.rows import Read, Scanned, together
from sentinel.decode.timestamps import Times, bounds, refusal
from sentinel.errors import DecodeError
from sentinel.model import Decoded, Payloads, UInt64s


class JsonEvents:
    """The part of the JSON decoder for records of this shape."""

    def __init__(self, shape: Shape, limits: Limits, max_future_ms: int) -> None:
        self._shape, self._limits, self._max_future_ms = shape, limits, max_future_ms
        self._flat = all(len(path) == 1 for path in shape.paths)

    def decode(self, payloads: Payloads) -> Decoded:
        times = bounds(payloads, self._max_future_ms)
        scanned = self._scan(payloads, times) if self._flat else Scanned.nothing(payloads)
        read: list[Read] = []
        refused = []
        for row in np.flatnonzero(scanned.counts < 0).tolist():
            try:
                read += self._read(payloads.record(row), row, times)
            except DecodeError as error:
                refused.append((row, error.reason))
        return Decoded(together(payloads, scanned, read, read_labels), refused)

    def _scan(self, payloads: Payloads, times: Times) -> Scanned:
        """The kernel's part; where the room for names does not suffice, it goes on with more."""
        from sentinel.decode._json_events_kernel import scan_events

        length = len(payloads.buffer)
        columns = Columns.empty(int(np.count_nonzero(payloads.buffer == ord(":"))) + 2)
        out, counts = np.empty(2 * length + 64, np.uint8), np.full(len(payloads), -1)
        out[:length] = payloads.buffer
        start, end = np.ascontiguousarray(payloads.start), np.ascontiguousarray(payloads.end)
        shape, at = self._form(seed_of(payloads.target)), (0, 0, length)
        while True:
            text = out[:length]
            at = scan_events(out, text, start, end, *times, shape, at, columns, counts)
            record, rows, written = at
            if record == len(payloads):
                return Scanned(Columns._make(column[:rows] for column in columns), out[:written], counts)
            out = np.concatenate([out, np.empty_like(out)])

    def _form(self, seed: UInt64s) -> Any:
        from sentinel.decode import _json_events_kernel as kernel
        from sentinel.decode._json_form import Form

        shape = self._shape
        form = Form.of(shape.paths, self._limits, seed)
        words = (shape.batch.encode(), spelled(shape.separator), spelled(shape.value_field))
        batch, separator, value_field = (np.frombuffer(word, np.uint8) for word in words)
        return kernel.Shape(
            form, shape.many, shape.strings, batch, separator, value_field, shape.times, shape.per
        )

    def _read(self, record: bytes, row: int, times: Times) -> list[Read]:
        """The plain reader's part. Raises DecodeError."""
        read, usual_ms, latest_ms = list[Read](), int(times.usual_ms[row]), int(times.latest_ms[row])
        for sample in read_samples(record, self._shape, self._limits):
            timestamp_ms = usual_ms if sample.timestamp_ms is None else sample.timestamp_ms
            if reason := refusal(timestamp_ms, latest_ms):
                raise DecodeError("json", reason)
            read.append(Read(row, *key_of(sample), sample.value, timestamp_ms))
        return read
