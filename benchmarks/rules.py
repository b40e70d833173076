"""Rule evaluation and memory per series, beside Prometheus on the same targets in one run.

Both programs scrape one exporter. In turn, neither has rules but one that keeps the windows, then 1,000
narrow alerting rules (100 series each), then 10 wide ones (all series). CPU time of the first phase, which is
that of scraping, is taken off the others. Last, the exporter serves twice as many series to the wide rules,
and the memory that took more is divided by their number. Exits 1 below the ratios asked for; skips without
Prometheus.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.rules_exporter import TARGETS, Exporter
from tests.integration.configuration import one_webhook
from tests.integration.daemon import Daemon, cpu_seconds
from tests.integration.waiting import free_ports, wait_until

SCRAPE_SECONDS = 5
WINDOW = "100s"
"""Twenty samples of each series."""
SETTLE_SECONDS = 20.0
MEASURE_SECONDS = 60.0


def narrow() -> list[dict[str, Any]]:
    """1,000 alerting rules, each over the 100 paths of one service on one target."""
    return [
        _alert(f"Narrow{i}", f'rate(req_total{{service="s{i % 100}",shard="t{i // 100}"}}[{WINDOW}]) > 1e9')
        for i in range(1000)
    ]


def wide() -> list[dict[str, Any]]:
    """10 alerting rules over all series, no two with a sub-expression in common but the rate."""
    by = ("service", "path", "shard", "instance", "job")
    sums = [_alert(f"Sum{i}", f"sum by ({by[i]}) (rate(req_total[{WINDOW}])) > 1e12") for i in range(5)]
    return sums + [_alert(f"Each{i}", f"rate(req_total[{80 + i}s]) > 1e9") for i in range(5)]


def _alert(name: str, expr: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        "for": "1m",
        "annotations": {"summary": "{{ $labels.path }} {{ $value }}"},
    }


def rule_file(rules: list[dict[str, Any]], interval: str) -> str:
    """The keeper of the windows, and what is measured."""
    keeper = {"record": "kept", "expr": f"count(rate(req_total[{WINDOW}]))"}
    groups: list[dict[str, Any]] = [{"name": "keeper", "interval": "1h", "rules": [keeper]}]
    if rules:
        groups.append({"name": "measured", "interval": interval, "rules": rules})
    return yaml.safe_dump({"groups": groups})


class Program(NamedTuple):
    """One of the two, running: how to look at it and how to give it other rules."""

    name: str
    pid: int
    url: str
    rules: Path
    evaluations: str
    """Its counter of rule evaluations."""

    def load(self, text: str) -> None:
        self.rules.write_text(text)
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        with urllib.request.urlopen(request, timeout=120):
            pass

    def evaluated(self) -> float:
        """Rule evaluations so far, those of the keeper left out."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        samples = [sample for family in families for sample in family.samples]
        return sum(s.value for s in samples if s.name == self.evaluations and "measured" in str(s.labels))

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024


