"""The daemon asked by its clients: promtool, `sentinel query`, and a dashboard while rules are evaluated."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .configuration import alert, configuration, one_webhook, rule_group
from .daemon import Daemon
from .exporter import Exporter
from .waiting import wait_until

pytestmark = pytest.mark.timeout(240)

INTERVAL = 0.25
LAST = "sentinel_rule_group_last_evaluation_timestamp_seconds"


def pushed(name: str, values: list[float], now_ms: int, **labels: str) -> bytes:
    """Samples 5 s apart, the last of them now."""
    lines = [
        {"name": name, "labels": labels, "value": value, "timestamp": now_ms - 5000 * (len(values) - 1 - n)}
        for n, value in enumerate(values)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with pushed series, a target it scrapes, and an alert that fires."""
    with Exporter("temperature", 21.5) as exporter:
        scrape = {"targets": [exporter.target], "interval": "1s"}
        sources = [{"name": "push", "http": {}}, {"name": "node", "scrape": scrape}]
        config = configuration(*sources, interval=f"{INTERVAL * 1000:.0f}ms")
        config["global"]["external_labels"] = {"region": "eu"}
        config["store"] = {"retention": "1h"}
        made = Daemon(tmp_path_factory.mktemp("daemon"), config)
        recording = {"record": "load:sum", "expr": "sum(load)"}
        high = alert(
            "High", "load > 100", labels={"severity": "page"}, annotations={"summary": "{{ $value }} here"}
        )
        made.write("rules/load.yml", rule_group("load", recording, high))
        made.write("alertmanager.yml", one_webhook("http://127.0.0.1:1/"))
        with made:
            now_ms = int(time.time() * 1000)
            for host, top in (("a", 10.0), ("b", 30.0)):
                body = pushed("load", [top * n for n in range(1, 6)], now_ms, host=host)
                assert made.post("/api/v1/push", body)[0] == 202
            wait_until(lambda: data(made, "/alerts")["alerts"], timeout=20, what="alert", why=made.log)
            wait_until(
                lambda: data(made, "/targets")["activeTargets"][0]["health"] == "up",
                timeout=20,
                what="target that is up",
                why=made.log,
            )
            yield made


def data(daemon: Daemon, path: str, **parameters: str) -> Any:
    status, text = daemon.get(f"/api/v1{path}?{urllib.parse.urlencode(parameters)}")
    assert status == 200, text
    return json.loads(text)["data"]


def promtool(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    command = [program, "query", arguments[0], *arguments[1:-1], daemon.url, arguments[-1]]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_promtool_queries(daemon: Daemon) -> None:
    instant = promtool(daemon, "instant", 'load{host="b"}')
    assert instant.stdout.startswith('load{host="b"} => 150 @['), instant
    now = int(time.time())
    over = promtool(daemon, "range", f"--start={now - 60}", f"--end={now + 5}", "--step=5s", "sum(load)")
    assert over.stdout.startswith("{} =>\n") and "200 @[" in over.stdout, over
    labels = promtool(daemon, "labels", "host")
    assert labels.stdout == "a\nb\n", labels
    series = subprocess.run(
        ["promtool", "query", "series", "--match=load", daemon.url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert series.stdout.splitlines() == ['{__name__="load", host="a"}', '{__name__="load", host="b"}']


def test_promtool_is_told_what_is_wrong(daemon: Daemon) -> None:
    done = promtool(daemon, "instant", "load{")
    assert done.returncode != 0
    assert 'bad_data: invalid parameter "query": 1:6: parse error:' in done.stderr


def test_sentinel_query(daemon: Daemon) -> None:
    command = [str(Path(sys.executable).with_name("sentinel")), "query"]
    shown = subprocess.run(
        [*command, "instant", "--url", daemon.url, "load:sum"], capture_output=True, text=True, check=True
    )
    assert "load:sum" in shown.stdout and shown.stdout.rstrip().endswith("200")
    drawn = subprocess.run(
        [*command, "range", daemon.url, "load", "--start", "-1m", "--format", "plot"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '── load{host="b"}  150' in drawn.stdout


def test_rules_and_alerts_as_prometheus_tells_them(daemon: Daemon) -> None:
    (group,) = data(daemon, "/rules")["groups"]
    assert (group["name"], group["file"], group["interval"]) == ("load", "rules/load.yml", INTERVAL)
    assert group["evaluationTime"] > 0
    recording, alerting = group["rules"]
    assert (recording["health"], alerting["health"], alerting["state"]) == ("ok", "ok", "firing")
    (fired,) = alerting["alerts"]
    assert fired["labels"] == {"alertname": "High", "host": "b", "severity": "page"}
    assert (fired["annotations"], fired["value"]) == ({"summary": "150 here"}, "1.5e+02")


def test_what_is_scraped_and_how_it_was_started(daemon: Daemon) -> None:
    (target,) = data(daemon, "/targets")["activeTargets"]
    assert (target["scrapePool"], target["scrapeInterval"]) == ("node", "1s")
    assert target["lastScrapeDuration"] > 0
    found = data(daemon, "/query", query="temperature * on (instance, job) up")
    assert found["result"][0]["value"][1] == "21.5"
    assert data(daemon, "/status/flags")["web.listen-address"] == f"127.0.0.1:{daemon.port}"
    assert "evaluation_interval: 250ms" in data(daemon, "/status/config")["yaml"]
    assert data(daemon, "/status/runtimeinfo")["storageRetention"] == "1h"
    status, text = daemon.get("/federate?match[]=load")
    assert status == 200 and 'load{host="b",region="eu"} 150 ' in text


def test_dashboards_hold_up_no_rule(daemon: Daemon) -> None:
    """2,000 more series, asked for by four clients at once as fast as they can, delay no evaluation much."""
    now_ms = int(time.time() * 1000)
    for block in range(20):
        body = b"".join(
            pushed("work_total", [1.0, 2.0, 3.0], now_ms, host=f"h{block}-{n}") for n in range(100)
        )
        assert daemon.post("/api/v1/push", body)[0] == 202
    ending, answered = time.monotonic() + 5, []
    now = now_ms / 1000
    times = {"start": f"{now - 600}", "end": f"{now}", "step": "5"}

    def dashboard() -> None:
        while time.monotonic() < ending:
            found = data(daemon, "/query_range", query="sum by (host) (rate(work_total[1m]))", **times)
            answered.append(len(found["result"]))

    clients = [threading.Thread(target=dashboard) for _ in range(4)]
    for client in clients:
        client.start()
    late = []
    while time.monotonic() < ending:
        late.append(time.time() - daemon.metric(LAST, group="rules/load.yml;load"))
        time.sleep(0.05)
    for client in clients:
        client.join()
    assert set(answered) == {2000} and len(answered) >= 4
    assert sorted(late)[len(late) // 2] < 3 * INTERVAL, late
    assert max(late) < 3.0, late
