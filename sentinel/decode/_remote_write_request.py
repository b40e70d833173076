"""One remote write request as columns: the kernel's passes in their order, then native histograms."""

from __future__ import annotations

from typing import Final, NamedTuple, NoReturn

import numpy as np

from sentinel.decode._remote_write_histogram_plain import read_histogram
from sentinel.decode._remote_write_plain import VERDICTS
from sentinel.decode.columns import Columns
from sentinel.decode.limits import Limits
from sentinel.errors import DecodeError
from sentinel.model import STALE, Bools, Histogram, Int64s, UInt8s, UInt64s

MOST_ITEMS: Final = 1 << 20
"""Of series, strings and samples, each, in one request."""
MOST_KEY_BYTES: Final = 256 << 20
"""What the labels of one request may take, when every series has its own."""
MOST_BUCKETS: Final = 1 << 16
"""From the first bucket of a histogram's side to the last."""
MOST_BUCKETS_TOGETHER: Final = 1 << 23
MOST_HISTOGRAM_BYTES: Final = 16 << 20
"""Of all histograms of one request; those are read in Python."""


class Written(NamedTuple):
    """How many of each some series have."""

    samples: int = 0
    histograms: int = 0
    exemplars: int = 0


class Request(NamedTuple):
    """A request: the rows of its good series, and by series where it lies and what is said of it."""

    version: int
    spans: Int64s
    """By series, where its field begins and ends in the buffer."""
    verdict: Int64s
    """By series, its place in VERDICTS."""
    counts: Int64s
    """By series, the three numbers of `Written`."""
    columns: Columns
    """A row that has a native histogram has no value yet. Keys are spans in `text`."""
    text: UInt8s
    histograms: dict[int, Histogram]
    """By row, ascending."""

    @classmethod
    def empty(cls) -> Request:
        none = np.empty(0, np.int64)
        counts, text = np.empty((0, 3), np.int64), np.empty(0, np.uint8)
        return cls(0, np.empty((0, 2), np.int64), none, counts, Columns.empty(0), text, {})

    def written(self, chosen: Bools) -> Written:
        return Written(*self.counts[chosen].sum(axis=0).tolist())


def read_request(
    buffer: UInt8s, span: tuple[int, int], limits: Limits, latest_ms: int, seed: UInt64s
) -> Request:
    """The request in `span` of the buffer. Raises DecodeError if it has no form, or is too large."""
    from sentinel.decode import _remote_write_kernel as kernel
    from sentinel.decode._remote_write_labels_kernel import Rules

    if span[1] - span[0] > limits.record_bytes:
        refuse("record_too_large", f"{span[1] - span[0]} bytes, at most {limits.record_bytes}")
    version, *sizes = kernel.index_request(buffer, *span, *kernel.tables(0, 0))
    _check(version, max(sizes) <= MOST_ITEMS)
    series, symbols = kernel.tables(*sizes)
    kernel.index_request(buffer, *span, series, symbols)
    rows, histograms, length = kernel.size_series(buffer, version, series, symbols)
    _check(rows, rows <= MOST_ITEMS and length <= MOST_KEY_BYTES)
    room = kernel.Room.of(rows, histograms, length)
    rows, histograms, length = kernel.read_series(
        buffer, version, series, symbols, Rules.of(limits), latest_ms, seed, room
    )
    _check(rows)
    columns, verdict = Columns._make(column[:rows] for column in room.columns), series[:, kernel.VERDICT]
    found = _histograms(buffer, room.histograms[:histograms], verdict, columns)
    spans, counts = series[:, [kernel.FIRST, kernel.END]], series[:, kernel.SAMPLES : kernel.EXEMPLARS + 1]
    return Request(version, spans, verdict, counts, columns, room.text[:length], found)


def _check(code: int, fits: bool = True) -> None:
    if code < 0:
        refuse("invalid_protobuf")
    if not fits:
        refuse("request_too_large", f"more than {MOST_ITEMS} series, strings or samples, or too many labels")


def refuse(reason: str, detail: str = "") -> NoReturn:
    raise DecodeError("remote_write", reason, detail)


def _histograms(buffer: UInt8s, places: Int64s, verdict: Int64s, columns: Columns) -> dict[int, Histogram]:
    """The histograms of good series by row; a staleness marker becomes its row's value.

    A series with one that is wrong gets its verdict.
    """
    found, left = {}, MOST_BUCKETS_TOGETHER
    if (places[:, 1] - places[:, 0]).sum() > MOST_HISTOGRAM_BYTES:
        refuse("request_too_large", f"histograms of more than {MOST_HISTOGRAM_BYTES} bytes")
    for start, end, row, series in places.tolist():
        try:
            histogram = read_histogram(buffer[start:end].tobytes(), MOST_BUCKETS)
        except DecodeError:
            verdict[series] = VERDICTS.index("invalid_histogram")
            continue
        if histogram is None:
            columns.value[row] = STALE
            continue
        found[row] = histogram
        left -= len(histogram.positive) + len(histogram.negative)
        if left < 0:
            refuse("request_too_large", f"histograms of more than {MOST_BUCKETS_TOGETHER} buckets")
    return found
