"""Whole windows of many series by remote write, with past timestamps, so that nobody waits for them."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator

import cramjam
import numpy as np

from benchmarks.remote_write import field
from benchmarks.topic import host
from sentinel.model import Int64s

METRIC = "http_requests_total"
SHAPES = 1000
"""So many different courses of values are shared out among the series."""
REQUEST_BYTES = 4 << 20
_ENTRY = 18
"""Bytes of a sample: its head, a double, a timestamp of six bytes."""


def labels(number: int) -> bytes:
    """Five labels, as remote write has them."""
    pairs = (
        ("__name__", METRIC),
        ("instance", host(number)),
        ("job", f"service-{number % 50:02}"),
        ("path", f"/api/v1/things/{number % 40}"),
        ("zone", f"eu-west-1{'abc'[number % 3]}"),
    )
    return b"".join(field(1, field(1, n.encode()) + field(2, v.encode())) for n, v in pairs)


def courses(timestamps_ms: Int64s, seed: int = 5) -> list[bytes]:
    """Samples of counters at these times: whole numbers that grow by 0 to some thousands a step."""
    draw = np.random.default_rng(seed)
    busy = draw.lognormal(3, 2, (SHAPES, 1))
    values = draw.poisson(busy, (SHAPES, len(timestamps_ms))).cumsum(axis=1).astype("<f8")
    out = np.empty((SHAPES, len(timestamps_ms), _ENTRY), np.uint8)
    out[..., :3], out[..., 11] = (0x12, _ENTRY - 2, 0x09), 0x10
    out[..., 3:11] = values.view(np.uint8).reshape(*values.shape, 8)
    for byte in range(6):
        more = 0x80 if byte < 5 else 0
        out[..., 12 + byte] = (timestamps_ms >> 7 * byte) & 0x7F | more
    return [shape.tobytes() for shape in out]


def requests(first: int, last: int, samples: list[bytes]) -> Iterator[bytes]:
    """Bodies, unpacked, with all samples of series `first` to `last` - 1."""
    many = max(1, REQUEST_BYTES // (len(samples[0]) + 150))
    for begin in range(first, last, many):
        numbers = range(begin, min(begin + many, last))
        yield b"".join(field(1, labels(number) + samples[number % SHAPES]) for number in numbers)


def push(port: int, bodies: Iterator[bytes]) -> None:
    """One request after the other over one connection; what is refused for the moment is sent again."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    kind = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    for body in bodies:
        packed = bytes(cramjam.snappy.compress_raw(body))
        while True:
            connection.request("POST", "/api/v1/write", packed, kind)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status < 300:
                break
            assert answer.status in (429, 503), f"{answer.status}: {said[:500]!r}"
            time.sleep(0.2)
    connection.close()
