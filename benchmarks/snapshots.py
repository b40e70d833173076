"""How long a snapshot of many series holds up the engine, what it costs meanwhile, and how soon it is back.

An engine with a rule takes in `--series` series of 21 samples in random order; then a snapshot is taken while
it goes on taking in as fast as it can. Another process restores it. Exits 1 if the inbox stood still for
longer than `--max-stall` seconds or the restore took longer than `--max-restore`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sentinel.decode import Limits
from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.engine import Engine, Settings
from sentinel.host.accounts import Accounts
from sentinel.host.checkpoint import Checkpoints, Mark, State, capture
from sentinel.model import Payloads
from sentinel.rules.load import parse_rules
from sentinel.telemetry import SNAPSHOT_STALL

SAMPLES: int = 21
STEP_MS: int = 15_000
START_MS: int = 1_760_000_000_000
BATCH: int = 20_000
RULES = """groups: [{name: a, interval: 15s, rules: [
  {record: "job:requests:rate5m", expr: "sum by (job) (rate(http_requests_total[5m]))"}]}]"""


def new_engine() -> Engine:
    return Engine(parse_rules(RULES, "rules.yml"), Settings(sources=("telemetry",)))


def payloads(numbers: list[int], at_ms: int) -> Payloads:
    """One sample at `at_ms` of each of these series."""
    records = [
        b'{"name":"http_requests_total","labels":{"job":"service-%02d","instance":"10.%d.%d.%d:9100",'
        b'"zone":"eu-west-1%c"},"value":%d.%03d,"timestamp":%d}'
        % (
            n % 50,
            n >> 16,
            n >> 8 & 255,
            n & 255,
            97 + n % 3,
            n % 97 * at_ms % 1_000_003,
            n % 1000,
            at_ms + n % 15_000,
        )
        for n in numbers
    ]
    ends = np.cumsum([len(record) for record in records], dtype=np.int64)
    return Payloads(
        source="telemetry",
        partition="telemetry/0",
        format="json",
        buffer=np.frombuffer(b"".join(records), np.uint8),
        start=np.concatenate([np.zeros(1, np.int64), ends[:-1]]),
        end=ends,
        offset=np.arange(len(records)),
        record_ms=np.full(len(records), at_ms),
        next_offset=len(records),
        arrival_ms=at_ms + 3_600_000,
    )


def batches(series: int, rounds: range) -> Iterator[Payloads]:
    """Every series once a round, in random order."""
    draw = np.random.default_rng(7)
    for number in rounds:
        order = draw.permutation(series).tolist()
        for start in range(0, series, BATCH):
            yield payloads(order[start : start + BATCH], START_MS + number * STEP_MS)


def memory_mb(pid: int | str, field: str) -> float:
    """A figure of `smaps_rollup`; 0 of a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def child_of(pid: str) -> str:
    found = Path(f"/proc/{pid}/task")
    return " ".join(path.read_text() for path in found.glob("*/children")).strip()


def take(series: int, folder: Path) -> float:
    """Fill, take one snapshot under full load, print the figures; returns the stall in seconds."""
    engine, decoder = new_engine(), JsonDecoder(JsonConfig(), Limits(), 60_000)
    engine.store.windows.horizon_ms = START_MS

    def ingest(part: Payloads) -> float:
        batch = decoder.decode(part).batch
        begun = time.perf_counter()
        engine.ingest("telemetry", batch)
        return time.perf_counter() - begun

    filling = [ingest(part) for part in batches(series, range(SAMPLES))]
    kept: list[Mark] = []
    checkpoints = Checkpoints(folder, kept.append)
    before, begun = memory_mb("self", "Pss"), time.perf_counter()
    checkpoints.take(lambda: capture(engine, {}, Accounts()), Mark(0, 0, {}))
    found = (sample for metric in SNAPSHOT_STALL.collect() for sample in metric.samples)
    seconds = sum(sample.value for sample in found if sample.name.endswith("_sum"))
    print(
        f"memory before {before:.0f} MB; filled in {sum(filling):.1f} s; stall {seconds * 1000:.1f} ms",
        flush=True,
    )
    slowest, most, rows = 0.0, 0.0, 0
    for part in batches(series, range(SAMPLES, 1000)):
        slowest, rows = max(slowest, ingest(part)), rows + len(part)
        if not checkpoints.busy:
            break
        most = max(most, memory_mb("self", "Pss") + memory_mb(child_of("self"), "Pss"))
    checkpoints.finish()
    took, size = time.perf_counter() - begun, (folder / "snapshot.bin").stat().st_size
    assert kept and not checkpoints.trouble, checkpoints.trouble
    print(
        f"kept after {took:.1f} s, {size / 1e6:.0f} MB; {rows} samples meanwhile, "
        f"slowest batch {slowest * 1000:.0f} ms "
        f"(before {max(filling) * 1000:.0f}); both processes {most:.0f} MB",
        flush=True,
    )
    return seconds


def restore(folder: Path) -> float:
    """Restore into a fresh engine; returns the seconds it took."""
    engine, begun, cpu = new_engine(), time.perf_counter(), time.process_time()
    read = 0.0

    def take(state: State) -> None:
        nonlocal read
        read = time.perf_counter() - begun
        engine.restore(state["engine"])

    assert Checkpoints(folder, lambda mark: None).restore(take)
    took = time.perf_counter() - begun
    print(
        f"restored {len(engine.store.index)} series in {took:.1f} s ({read:.1f} s of it reading), "
        f"{time.process_time() - cpu:.1f} CPU s, {memory_mb('self', 'Pss'):.0f} MB"
    )
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--max-stall", type=float, default=0.1)
    parser.add_argument("--max-restore", type=float, default=60.0)
    parser.add_argument("--restore", type=Path, help="restore from this folder, and nothing else")
    given = parser.parse_args()
    if given.restore:
        sys.exit(restore(given.restore) > given.max_restore)
    with tempfile.TemporaryDirectory() as name:
        stall = take(given.series, Path(name))
        again = [sys.executable, "-m", "benchmarks.snapshots", "--restore", name]
        slow = subprocess.run([*again, "--max-restore", str(given.max_restore)], check=False).returncode
    sys.exit(bool(slow) or stall > given.max_stall)


if __name__ == "__main__":
    main()
