"""Expositions: Prometheus text 0.0.4 and OpenMetrics 1.0, as a scrape answers or a push sends.

A record is one whole exposition, and one bad line refuses it. It is read as OpenMetrics (timestamps in
seconds, exemplars) if it ends in `# EOF`, as Prometheus text (milliseconds) otherwise. HELP, TYPE, UNIT and
exemplars are skipped. Both readers are a little more lenient about blanks and commas than the standards, as
Prometheus is.
"""

from __future__ import annotations

import functools
from typing import ClassVar

import msgspec
import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode._openmetrics_plain import frame, read_exposition, read_pairs
from sentinel.decode.columns import Columns
from sentinel.decode.limits import Limits
from sentinel.decode.timestamps import bounds, refusal
from sentinel.errors import DecodeError
from sentinel.model import Decoded, Labels, Payloads


class OpenMetricsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


_REASONS = """
    record_too_large invalid_utf8 invalid_syntax missing_name invalid_label duplicate_label
    too_many_labels label_too_long value_not_finite timestamp_invalid timestamp_past
    timestamp_future
"""


class OpenMetricsDecoder:
    """One exposition per record."""

    Config: ClassVar = OpenMetricsConfig
    REASONS: ClassVar[frozenset[str]] = frozenset(_REASONS.split())
    EXAMPLES: ClassVar[tuple[bytes, ...]] = (
        b'# TYPE requests counter\nrequests{job="api",code="200"} 12.5 1760000000000\nup 1\n',
        b'# UNIT x_seconds seconds\nx_seconds_bucket{le="1"} 3 1760000000.5 # {id="7"} 1\nload NaN\n# EOF\n',
        b'{"disk.used", path="C:\\\\x\\n", city="Z\xc3\xbcrich"} -Inf\n',
    )

    def __init__(self, config: OpenMetricsConfig, limits: Limits, max_future_ms: int) -> None:
        self._limits, self._max_future_ms = limits, max_future_ms

    def decode(self, payloads: Payloads) -> Decoded:
        from sentinel.decode._hash_kernel import hash_rows

        lines = int(np.count_nonzero(payloads.buffer == ord("\n"))) + len(payloads)
        columns, rows, refused = Columns.empty(lines), [0], []
        times = bounds(payloads, self._max_future_ms)
        seed = seed_of(payloads.target)
        for record in range(len(payloads)):
            first = last = rows[-1]
            usual_ms, latest_ms = int(times.usual_ms[record]), int(times.latest_ms[record])
            try:
                last = self._scan(payloads, record, (usual_ms, latest_ms), first, columns)
                if last < 0:
                    last = self._read(payloads, record, (usual_ms, latest_ms), first, columns)
                    hash_rows(payloads.buffer, seed, np.arange(first, last), columns)
            except DecodeError as error:
                last = first
                refused.append((record, error.reason))
            rows.append(last)
        of_record = np.repeat(np.arange(len(payloads)), np.diff(rows))
        reader = functools.partial(read_labels, payloads.target)
        return Decoded(columns.batch(payloads, payloads.buffer, of_record, slice(rows[-1]), reader), refused)

    def _scan(
        self, payloads: Payloads, record: int, times: tuple[int, int], row: int, columns: Columns
    ) -> int:
        """The kernel's part: the row behind the record's samples, or -1. Raises DecodeError."""
        from sentinel.decode._names_kernel import NamesSeen
        from sentinel.decode._openmetrics_kernel import Frame, scan_exposition

        openmetrics, length = frame(payloads.record(record), self._limits)
        form = Frame(
            openmetrics,
            *times,
            self._limits.column(),
            NamesSeen.empty(self._limits.labels),
        )
        start = int(payloads.start[record])
        seed = seed_of(payloads.target)
        return int(scan_exposition(payloads.buffer, start, start + length, form, seed, row, columns))

    def _read(
        self, payloads: Payloads, record: int, times: tuple[int, int], row: int, columns: Columns
    ) -> int:
        """The plain reader's part: the row behind the record's samples. Raises DecodeError."""
        start = int(payloads.start[record])
        for sample in read_exposition(payloads.record(record), self._limits):
            timestamp_ms = times[0] if sample.timestamp_ms is None else sample.timestamp_ms
            if reason := refusal(timestamp_ms, times[1]):
                raise DecodeError("openmetrics", reason)
            columns.key[row] = sample.key
            columns.key[row] += start
            columns.timestamp_ms[row], columns.value[row] = timestamp_ms, sample.value
            row += 1
        return row


def read_labels(target: Labels, name: bytes, labels: bytes) -> Labels:
    """The label set of one key; a label that the target has too is moved out of its way."""
    pairs = {label.decode(): value.decode() for label, value in read_pairs(labels)}
    if name:
        pairs["__name__"] = name.decode()
    return Labels(_export(pairs, target) if len(target) else pairs)


def _export(pairs: dict[str, str], target: Labels) -> dict[str, str]:
    """Renames labels that clash with the target's as Prometheus does: `job` becomes `exported_job`."""
    clashing = sorted((name for name in pairs if pairs[name] and target.get(name)), key=len)
    taken = {name for name, value in pairs.items() if value} | set(target.map)
    for name in clashing:
        free = f"exported_{name}"
        while free in taken:
            free = f"exported_{free}"
        taken.add(free)
        pairs[free] = pairs.pop(name)
    return pairs
