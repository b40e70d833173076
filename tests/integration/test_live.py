"""Promises 1 to 3 on a live stream: the right alerts, once, on time, whatever is killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from .alert_topic import once_by_id, read_alert_topic
from .configuration import alert, alerts_to, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .fleet import Fleet, Instance, Running, labels_of
from .kafka_broker import Broker
from .receiver import Page, Receiver
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

SPIKING: frozenset[Instance] = frozenset({(3, 4), (17, 0), (42, 19)})
ALERTS = Counter(
    {("LoadHigh", *labels_of(who).values()): 1 for who in SPIKING}
    | {("LoadUnusual", labels_of(who)["service"], ""): 1 for who in SPIKING}
)
RULES = rule_group(
    "load",
    {
        "record": "load:anomaly",
        "expr": "sum by (service) (load)",
        "detector": "deviation",
        "with": {"sensitivity": 0.000001},
    },
    alert("LoadHigh", "load > 100", **{"for": "1s"}),
    alert("LoadUnusual", "load:anomaly > 1", **{"for": "2s"}),
)


@dataclass
class Scene:
    """A fleet of 1,000 instances of which three spike after 120 rounds, and the daemon that watches it."""

    fleet: Fleet
    daemon: Daemon
    receiver: Receiver
    events: str
    """The alert topic."""

    def begin(self) -> Running:
        self.daemon.start()
        return Running(self.fleet)

    def await_pages(self, status: str) -> None:
        """Until every expected alert was paged in this state."""
        wait_until(
            lambda: len(self.receiver.pages(status)) >= ALERTS.total(),
            timeout=90,
            what=f"six {status} pages",
            why=lambda: f"{self.receiver.pages()}\n{self.daemon.log()}",
        )

    def check_counters(self) -> None:
        """Every sample that was produced is counted, and none is refused or dropped."""
        counted = partial(self.daemon.metric, "sentinel_ingest_samples_total", source="telemetry")
        wait_until(
            lambda: counted() >= self.fleet.samples, timeout=30, what="last sample counted", why=counted
        )
        assert counted() == self.fleet.samples
        assert self.daemon.metric("sentinel_ingest_records_total", source="telemetry") == self.fleet.samples
        assert self.daemon.metric("sentinel_ingest_records_refused_total") == 0
        assert self.daemon.metric("sentinel_ingest_samples_dropped_total") == 0
        series = partial(self.daemon.metric, "sentinel_store_series")
        wait_until(lambda: series() >= len(self.fleet.members), timeout=5, what="every series", why=series)

    def check_alerts(self) -> None:
        """Each of the six fired and resolved once, at the webhook and in the alert topic."""
        firing, resolved = self.receiver.pages("firing"), self.receiver.pages("resolved")
        assert Counter(map(_who, firing)) == ALERTS
        assert Counter(map(_who, resolved)) == ALERTS
        assert {(p.fingerprint, p.starts_at) for p in firing} == {
            (p.fingerprint, p.starts_at) for p in resolved
        }
        assert {page.labels["region"] for page in firing} == {"eu-west-1"}
        events = once_by_id(read_alert_topic(self.fleet.bootstrap, self.events))
        assert Counter((event.type, event.key) for event in events) == Counter(
            {(f"sentinel.alert.{page.status}", page.fingerprint): 1 for page in self.receiver.pages()}
        )


@pytest.fixture
def scene(kafka: Broker, topic: str, tmp_path: Path) -> Iterator[Scene]:
    kafka.create_topic(topic, partitions=3)
    fleet = Fleet(kafka.bootstrap, topic, rounds=200, spike=range(120, 160), spiking=SPIKING)
    events = kafka.create_topic(f"{topic}-alerts")
    config = configuration(kafka_source(kafka, topic), interval="250ms", alert_topic=alerts_to(kafka, events))
    config["global"]["external_labels"] = {"region": "eu-west-1"}
    daemon = Daemon(tmp_path, config)
    daemon.write("rules/load.yml", RULES)
    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        yield Scene(fleet, daemon, receiver, events)
        daemon.kill()


@pytest.mark.slow
def test_a_spike_fires_exactly_its_alerts_and_resolves(scene: Scene) -> None:
    """200,000 samples: the threshold finds three of 1,000 series, the detector their three services."""
    running = scene.begin()
    scene.await_pages("firing")
    assert running.round < scene.fleet.spike.stop + 8, "paged only after the spike was over"
    running.wait()
    scene.await_pages("resolved")
    scene.check_counters()
    scene.check_alerts()


@pytest.mark.slow
def test_kill_9_while_alerts_fire_repeats_and_loses_nothing(scene: Scene) -> None:
    running = scene.begin()
    scene.await_pages("firing")
    time.sleep(1)  # the answers are noted by then; the next test kills in between, too
    scene.daemon.kill()
    scene.daemon.start()
    running.wait()
    scene.await_pages("resolved")
    scene.check_counters()
    scene.check_alerts()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_9_at_any_moment_makes_a_second_page_recognisable(scene: Scene) -> None:
    """Killed every few seconds, also between a delivery and its record: a repeat then carries the same id."""
    scene.fleet = replace(scene.fleet, rounds=280, spike=range(120, 220))  # seen by one daemon at least
    running = scene.begin()
    while running.round < scene.fleet.rounds:
        time.sleep(17 * scene.fleet.period_seconds)
        scene.daemon.kill()
        scene.daemon.start()
    scene.await_pages("resolved")
    scene.check_counters()
    for status in ("firing", "resolved"):
        notices = {(page.webhook_id, _who(page)) for page in scene.receiver.pages(status)}
        assert Counter(who for _, who in notices) == ALERTS
    events = once_by_id(read_alert_topic(scene.fleet.bootstrap, scene.events))
    assert len(events) == 2 * ALERTS.total()


def _who(page: Page) -> tuple[str, str, str]:
    return page.name, page.labels["service"], page.labels.get("instance", "")
