"""What decoding costs per sample: kernels beside their plain twins and beside the usual ways.

    python benchmarks/decode.py [samples] [rounds]

All ways run in turn (A B A B) over the same records in one process; figures are CPU time, minimum and median
of the rounds, and ratios of medians to the kernel's. Only the ratios mean anything on another machine. Fails
if a kernel is not at least three times as fast as `json.loads`, or does not read what its twin reads.
"""

from __future__ import annotations

import io
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import fastavro
import msgspec
import numpy as np

from sentinel.app.warm import warm
from sentinel.decode import Limits
from sentinel.decode.avro import AvroConfig, AvroDecoder
from sentinel.decode.influx import InfluxConfig, InfluxDecoder, split_points
from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.decode.openmetrics import OpenMetricsConfig, OpenMetricsDecoder
from sentinel.decode.rows import Scanned
from sentinel.model import Decoded, Payloads, payload_of

NOW_MS = 1_760_000_000_000


class PlainJson(JsonDecoder):
    """The twin alone."""

    def _scan(self, *unused: Any) -> None: ...


class PlainOpenMetrics(OpenMetricsDecoder):
    """The twin alone."""

    def _scan(self, *unused: Any) -> int:
        return -1


class PlainInflux(InfluxDecoder):
    """The twin alone."""

    def _scan(self, payloads: Payloads, times: Any) -> Scanned:
        return Scanned.nothing(payloads)


class Record(msgspec.Struct, gc=False):
    """What msgspec needs to know to read a record at its fastest."""

    name: str
    labels: dict[str, str]
    value: float
    timestamp: int


def json_records(count: int) -> list[bytes]:
    """About 150 bytes each, values of 17 digits, 10,000 series in random order."""
    rng = random.Random(1)
    return [
        json.dumps(
            {
                "name": "http_requests_total",
                "labels": {"job": "api", "instance": f"10.0.{rng.randrange(100)}.{rng.randrange(100)}:80"},
                "value": rng.uniform(0, 1e6),
                "timestamp": NOW_MS - rng.randrange(1000),
            }
        ).encode()
        for _ in range(count)
    ]


def exposition(count: int) -> bytes:
    rng = random.Random(2)
    lines = [
        f'http_requests_total{{job="api",instance="10.0.0.{row}:80",code="200"}} {rng.uniform(0, 1e6)!r}\n'
        for row in range(count)
    ]
    return b"# TYPE http_requests_total counter\n" + "".join(lines).encode()


def events(count: int) -> list[tuple[dict[str, str], dict[str, float]]]:
    """Tags and three fields of Telegraf's `cpu`, values of 17 digits."""
    rng = random.Random(3)
    return [
        (
            {
                "cpu": f"cpu{rng.randrange(64)}",
                "host": f"web-{rng.randrange(1000)}.example.com",
                "region": "eu",
            },
            {f"usage_{name}": rng.uniform(0, 100) for name in ("idle", "user", "system")},
        )
        for _ in range(count)
    ]


def influx_line(tags: dict[str, str], fields: dict[str, float]) -> bytes:
    parts = (",".join(f"{name}={value}" for name, value in each.items()) for each in (tags, fields))
    return f"cpu,{' '.join(parts)} {NOW_MS}000000".encode()


