"""A small world to replay: services with noise, spikes, late and doubled samples, over a few partitions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from sentinel.decode.json import JsonDecoder
from sentinel.decode.limits import Limits
from sentinel.engine import Engine, Settings
from sentinel.model import AlertEvent, Labels, Payloads
from sentinel.rules.load import RuleGroup, parse_rules
from sentinel.store.journal import Step

RULES = """
groups:
  - name: first
    interval: 1s
    rules:
      - {record: "service:load", expr: "sum by (service) (load)"}
      - alert: Hot
        expr: service:load > 50
        for: 2s
        keep_firing_for: 3s
        labels: {severity: page, size: "{{ if gt $value 90.0 }}large{{ else }}small{{ end }}"}
        annotations: {summary: "{{ $labels.service }} at {{ $value }}"}
      - alert: Swings
        expr: service:load > 31
        resolve_expr: service:load < 29
        flap: {changes: 3, within: 20s, hold: 3s}
      - {alert: Rising, expr: "max by (service) (rate(work_total[10s])) > 3"}
  - name: second
    interval: 2s
    rules:
      - record: load:anomaly
        expr: avg by (service) (load)
        detector: deviation
        with: {sensitivity: 0.0001, warmup: 20}
      - {alert: Odd, expr: "load:anomaly > 1", for: 2s}
      - {alert: Absent, expr: 'absent(load{service="s9"})'}
"""
START_MS = 1_760_000_000_000
PARTITIONS = 3
Record = tuple[int, int, bytes]
"""(partition, time in ms, value)"""


def groups(text: str = RULES) -> list[RuleGroup]:
    return parse_rules(text, "rules.yml")


def new_engine(rules: Sequence[RuleGroup] | None = None) -> Engine:
    settings = Settings(
        sources=("telemetry",), external_labels=Labels({"region": "r"}), external_url="http://s"
    )
    return Engine(groups() if rules is None else rules, settings)


def records(seed: int, seconds: int = 60, *, untidy: bool = True) -> list[Record]:
    """In the order of their arrival; if `untidy`, a few are late or come twice."""
    random_ = random.Random(seed)
    hot = {random_.randrange(4): random_.randrange(35, 45) for _ in range(2)}
    out: list[Record] = []
    for second in range(seconds):
        for number in range(12):
            service, labels = number % 4, {"service": f"s{number % 4}", "instance": str(number)}
            spike = 30.0 if 0 <= second - hot.get(service, 99) < 10 else 0.0
            at = (
                START_MS
                + second * 1000
                + random_.randrange(900)
                - (1500 if untidy and random_.random() < 0.05 else 0)
            )
            values = {"load": random_.gauss(10, 1) + spike, "work_total": second * (1.0 + spike)}
            for name, value in values.items():
                body = {"name": name, "labels": labels, "value": value, "timestamp": at}
                record = (number % PARTITIONS, at, msgspec.json.encode(body))
                out += [record] * (2 if untidy and random_.random() < 0.02 else 1)
    return out


def payloads(partition: int, offset: int, values: Sequence[bytes], arrival_ms: int = START_MS) -> Payloads:
    sizes = np.array([len(value) for value in values], np.int64)
    ends = np.cumsum(sizes)
    rows = np.arange(len(values), dtype=np.int64)
    return Payloads(
        source="telemetry",
        partition=f"telemetry/{partition}",
        format="json",
        buffer=np.frombuffer(b"".join(values), np.uint8),
        start=ends - sizes,
        end=ends,
        offset=offset + rows,
        record_ms=np.full(len(rows), -1, np.int64),
        next_offset=offset + len(values),
        arrival_ms=arrival_ms,
    )


def decoder() -> JsonDecoder:
    return JsonDecoder(JsonDecoder.Config(), Limits(), 10**9)


def seconds_of(all_records: Sequence[Record]) -> Iterator[tuple[int, list[list[bytes]]]]:
    """(second, the values that arrived in it by partition)."""
    # Arrival order is production order; the second is that of the producer, whatever the timestamp says.
    per_second = len(all_records) // 60
    for second in range(60):
        last = None if second == 59 else (second + 1) * per_second
        part = all_records[second * per_second : last]
        yield second, [[value for p, _, value in part if p == number] for number in range(PARTITIONS)]


def steps_at(second: int) -> list[Step]:
    at = START_MS + second * 1000
    return [Step("rules.yml;first", at)] + ([Step("rules.yml;second", at)] if second % 2 == 0 else [])


def replay(
    engine: Engine, all_records: Sequence[Record], shuffle: random.Random, batch: int
) -> list[AlertEvent]:
    """Feed everything, evaluating once a second; partitions interleave as `shuffle` has it, in batches."""
    decode, events = decoder().decode, []
    for second, partitions in seconds_of(all_records):
        chunks = {
            number: [values[i : i + batch] for i in range(0, len(values), batch)]
            for number, values in enumerate(partitions)
        }
        while any(chunks.values()):
            number = shuffle.choice([n for n, left in chunks.items() if left])
            engine.ingest("telemetry", decode(payloads(number, 0, chunks[number].pop(0))).batch)
        events += engine.advance(steps_at(second))
    return events
