"""`sentinel run` on the topic: windows, rules over them, a detector over every series, alerts to a webhook.

What it is as measured: every round it evaluates a rate of one minute over all series summed by job, an alert
over that, the detector `deviation` on each series, an alert over its score, and the sums that parity is told
by. Snapshots, commits and the alert log go on as ever.
"""

from __future__ import annotations

import time
import urllib.parse
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.clients import Run, peak_mb, tree_cpu_seconds
from benchmarks.topic import METRIC, ROUND_MS, Workload
from tests.integration.configuration import alert, configuration, kafka_source, one_webhook, rule_group
from tests.integration.daemon import Daemon
from tests.integration.kafka_broker import Broker
from tests.integration.receiver import Receiver
from tests.integration.waiting import wait_until

GROUP = "requests"
DETECTOR = {"detector": "deviation", "with": {"warmup": 10}}


def rules(end_ms: int, every_series: bool) -> dict[str, Any]:
    """The group; what it says for parity it says of evaluations before `end_ms` alone."""
    watched = METRIC if every_series else f"sum by (job) ({METRIC})"

    def told(name: str, expr: str) -> list[dict[str, Any]]:
        until = f"({expr}) and on () (vector(time()) < {end_ms / 1000})"
        return [
            {"record": f"{name}:now", "expr": until},
            {"record": f"{name}:all", "expr": over_all(name)},  # so that it is kept
        ]

    return rule_group(
        GROUP,
        {"record": "job:in_flight:rate1m", "expr": f"sum by (job) (rate({METRIC}[1m]))"},
        alert("TooMany", "job:in_flight:rate1m > 1e12"),
        {"record": "in_flight:anomaly", "expr": watched} | DETECTOR,
        alert("Anomaly", "in_flight:anomaly > 1"),
        *told("count", f"count({METRIC})"),
        *told("sum", f"sum({METRIC})"),
        *told("alerts", 'count(ALERTS{alertname="Anomaly",alertstate="firing"}) or vector(0)'),
    )


def over_all(name: str) -> str:
    """What was told of `name`, added up over all rounds."""
    return f"sum_over_time({name}:now[2h])"


def run_sentinel(broker: Broker, folder: Path, work: Workload, every_series: bool, skip: int = 0) -> Run:
    """One pass by a new daemon: from ready, or `skip` samples, to the evaluation of the last round."""
    daemon = Daemon(folder, _configuration(broker, work.topic, folder.name))
    daemon.write("rules/requests.yml", rules(work.last_ms + ROUND_MS, every_series))

    def evaluated() -> bool:
        name = "sentinel_rule_group_last_evaluation_timestamp_seconds"
        return any(
            value * 1000 >= work.last_ms
            for (found, labels), value in daemon.metrics().items()
            if found == name and any(GROUP in text for _, text in labels)
        )

    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        with daemon:
            assert daemon.process
            pid = daemon.process.pid
            wait_until(
                lambda: stored(daemon) >= skip, timeout=600, what="first samples", poll=0.05, why=daemon.log
            )
            cpu, wall, already = tree_cpu_seconds(pid), time.monotonic(), stored(daemon)
            wait_until(evaluated, timeout=600, what="last round", poll=0.5, why=daemon.log)
            cpu, wall = tree_cpu_seconds(pid) - cpu, time.monotonic() - wall
            balance(daemon, work.samples)
            seen, total, alerts = (value(daemon, over_all(name)) for name in ("count", "sum", "alerts"))
            assert seen == work.samples, f"evaluations saw {seen:,.0f} of {work.samples:,} samples"
            return Run(work.samples, total, int(alerts), int(work.samples - already), cpu, wall, peak_mb(pid))


def _configuration(broker: Broker, topic: str, group_id: str) -> dict[str, Any]:
    source = kafka_source(broker, topic, time={"delay": "1s"})
    source["kafka"]["group_id"] = group_id
    return configuration(source, interval=f"{ROUND_MS}ms")


def stored(daemon: Daemon, source: str = "telemetry") -> float:
    return daemon.metric("sentinel_ingest_samples_total", source=source)


def balance(daemon: Daemon, produced: int, source: str = "telemetry") -> None:
    """Every sample that was produced was stored: none dropped for any reason, no record refused."""
    metrics = ("records_total", "samples_total", "samples_dropped_total", "records_refused_total")
    found = [daemon.metric(f"sentinel_ingest_{name}", source=source) for name in metrics]
    assert found == [produced, produced, 0, 0], f"of {produced}: {dict(zip(metrics, found, strict=True))}"


def value(daemon: Daemon, expr: str) -> float:
    """Of a query that gives one series."""
    status, text = daemon.get("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
    assert status == 200, text
    (row,) = msgspec.json.decode(text)["data"]["result"]
    return float(row["value"][1])


def wait_answer(daemon: Daemon) -> None:
    """Returns once the engine's thread has done what it had to do and answers a query."""
    wait_until(
        lambda: daemon.get("/api/v1/query?query=1")[0] == 200, timeout=300, what="answer", why=daemon.log
    )
