"""Series as remote write requests of version 1, in the order in which a sender would send them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Final

import cramjam

from sentinel.model import STALE_BITS
from tests.differential.series import Series
from tests.unit.decode.remote_write_encoder import sample, series

SLICE_MS: Final = 300_000


def requests(data: Sequence[Series]) -> Iterator[bytes]:
    """Requests of five minutes each: no series is ever far behind the others."""
    first_ms = min(each.times[0] for each in data)
    last_ms = max(each.times[-1] for each in data)
    for start_ms in range(first_ms, last_ms + 1, SLICE_MS):
        found = [_series(each, start_ms, start_ms + SLICE_MS) for each in data]
        yield bytes(cramjam.snappy.compress_raw(b"".join(found)))


def send(url: str, data: Sequence[Series]) -> None:
    """Posts all of it to `<url>/api/v1/write`. Fails with the receiver's words."""
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    for body in requests(data):
        request = urllib.request.Request(f"{url}/api/v1/write", data=body, headers=headers)
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{url} answers {refusal.code}: {refusal.read().decode()}") from None


def _series(one: Series, start_ms: int, end_ms: int) -> bytes:
    points = [point for point in zip(one.times, one.values, strict=True) if start_ms <= point[0] < end_ms]
    if not points:
        return b""
    pairs = sorted(one.labels.items())
    return series(pairs, *(sample(STALE_BITS if value is None else value, time) for time, value in points))
