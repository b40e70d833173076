"""Milliseconds from `send` to the webhook, while other samples flow; calm, and while much else goes on.

Producer, broker, daemon and receiver are processes of their own. The group is evaluated on arrival, an alert
is synced to the alert log before it is sent, `group_wait` is 0.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import urllib.parse
from collections import defaultdict, deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import product
from benchmarks.flow import Flow, Sent
from benchmarks.pager import Arrival, pager
from benchmarks.report import Curve, Figure, Section, table
from benchmarks.topic import METRIC, PARTITIONS
from tests.integration.configuration import alert, configuration, kafka_source, one_webhook, rule_group
from tests.integration.daemon import Daemon
from tests.integration.kafka_broker import Broker, kafka_jars
from tests.integration.waiting import wait_until

EDGES_MS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1000)
EVERY_SERIES = ('{__name__=~".+"}', f"sum by (job) (rate({METRIC}[1m]))")
Disturb = Callable[[Daemon], None]


class Settings(msgspec.Struct, frozen=True):
    seconds: float = 150.0
    """Of each of the two phases."""
    events_per_second: float = 20.0
    per_second: int = 5_000
    series: int = 50_000


QUICK = Settings(seconds=30.0)


class Measured(msgspec.Struct):
    """One phase. `milliseconds` is sorted."""

    milliseconds: list[float]
    disturbances: int = 0

    def quantile(self, part: float) -> float:
        return self.milliseconds[min(int(len(self.milliseconds) * part), len(self.milliseconds) - 1)]


def run(given: Settings) -> Section:
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(kafka_jars(), Path(name) / "kafka")
        try:
            broker.start()
            flow = Flow(
                broker.bootstrap,
                "calm",
                given.series,
                given.per_second,
                given.events_per_second,
                given.seconds,
            )
            calm = phase(broker, Path(name) / "calm", flow)
            busy = phase(broker, Path(name) / "busy", msgspec.structs.replace(flow, topic="busy"), disturb)
        finally:
            broker.kill()
    return describe(calm, busy, given)


def alerting_daemon(folder: Path, broker: Broker, topic: str, url: str, **source: Any) -> Daemon:
    """A daemon with a group on arrival over `load`, and a usual one over the flow."""
    config = configuration(kafka_source(broker, topic, **source), interval="5s")
    daemon = Daemon(folder, config)
    daemon.write("rules/now.yml", rule_group("now", alert("LoadHigh", "load > 100"), on_arrival=True))
    usual = {"record": "job:in_flight:rate1m", "expr": f"sum by (job) (rate({METRIC}[1m]))"}
    daemon.write("rules/usual.yml", rule_group("usual", usual))
    daemon.write("alertmanager.yml", one_webhook(url))
    return daemon


def phase(broker: Broker, folder: Path, flow: Flow, also: Disturb | None = None) -> Measured:
    """Runs the flow to its end; `also` is called again and again beside it."""
    broker.create_topic(flow.topic, PARTITIONS)
    with pager() as receiver, alerting_daemon(folder, broker, flow.topic, receiver.url) as daemon:
        over, times = threading.Event(), [0]

        def disturbing() -> None:
            while also is not None and not over.wait(0.5):
                also(daemon)
                times[0] += 1

        beside = threading.Thread(target=disturbing)
        with flow.start() as producing:
            beside.start()
            out, _ = producing.communicate()
        over.set()
        beside.join()
        sent = msgspec.json.decode(out, type=Sent)
        wait_until(
            lambda: product.stored(daemon) >= sent.samples, timeout=60, what="last sample", why=daemon.log
        )
        product.balance(daemon, sent.samples)
        wait_until(lambda: daemon.metric("sentinel_alerts") == 0, timeout=60, what="end of alerts")
        return Measured(sorted(ms for _, ms in delays(sent, receiver.end())), times[0])


def disturb(daemon: Daemon) -> None:
    """A reload, and queries over every series."""
    daemon.post("/-/reload")
    for expr in EVERY_SERIES:
        status, _ = daemon.get("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        assert status == 200, expr


def delays(sent: Sent, arrivals: list[Arrival]) -> list[tuple[float, float]]:
    """Of each event, when it was (seconds since the first) and the milliseconds to its page.

    The n-th rise of a host belongs to its n-th page. Fails unless each has exactly one.
    """
    pages: dict[str, deque[float]] = defaultdict(deque)
    for status, host, at in arrivals:
        if status == "firing":
            pages[host].append(at)
    first = sent.events[0][1]
    found = [
        (begin - first, (pages[host].popleft() - begin) * 1000) for host, begin in sent.events if pages[host]
    ]
    assert len(found) == len(sent.events), f"{len(sent.events) - len(found)} alerts were not paged"
    assert not any(pages.values()), f"paged more than once: {[h for h, left in pages.items() if left][:5]}"
    assert min(ms for _, ms in found) > 0, "a page came before its cause"
    return found


def histogram(milliseconds: list[float]) -> list[tuple[str, float]]:
    """Share of the alerts up to each edge and beyond the one before it, in per cent."""
    edges = [0.0, *map(float, EDGES_MS), float("inf")]
    names = [f"{edge:g}" for edge in edges[1:-1]] + ["more"]
    shares = [
        100 * sum(low < each <= high for each in milliseconds) / len(milliseconds)
        for low, high in pairwise(edges)
    ]
    return list(zip(names, shares, strict=True))


def describe(calm: Measured, busy: Measured, given: Settings) -> Section:
    phases = {"calm": calm, "disturbed": busy}
    rows = [
        [
            name,
            f"{len(each.milliseconds):,}",
            *(f"{each.quantile(part):.1f}" for part in (0.5, 0.9, 0.99)),
            f"{each.milliseconds[-1]:.1f}",
            f"{statistics.mean(each.milliseconds):.1f}",
        ]
        for name, each in phases.items()
    ]
    text = (
        f"{given.events_per_second:g} alerts a second while {given.per_second:,} other samples a"
        f" second of {given.series:,} series flow, {given.seconds:g} s each. Disturbed:"
        f" {busy.disturbances} times a reload, a query that lists every series and one that sums"
        " rates over all of them, and the snapshots of every minute. Each alert was paged exactly"
        " once.\n\n" + table(["phase", "alerts", "p50", "p90", "p99", "max", "mean"], rows)
    )
    figures = [
        Figure("produced to webhook, p50", calm.quantile(0.5), 10, unit="ms", most=True),
        Figure("produced to webhook, p99", calm.quantile(0.99), 50, unit="ms", most=True),
        Figure("the same, disturbed, p99", busy.quantile(0.99), 150, unit="ms", most=True),
    ]
    curves = [
        Curve(f"Alerts by milliseconds from produced to webhook, {name}", "%", histogram(each.milliseconds))
        for name, each in phases.items()
    ]
    return Section("Produced to webhook, in milliseconds", text, figures, curves)
