"""One round of samples in each format that is decoded: as many payloads as a source would hand over."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from benchmarks.pushing import METRIC, labels
from benchmarks.remote_write import field, varint
from benchmarks.topic import host, series_text
from sentinel.model import Int64s, Payloads, payload_of

AT_MS = 1_760_000_000_000
FETCH, REQUEST = 10_000, 2_000
"""Records of a fetch, samples of a request."""


def json(numbers: list[int]) -> list[Payloads]:
    """A record a sample."""
    return [_records(part) for part in _parts(numbers, FETCH)]


def _records(numbers: list[int]) -> Payloads:
    texts = [f'{series_text(n)}"value":{value_of(n)},"timestamp":{AT_MS}}}'.encode() for n in numbers]
    length = np.array([len(text) for text in texts])
    end: Int64s = np.cumsum(length)
    rows = np.arange(len(texts))
    whole = payload_of("bench", "json", b"".join(texts), arrival_ms=AT_MS)
    return msgspec.structs.replace(
        whole, start=end - length, end=end, offset=rows, record_ms=rows * 0 + AT_MS, next_offset=len(rows)
    )


def influx(numbers: list[int]) -> list[Payloads]:
    """A line a sample; requests of as many lines as Telegraf sends at once, and then some."""
    lines = (
        f"{METRIC},instance={host(n)},job=service-{n % 50:02},path=/api/v1/things/{n % 40}"
        f",zone=eu-west-1{'abc'[n % 3]} value={value_of(n)} {AT_MS}000000\n".encode()
        for n in numbers
    )
    return _requests("influx", list(lines))


def remote_write(numbers: list[int]) -> list[Payloads]:
    """Version 1.0, a sample a series."""
    series = [
        field(1, labels(n) + field(2, b"\x09" + struct.pack("<d", value_of(n)) + b"\x10" + varint(AT_MS)))
        for n in numbers
    ]
    return _requests("remote_write", series)


def otlp(numbers: list[int]) -> list[Payloads]:
    """Gauges of one resource, a point a series."""
    return [payload_of("bench", "otlp", _export(part), arrival_ms=AT_MS) for part in _parts(numbers, REQUEST)]


def _export(numbers: list[int]) -> bytes:
    stamp = b"\x19" + struct.pack("<Q", AT_MS * 1_000_000)
    points = b"".join(
        field(1, _attributes(n) + stamp + b"\x21" + struct.pack("<d", value_of(n))) for n in numbers
    )
    metric = field(1, METRIC.encode()) + field(5, points)
    return field(1, field(1, field(1, _pair("service.name", "shop"))) + field(2, field(2, metric)))


def _attributes(number: int) -> bytes:
    pairs = (
        ("instance", host(number)),
        ("path", f"/api/v1/things/{number % 40}"),
        ("zone", f"eu-west-1{'abc'[number % 3]}"),
    )
    return b"".join(field(7, _pair(*pair)) for pair in pairs)


def _pair(name: str, text: str) -> bytes:
    return field(1, name.encode()) + field(2, field(1, text.encode()))


def value_of(number: int) -> float:
    return (number * 7919 % 1_000_003) / 1000


FORMATS: dict[str, tuple[str, Callable[[list[int]], list[Payloads]]]] = {
    "JSON": ("json.Json", json),
    "Influx line protocol": ("influx.Influx", influx),
    "remote write": ("remote_write.RemoteWrite", remote_write),
    "OTLP": ("otlp.Otlp", otlp),
}


def decoder(which: str, limits: Any) -> Any:
    """The product's decoder with its defaults."""
    module, _, name = which.partition(".")
    kind = getattr(importlib.import_module(f"sentinel.decode.{module}"), f"{name}Decoder")
    return kind(kind.Config(), limits, 60_000)


def _requests(format: str, pieces: list[bytes]) -> list[Payloads]:
    return [payload_of("bench", format, b"".join(part), arrival_ms=AT_MS) for part in _parts(pieces, REQUEST)]


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))
