"""What remote write costs per sample: unpacking, the kernel, and the kernel beside its plain Python twin.

    python -m benchmarks.remote_write [series] [rounds]

Requests as Prometheus sends them: one sample a series, ten labels, 2,000 series a request. All ways run in
turn over the same bytes in one process; figures are CPU time, minimum and median of the rounds. Fails if the
kernel is not at least twenty times as fast as the plain twin, or reads something else.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

import cramjam

from benchmarks.decode import measure
from sentinel.decode import Limits
from sentinel.decode._remote_write_plain import read_request
from sentinel.decode.remote_write import RemoteWriteConfig, RemoteWriteDecoder
from sentinel.model import Payloads, payload_of

NOW_MS = 1_760_000_000_000
BATCH = 2_000
LIMITS = Limits(record_bytes=1 << 30)
T = TypeVar("T")
Series = tuple[list[tuple[str, str]], float]


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def sample(value: float) -> bytes:
    return field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(NOW_MS))


def all_series(count: int) -> list[Series]:
    rng = random.Random(1)
    usual = [("__name__", "http_request_duration_seconds_bucket"), ("cluster", "eu-west-1"), ("job", "api")]
    return [
        (
            [
                *usual,
                ("code", rng.choice(["200", "404", "500"])),
                ("handler", f"/api/v1/things/{rng.randrange(40)}"),
                ("instance", f"10.0.{row // 200}.{row % 200}:8080"),
                ("le", rng.choice(["0.005", "0.1", "1", "+Inf"])),
                ("method", rng.choice(["GET", "POST"])),
                ("namespace", "production"),
                ("pod", f"api-{row // 7:x}-{row % 7}"),
            ],
            rng.uniform(0, 1e6),
        )
        for row in range(count)
    ]


def version_1(series: Iterable[Series]) -> bytes:
    texts = []
    for labels, value in series:
        pairs = b"".join(field(1, field(1, n.encode()) + field(2, v.encode())) for n, v in labels)
        texts.append(field(1, pairs + sample(value)))
    return b"".join(texts)


def version_2(series: Iterable[Series]) -> bytes:
    numbers = {"": 0}
    texts = []
    for labels, value in series:
        refs = [numbers.setdefault(text, len(numbers)) for pair in labels for text in pair]
        texts.append(field(5, field(1, b"".join(map(varint, refs))) + sample(value)))
    return b"".join([*(field(4, text.encode()) for text in numbers), *texts])


def payloads(body: bytes) -> Payloads:
    return payload_of("bench", "remote_write", body, arrival_ms=NOW_MS)


def over(each: Iterable[T], work: Callable[[T], object]) -> None:
    """One after another, as they come; what comes out is dropped."""
    for one in each:
        work(one)


def same(decoder: RemoteWriteDecoder, body: bytes) -> bool:
    batch = decoder.decode(payloads(body)).batch
    _, series = read_request(body, LIMITS, NOW_MS)
    rows = [(at_ms, bits) for one in series for at_ms, bits in one.rows]
    return list(zip(batch.timestamp_ms.tolist(), batch.value.view("u8").tolist(), strict=True)) == rows


def compare(name: str, bodies: list[bytes], samples: int, rounds: int) -> float:
    """How many times as fast as its twin the kernel is."""
    decoder = RemoteWriteDecoder(RemoteWriteConfig(), LIMITS, 60_000)
    assert same(decoder, bodies[0])
    packed = [bytes(cramjam.snappy.compress_raw(body)) for body in bodies]
    units = [payloads(body) for body in bodies]
    print(f"{name}, {sum(map(len, bodies)) / samples:.0f} bytes a sample; minimum, median, ratio")
    medians = measure(
        {
            "kernel, to columns": lambda: over(units, decoder.decode),
            "survey before answering": lambda: over(units, decoder.survey),
            "snappy alone": lambda: over(packed, cramjam.snappy.decompress_raw),
            "plain Python twin": lambda: over(bodies, lambda body: read_request(body, LIMITS, NOW_MS)),
        },
        samples,
        rounds,
    )
    print(f"{'':24} {1e3 / medians['kernel, to columns']:9.1f} M samples/s")
    return medians["plain Python twin"] / medians["kernel, to columns"]


def main(count: int = 20_000, rounds: int = 5) -> None:
    series = all_series(count)
    parts = [series[at : at + BATCH] for at in range(0, count, BATCH)]
    ratios = [
        compare("1.0", [version_1(part) for part in parts], count, rounds),
        compare("2.0", [version_2(part) for part in parts], count, rounds),
    ]
    sys.exit(f"the kernel is only {min(ratios):.0f} times as fast as its twin" if min(ratios) < 20 else 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