def telegraf_json(tags: dict[str, str], fields: dict[str, float]) -> bytes:
    event = {"fields": fields, "name": "cpu", "tags": tags, "timestamp": NOW_MS // 1000}
    return json.dumps(event, separators=(",", ":")).encode()


def split_line(line: str) -> list[tuple[str, dict[str, str], float, int]]:
    """The usual way in Python: no escapes, no strings, no checks."""
    series, fields, time_ns = line.split(" ")
    measurement, *tags = series.split(",")
    labels = dict(tag.split("=") for tag in tags)
    pairs = (field.split("=") for field in fields.split(","))
    return [(f"{measurement}_{name}", labels, float(value), int(time_ns)) for name, value in pairs]


def payloads(records: list[bytes]) -> Payloads:
    length = np.array([len(record) for record in records], np.int64)
    whole = payload_of("bench", "json", b"".join(records), arrival_ms=NOW_MS)
    end, rows = np.cumsum(length), np.arange(len(records))
    return msgspec.structs.replace(
        whole, start=end - length, end=end, offset=rows, record_ms=rows * 0 + NOW_MS
    )


def same(ours: Decoded, plain: Decoded) -> bool:
    """Whether both took the same samples; labels are compared on a few rows."""
    a, b = ours.batch, plain.batch
    rows = range(0, len(a), max(1, len(a) // 50))
    return (
        ours.refused == plain.refused
        and a.value.tobytes() == b.value.tobytes()
        and a.timestamp_ms.tobytes() == b.timestamp_ms.tobytes()
        and all(a.labels(row) == b.labels(row) for row in rows)
    )


def measure(ways: dict[str, Callable[[], object]], samples: int, rounds: int) -> dict[str, float]:
    """Prints minimum, median and ratio of each way; returns the medians in ns per sample."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            spent[name].append((time.process_time() - begin) / samples * 1e9)
    medians = {name: statistics.median(times) for name, times in spent.items()}
    first = next(iter(medians.values()))
    for name, times in spent.items():
        print(f"{name:32} {min(times):9.0f} {medians[name]:9.0f} ns  x{medians[name] / first:.1f}")
    return medians


def many_values(samples: int, rounds: int) -> None:
    """Line protocol and Telegraf's JSON: three samples a record."""
    found, limits = events(samples // 3), Limits()
    lines, texts = ([write(*each) for each in found] for write in (influx_line, telegraf_json))
    body, many, told = b"\n".join(lines), payloads(lines), payloads(texts)
    scan, plain = (kind(InfluxConfig(), limits, 60_000) for kind in (InfluxDecoder, PlainInflux))
    assert same(scan.decode(many), plain.decode(many))
    telegraf = JsonDecoder(JsonConfig(labels="tags", fields="fields", timestamp_unit="s"), limits, 60_000)
    assert telegraf.decode(told).batch.value.tobytes() == scan.decode(many).batch.value.tobytes()
    print(f"Line protocol, {len(body) // len(lines)} bytes a line with three fields")
    ways = {
        "kernel, to columns": lambda: scan.decode(many),
        "plain twin, to columns": lambda: plain.decode(many),
        "split in Python, objects only": lambda: [split_line(line.decode()) for line in lines],
        "to lines, before that": lambda: split_points("bench", "influx", body, arrival_ms=NOW_MS),
        "Telegraf's JSON, to columns": lambda: telegraf.decode(told),
        "Telegraf's JSON, json.loads": lambda: [json.loads(text) for text in texts],
    }
    measure(ways, 3 * len(lines), rounds)


def avro(records: list[bytes], values: bytes, rounds: int) -> None:
    """The samples of JSON records as Avro's."""
    decoder = AvroDecoder(AvroConfig(), Limits(), 60_000)
    schema, bodies = decoder.schemas.find(1), []
    for record in records:
        fastavro.schemaless_writer(out := io.BytesIO(), schema, json.loads(record))
        bodies.append(out.getvalue())
    many = payloads([b"\0\0\0\0\1" + body for body in bodies])
    assert decoder.decode(many).batch.value.tobytes() == values
    print(f"Avro, {sum(map(len, bodies)) // len(bodies)} bytes")
    ways = {
        "to columns": lambda: decoder.decode(many),
        "fastavro, objects only": lambda: [
            fastavro.schemaless_reader(io.BytesIO(body), schema, None) for body in bodies
        ],
    }
    measure(ways, len(bodies), rounds)


def main(samples: int = 50_000, rounds: int = 7) -> None:
    warm()
    records, text = json_records(samples), exposition(samples)
    limits = Limits(record_bytes=1 << 30)
    one, many = payload_of("bench", "openmetrics", text, arrival_ms=NOW_MS), payloads(records)
    scan, plain = (kind(JsonConfig(), limits, 60_000) for kind in (JsonDecoder, PlainJson))
    lines, slow = (
        kind(OpenMetricsConfig(), limits, 60_000) for kind in (OpenMetricsDecoder, PlainOpenMetrics)
    )
    assert same(scan.decode(many), plain.decode(many))
    assert same(lines.decode(one), slow.decode(one))
    typed = msgspec.json.Decoder(Record)
    print(f"JSON, {sum(map(len, records)) / samples:.0f} bytes; ns per sample: minimum, median, ratio")
    medians = measure(
        {
            "kernel, to columns": lambda: scan.decode(many),
            "plain twin, to columns": lambda: plain.decode(many),
            "json.loads, objects only": lambda: [json.loads(record) for record in records],
            "msgspec Struct, objects only": lambda: [typed.decode(record) for record in records],
        },
        samples,
        rounds,
    )
    print(f"Exposition, {len(text) / samples:.0f} bytes a line")
    measure(
        {"kernel, to columns": lambda: lines.decode(one), "plain twin, to columns": lambda: slow.decode(one)},
        samples,
        rounds,
    )
    many_values(samples, rounds)
    avro(records, scan.decode(many).batch.value.tobytes(), rounds)
    ratio = medians["json.loads, objects only"] / medians["kernel, to columns"]
    sys.exit(f"the kernel is only {ratio:.1f} times as fast as json.loads" if ratio < 3 else 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
