"""Prometheus remote write, 1.0 and 2.0: a record is one request, unpacked.

A request is refused if its form is wrong or one of its series is bad; who can answer its sender asks for a
`survey` first, which cuts the bad series out. Exemplars, metadata and start timestamps are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar

import msgspec
import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode._remote_write_plain import VERDICTS
from sentinel.decode._remote_write_request import Request, Written, read_request
from sentinel.decode.columns import Columns
from sentinel.decode.limits import Limits
from sentinel.decode.timestamps import bounds
from sentinel.errors import DecodeError
from sentinel.model import Decoded, Labels, Payloads, SampleBatch, payload_of
from sentinel.model.histogram import BOX_BITS

__all__ = ["RemoteWriteConfig", "RemoteWriteDecoder", "Survey", "Written"]

_PAIR = re.compile(rb'"((?:[^"\\]|\\.)*+)"="((?:[^"\\]|\\.)*+)",', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


class RemoteWriteConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class Survey(msgspec.Struct, frozen=True):
    """What a request holds."""

    version: int
    """1 or 2, as its fields are numbered; 0 where it has no series."""
    good: Payloads | None
    """The request without its bad series; None if it has no samples then."""
    written: Written
    """What good series have."""
    refused: Written
    """What bad series have."""
    reasons: dict[str, int]
    """How many series are bad, by reason."""


class RemoteWriteDecoder:
    """One request per record."""

    Config: ClassVar = RemoteWriteConfig
    REASONS: ClassVar[frozenset[str]] = frozenset(
        ["record_too_large", "invalid_protobuf", "request_too_large", *VERDICTS[1:]]
    )
    EXAMPLES: ClassVar[tuple[bytes, ...]] = (
        b"\n.\n\x0e\n\x08__name__\x12\x02up\n\n\n\x03job\x12\x03api\x12\x10\t\0\0\0"
        b"\0\0\0\xf0?\x10\x80\x80\xb3\xc1\x9c3",
        b'"\0"\x08__name__"\x02up"\x03job"\x03api*\x18\n\x04'
        b"\x01\x02\x03\x04\x12\x10\t\0\0\0\0\0\0\xf0?\x10\x80\x80\xb3\xc1\x9c3",
    )

    def __init__(self, config: RemoteWriteConfig, limits: Limits, max_future_ms: int) -> None:
        self._limits, self._max_future_ms = limits, max_future_ms

    def decode(self, payloads: Payloads) -> Decoded:
        good: list[tuple[int, Request]] = []
        refused = []
        for record, request in enumerate(self._requests(payloads)):
            if isinstance(request, DecodeError):
                refused.append((record, request.reason))
            elif request.verdict.any():
                refused.append((record, VERDICTS[request.verdict[request.verdict.nonzero()[0][0]]]))
            else:
                good.append((record, request))
        return Decoded(_batch(payloads, good), refused)

    def survey(self, payloads: Payloads) -> Survey:
        """Of the one record in `payloads`. Raises DecodeError if its form is wrong."""
        (request,) = self._requests(payloads)
        if isinstance(request, DecodeError):
            raise request
        bad = request.verdict > 0
        written = request.written(~bad)
        good = (payloads if not bad.any() else _without(payloads, request)) if any(written[:2]) else None
        counts = np.bincount(request.verdict, minlength=len(VERDICTS)).tolist()
        reasons = {reason: count for reason, count in zip(VERDICTS, counts, strict=True) if reason and count}
        return Survey(request.version, good, written, request.written(bad), reasons)

    def _requests(self, payloads: Payloads) -> Iterator[Request | DecodeError]:
        """Each record's request, or why there is none."""
        latest_ms = bounds(payloads, self._max_future_ms).latest_ms.tolist()
        spans = zip(payloads.start.tolist(), payloads.end.tolist(), strict=True)
        seed = seed_of(payloads.target)
        for span, latest in zip(spans, latest_ms, strict=True):
            try:
                yield read_request(payloads.buffer, span, self._limits, latest, seed)
            except DecodeError as error:
                yield error


def _without(payloads: Payloads, request: Request) -> Payloads:
    """The one record of these payloads without the bad series."""
    cuts = request.spans[request.verdict > 0].ravel().tolist()
    edges = [int(payloads.start[0]), *cuts, int(payloads.end[0])]
    kept = b"".join(payloads.buffer[a:b].tobytes() for a, b in zip(edges[::2], edges[1::2], strict=True))
    return payload_of(payloads.source, payloads.format, kept, arrival_ms=payloads.arrival_ms)


def _batch(payloads: Payloads, good: list[tuple[int, Request]]) -> SampleBatch:
    """The rows of these requests, by record; their histograms are boxed in the order of the rows."""
    requests = [request for _, request in good] or [Request.empty()]
    rows = [len(request.columns.value) for request in requests]
    text_base = row_base = 0
    boxed_rows: list[int] = []
    for request, count in zip(requests, rows, strict=True):
        request.columns.key[:] += text_base
        boxed_rows += [row_base + row for row in request.histograms]
        text_base += len(request.text)
        row_base += count
    columns = Columns._make(map(_joined, zip(*(each.columns for each in requests), strict=True)))
    boxes = np.arange(len(boxed_rows), dtype=np.uint64) | np.uint64(BOX_BITS)
    columns.value[boxed_rows] = boxes.view(np.float64)
    record = np.repeat([record for record, _ in good] or [0], rows)
    text = _joined([request.text for request in requests])
    batch = columns.batch(payloads, text, record, slice(None), read_labels)
    histograms = tuple(chain.from_iterable(request.histograms.values() for request in requests))
    return msgspec.structs.replace(batch, histograms=histograms)


def _joined(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_labels(name: bytes, labels: bytes) -> Labels:
    """The label set of one key."""
    pairs = {_plain(label): _plain(value) for label, value in _PAIR.findall(labels)}
    return Labels({**pairs, "__name__": _plain(name)})


def _plain(text: bytes) -> str:
    return _ESCAPE.sub(rb"\1", text).decode()
