"""InfluxDB's line protocol: a record is one line or many, and each numeric or boolean field is a sample.

    cpu,host=a,cpu=cpu0 usage_idle=98.5,usage_user=1.5 1760000000000000000

Its tags are labels, and the metric is called `measurement_field`: `cpu_usage_idle` and `cpu_usage_user`. A
field called `value` adds nothing to the measurement's name. Strings are checked for syntax and skipped.
Without a timestamp the record's own time counts. One bad line refuses the record; who can answer its sender
asks for a `survey` first, which takes the bad lines out.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import msgspec
import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode._influx_plain import Naming, escaped, read_record, spelled
from sentinel.decode.columns import Columns
from sentinel.decode.influx_config import InfluxConfig
from sentinel.decode.limits import Limits
from sentinel.decode.remote_write import read_labels
from sentinel.decode.rows import Read, Scanned, together
from sentinel.decode.timestamps import Times, bounds, refusal
from sentinel.decode.units import UNITS
from sentinel.errors import DecodeError
from sentinel.model import Decoded, Payloads, payload_of

__all__ = ["InfluxConfig", "InfluxDecoder", "Survey", "split_points"]


class Survey(msgspec.Struct, frozen=True):
    """What a body of lines holds."""

    good: Payloads | None
    """The lines that can be taken, as one record; None if they have no samples."""
    reasons: dict[str, int]
    """How many lines are bad, by reason."""
    first: str
    """The first bad line, shortened, and what is wrong with it."""


_REASONS = """
    record_too_large invalid_utf8 invalid_syntax missing_name invalid_label duplicate_label
    too_many_labels label_too_long value_not_finite timestamp_invalid timestamp_past
    timestamp_future
"""


class InfluxDecoder:
    """Any number of lines per record."""

    Config: ClassVar = InfluxConfig
    REASONS: ClassVar[frozenset[str]] = frozenset(_REASONS.split())
    EXAMPLES: ClassVar[tuple[bytes, ...]] = (
        b"cpu,host=a,cpu=cpu0 usage_idle=98.5,usage_user=1.5 1760000000000000000",
        b'disk,path=C:\\x,label=A\\ B free=12i,total=20u,ok=true,fs="nt\\"fs"\n# comment\n\nup value=1\n',
        b'Z\xc3\xbcrich,t\\,ag=x\\=y,q=" v\\ 1=-1e-3 1760000000500000000\n',
    )

    def __init__(self, config: InfluxConfig, limits: Limits, max_future_ms: int) -> None:
        names = config.separator.encode(), config.value_field.encode()
        self._naming, self._limits = Naming(*names, *UNITS[config.precision]), limits
        self._max_future_ms = max_future_ms

    def decode(self, payloads: Payloads) -> Decoded:
        times = bounds(payloads, self._max_future_ms)
        scanned = self._scan(payloads, times)
        read: list[Read] = []
        refused = []
        for row in np.flatnonzero(scanned.counts < 0).tolist():
            try:
                read += self._read(payloads.record(row), row, times)
            except DecodeError as error:
                refused.append((row, error.reason))
        return Decoded(together(payloads, scanned, read, read_labels), refused)

    def survey(self, payloads: Payloads) -> Survey:
        """Of payloads that have one line in each record."""
        decoded = self.decode(payloads)
        reasons, first, good = Counter(reason for _, reason in decoded.refused), "", None
        if decoded.refused:
            first = self._complaint(payloads, *decoded.refused[0])
        if len(decoded.batch):
            bad = {row for row, _ in decoded.refused}
            lines = [payloads.record(row) for row in range(len(payloads)) if row not in bad]
            body = b"\n".join(lines) if bad else payloads.buffer.tobytes()
            good = payload_of(payloads.source, payloads.format, body, arrival_ms=payloads.arrival_ms)
        return Survey(good, dict(reasons), first)

    def _complaint(self, payloads: Payloads, row: int, reason: str) -> str:
        line = payloads.record(row)
        text, detail = line[:80].decode("utf-8", "replace"), ""
        try:
            list(read_record(line, self._naming, self._limits))
        except DecodeError as error:
            detail = error.detail
        return f"{text!r}: {reason}" + (f": {detail}" if detail else "")

    def _scan(self, payloads: Payloads, times: Times) -> Scanned:
        """The kernel's part; where the room for keys does not suffice, it goes on with more."""
        from sentinel.decode._influx_kernel import scan_records

        columns = Columns.empty(int(np.count_nonzero(payloads.buffer == ord("="))))
        text, counts = np.empty(2 * len(payloads.buffer) + 64, np.uint8), np.full(len(payloads), -1)
        start, end = np.ascontiguousarray(payloads.start), np.ascontiguousarray(payloads.end)
        form, seed, at = self._form(), seed_of(payloads.target), (0, 0, 0)
        while True:
            at = scan_records(payloads.buffer, start, end, *times, form, seed, at, columns, counts, text)
            record, rows, written = at
            if record == len(payloads):
                return Scanned(Columns._make(column[:rows] for column in columns), text[:written], counts)
            text = np.concatenate([text, np.empty_like(text)])

    def _form(self) -> Any:
        from sentinel.decode._influx_kernel import Form
        from sentinel.decode._names_kernel import NamesSeen

        separator, value_field, times, per = self._naming
        return Form(
            separator=np.frombuffer(escaped(separator), np.uint8),
            value_field=np.frombuffer(spelled(value_field), np.uint8),
            times=times,
            per=per,
            limits=self._limits.column(),
            names_seen=NamesSeen.empty(self._limits.labels),
        )

    def _read(self, record: bytes, row: int, times: Times) -> list[Read]:
        """The plain reader's part. Raises DecodeError."""
        read, usual_ms, latest_ms = list[Read](), int(times.usual_ms[row]), int(times.latest_ms[row])
        for name, labels, value, own_ms in read_record(record, self._naming, self._limits):
            timestamp_ms = usual_ms if own_ms is None else own_ms
            if reason := refusal(timestamp_ms, latest_ms):
                raise DecodeError("influx", reason)
            read.append(Read(row, name, labels, value, timestamp_ms))
        return read


def split_points(source: str, format: str, body: bytes, *, arrival_ms: int) -> Payloads:
    """One record per line that is not empty; a line break inside a string in quotes ends no line."""
    from sentinel.decode._influx_kernel import scan_lines

    buffer = np.frombuffer(body, np.uint8)
    spans = np.empty((int(np.count_nonzero(buffer == ord("\n"))) + 1, 2), np.int64)
    spans = spans[: scan_lines(buffer, spans)]
    spans = spans[spans[:, 1] > spans[:, 0]]
    whole, rows = payload_of(source, format, body, arrival_ms=arrival_ms), np.arange(len(spans))
    return msgspec.structs.replace(
        whole,
        start=spans[:, 0],
        end=spans[:, 1],
        offset=rows,
        record_ms=rows * 0 - 1,
        next_offset=len(rows),
    )