def prometheus(folder: Path, exporter: Exporter) -> tuple[subprocess.Popen[bytes], Program]:
    (port,) = free_ports(1)
    config = {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "15s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "bench", "static_configs": [{"targets": exporter.targets}]}],
    }
    (folder / "prom.yml").write_text(yaml.safe_dump(config))
    (folder / "rules.yml").write_text(rule_file([], ""))
    command = [
        shutil.which("prometheus") or "",
        f"--config.file={folder / 'prom.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-lifecycle",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    return process, Program(
        "prometheus", process.pid, url, folder / "rules.yml", "prometheus_rule_evaluations_total"
    )


def sentinel(folder: Path, exporter: Exporter) -> tuple[Daemon, Program]:
    scrape = {"targets": exporter.targets, "interval": f"{SCRAPE_SECONDS}s"}
    config = {
        "global": {"evaluation_interval": "15s"},
        "sources": [{"name": "bench", "scrape": scrape, "limits": {"series": 1_000_000}}],
        "rule_files": ["rules.yml"],
        "alerting": {"config_file": "alertmanager.yml"},
    }
    daemon = Daemon(folder, config)
    daemon.write("alertmanager.yml", one_webhook("http://127.0.0.1:9/"))
    daemon.write("rules.yml", rule_file([], ""))
    daemon.start()
    assert daemon.process is not None
    rules = folder / "rules.yml"
    return daemon, Program(
        "sentinel", daemon.process.pid, daemon.url, rules, "sentinel_rule_evaluations_total"
    )


class Cost(NamedTuple):
    """What a phase took of one program."""

    cpu_seconds: float
    evaluations: float


def measure(programs: list[Program], rules: list[dict[str, Any]], interval: str) -> list[Cost]:
    """Both programs at once, over the same stretch of time."""
    for program in programs:
        program.load(rule_file(rules, interval))
    time.sleep(SETTLE_SECONDS)
    before = [(cpu_seconds(each.pid), each.evaluated()) for each in programs]
    time.sleep(MEASURE_SECONDS)
    after = [(cpu_seconds(each.pid), each.evaluated()) for each in programs]
    return [Cost(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, after, strict=True)]


def per_evaluation(programs: list[Program], name: str, interval: str, idle: list[Cost]) -> float:
    """Prints a line of the table; returns Prometheus's CPU time per evaluation by Sentinel's."""
    costs = measure(programs, narrow() if name == "narrow" else wide(), interval)
    each = [
        max(cost.cpu_seconds - base.cpu_seconds, 0.01) / max(cost.evaluations, 1)
        for cost, base in zip(costs, idle, strict=True)
    ]
    ratio = each[0] / each[1]
    print(f"{name:8} {each[0] * 1e3:12.3f} ms {each[1] * 1e3:12.3f} ms {ratio:8.1f}x", flush=True)
    return ratio


def memory_slope(programs: list[Program], exporter: Exporter, fill_seconds: float) -> float:
    """Doubles the series while the wide rules run; returns theirs by ours of the bytes per added series."""
    before, count = [each.resident_bytes() for each in programs], exporter.series
    exporter.double()
    time.sleep(fill_seconds)
    more = [(each.resident_bytes() - start) / count for each, start in zip(programs, before, strict=True)]
    print(f"{'memory':8} {more[0]:13.0f} B {more[1]:13.0f} B {more[0] / more[1]:8.1f}x", flush=True)
    return more[0] / more[1]


def compare(folder: Path, fill_seconds: float) -> list[float]:
    with Exporter() as exporter:
        (folder / "prometheus").mkdir()
        (folder / "sentinel").mkdir()
        process, theirs = prometheus(folder / "prometheus", exporter)
        daemon = None
        try:
            daemon, ours = sentinel(folder / "sentinel", exporter)
            programs = [theirs, ours]
            wait_until(lambda: _answers(theirs), timeout=60, what="Prometheus")
            print(f"filling windows for {fill_seconds:.0f} s", flush=True)
            time.sleep(fill_seconds)
            idle = measure(programs, [], "")
            print(
                f"{exporter.series} series on {TARGETS} targets; CPU time per evaluation, memory per series"
            )
            print(f"{'':8} {'prometheus':>15} {'sentinel':>15} {'ratio':>9}")
            ratios = [per_evaluation(programs, "narrow", "5s", idle)]
            ratios.append(per_evaluation(programs, "wide", "15s", idle))
            return [*ratios, memory_slope(programs, exporter, fill_seconds)]
        finally:
            if daemon is not None:
                daemon.kill()
            process.kill()
            process.wait(30)


def _answers(program: Program) -> bool:
    try:
        program.evaluated()
    except OSError:
        return False
    return True


def main(arguments: list[str] | None = None, run: Callable[[Path, float], list[float]] = compare) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fill-seconds", type=float, default=110.0)
    for name, ratio in (("narrow", 10.0), ("wide", 40.0), ("memory", 4.0)):
        parser.add_argument(f"--min-{name}", type=float, default=ratio)
    options = parser.parse_args(arguments)
    if shutil.which("prometheus") is None:
        print("skipped: no prometheus in the PATH (Debian: apt-get install prometheus)")
        return 0
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-rules-") as folder:
        ratios = run(Path(folder), options.fill_seconds)
    asked = (options.min_narrow, options.min_wide, options.min_memory)
    short = [f"{ratio:.1f} < {least}" for ratio, least in zip(ratios, asked, strict=True) if ratio < least]
    if short:
        print("below what is asked for: " + ", ".join(short))
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
