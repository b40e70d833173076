"""A client of InfluxDB writes to the daemon: its samples can be queried, page, and outlive a kill."""

from __future__ import annotations

import gzip
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .configuration import alert, configuration, one_webhook, rule_group
from .daemon import Daemon
from .receiver import Receiver
from .waiting import wait_until

pytestmark = pytest.mark.timeout(300)
TELEGRAF = """\
cpu,cpu=cpu-total,host=web-1 usage_idle=98.5,usage_user=1.5,usage_system=0i {now}
disk,device=sda1,fstype=ext4,host=web-1,mode=rw,path=/var/lib\\ x total=1000i,free=80i,used_percent=92.0 {now}
system,host=web-1 uptime_format="12 days,  3:04" {now}
up,host=web-1 gauge=t {now}
"""
"""As its outputs write it."""
WRITTEN = '{host="web-1",alertname=""}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def daemon(tmp_path: Path, receiver: Receiver) -> Iterator[Daemon]:
    source = {"name": "push", "http": {}, "influx": {"value_field": "gauge"}}
    config = configuration(source) | {"store": {"retention": "10m"}}
    one = Daemon(tmp_path, config)
    one.write("alertmanager.yml", one_webhook(receiver.url))
    one.write("rules/disk.yml", rule_group("disk", alert("DiskFull", "disk_used_percent > 90")))
    with one:
        yield one


def write(
    daemon: Daemon, path: str, body: bytes, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    request = urllib.request.Request(daemon.url + path, data=body, headers=dict(headers or {}), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def values(daemon: Daemon, query: str) -> dict[str, float]:
    """The vector's values by the label `from`, or the name."""
    _, text = daemon.get("/api/v1/query?" + urllib.parse.urlencode({"query": query}))
    found: list[Any] = json.loads(text)["data"]["result"]
    return {one["metric"].get("from") or one["metric"]["__name__"]: float(one["value"][1]) for one in found}


def test_what_telegraf_writes_can_be_queried_and_pages(daemon: Daemon, receiver: Receiver) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert write(daemon, "/query", b"q=CREATE+DATABASE+telegraf", form)[0] == 200
    assert daemon.get("/ping")[0] == 204
    lines = TELEGRAF.format(now=time.time_ns()).encode()
    packed = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
    assert write(daemon, "/write?db=telegraf&consistency=any", gzip.compress(lines), packed) == (204, "")
    wait_until(lambda: len(values(daemon, WRITTEN)) == 7, timeout=30, what="seven series", why=daemon.log)
    assert values(daemon, WRITTEN) == {
        "cpu_usage_idle": 98.5,
        "cpu_usage_user": 1.5,
        "cpu_usage_system": 0.0,
        "disk_total": 1000.0,
        "disk_free": 80.0,
        "disk_used_percent": 92.0,
        "up": 1.0,
    }
    pages = receiver.pages
    wait_until(
        lambda: {page.name for page in pages("firing")} == {"DiskFull"},
        timeout=30,
        what="page",
        why=daemon.log,
    )
    assert values(daemon, 'disk_free{path="/var/lib x"}') == {"disk_free": 80.0}


def test_units_bad_lines_and_a_kill(daemon: Daemon) -> None:
    """What was answered is there after a kill, at the times that its requests meant."""
    now = int(time.time())
    for unit, times in ("s", 1), ("ms", 1000), ("us", 1_000_000), ("ns", 1_000_000_000):
        line = f"temp,from={unit} gauge={times} {now * times}".encode()
        assert write(daemon, f"/api/v2/write?org=o&bucket=b&precision={unit}", line) == (204, "")
    status, text = write(daemon, "/write?precision=s", f"bad\ntemp,from=partial gauge=7 {now}".encode())
    assert status == 400 and "partial write: unable to parse 'bad'" in json.loads(text)["error"]
    expected = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9, "partial": 7.0}
    wait_until(lambda: values(daemon, "temp") == expected, timeout=30, what="five series", why=daemon.log)
    daemon.kill()
    daemon.start()
    wait_until(
        lambda: values(daemon, "temp") == expected, timeout=30, what="five series again", why=daemon.log
    )
    assert set(values(daemon, "timestamp(temp)").values()) == {float(now)}
    assert daemon.metric("sentinel_ingest_records_refused_total", source="push") == 0
