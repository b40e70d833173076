"""Forwarding to an Alertmanager: when what is sent, and what its answers lead to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel.alert.config import dec_hook
from sentinel.model import AlertEvent, Labels
from sentinel.notify.alertmanager import FORWARD_FAILED, FORWARDED, ForwardConfig, alert_json
from sentinel.notify.client import Response
from sentinel.notify.forward import Forwarder
from sentinel.telemetry import REGISTRY
from tests.simulation.world import START_MS, LoopClock, event, in_virtual_time

from .test_alertmanager_fake import FakeAlertmanager, MemoryLog, Posted

NAME = {"alertmanager": "am:9093"}


class Daemon:
    """What surrounds a forwarder: the engine's alerts, their log, a disk; it can be started and killed."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder, self.log, self.fake = folder, MemoryLog(), FakeAlertmanager()
        self.config = msgspec.convert({"url": "http://am:9093/", **config}, ForwardConfig, dec_hook=dec_hook)
        self.holds: dict[Labels, AlertEvent] = {}
        self.backlog = False
        self.replay_seconds = 0.0

    async def _firing(self) -> tuple[list[AlertEvent], int]:
        await asyncio.sleep(self.replay_seconds)
        return list(self.holds.values()), self.log.end

    def start(self) -> None:
        self.forwarder = Forwarder(
            self.config,
            self.log,
            self.folder,
            self.fake,
            LoopClock(),
            firing=self._firing,
            catching_up=lambda rule: self.backlog and rule.startswith("rules.yml;group;"),
        )
        self.task = asyncio.get_running_loop().create_task(self.forwarder.run())

    async def kill(self) -> None:
        assert not self.task.done(), self.task
        self.task.cancel()
        await asyncio.wait([self.task])

    def fire(self, name: str, **annotations: str) -> None:
        now = self.fake.clock.now_ms()
        one = event("firing", now, now, annotations, alertname=name)
        self.holds[one.labels] = one
        self.append(one)

    def resolve(self, name: str) -> None:
        since = self.holds.pop(Labels({"alertname": name})).starts_at_ms
        self.append(event("resolved", self.fake.clock.now_ms(), since, alertname=name))

    def append(self, one: AlertEvent) -> None:
        self.log.events.append(one)
        self.forwarder.wake()

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()

    async def until(self, seconds: float) -> None:
        await asyncio.sleep(seconds - self.seconds())
        assert not self.task.done() or self.task.cancelled(), self.task

    def right(self) -> bool:
        """Whether the Alertmanager and we are of one mind."""
        return self.fake.active() == self.holds.keys()


def metric(name: str, **more: str) -> float:
    return REGISTRY.get_sample_value(f"sentinel_forward_{name}", NAME | more) or 0.0


def refuse(name: str, status: int) -> Callable[[Any], Response]:
    """An Alertmanager that takes no request with that alert in it."""

    def answer(alerts: list[Posted]) -> Response:
        bad = any(alert.labels["alertname"] == name for alert in alerts)
        return Response(status if bad else 200, {}, b'"invalid label set"')

    return answer


@pytest.mark.parametrize("file", ["prometheus_to_am.json", "prometheus3.16_to_am.json"])
def test_an_alert_is_written_as_prometheus_does(file: str, conformance: Callable[[str], Path]) -> None:
    captured = json.loads(conformance(f"conformance/alertmanager/{file}").read_text())["posts"][0]
    assert captured["path"] == "/api/v2/alerts"
    (theirs,) = json.loads(captured["raw"])
    (read,) = msgspec.json.decode(captured["raw"], type=list[Posted])
    starts, ends = read.span
    ours = msgspec.structs.replace(
        event("firing", starts, starts, read.annotations, **read.labels), generator_url=read.generatorURL
    )
    assert json.loads(alert_json(ours, ends)) == theirs


@pytest.mark.parametrize("link", ["", "not a url", "http://a b/graph", "/graph", "http://", "http://a/b c"])
def test_a_link_that_would_be_refused_is_left_out(link: str) -> None:
    one = msgspec.structs.replace(event("firing", 1, 1, alertname="A"), generator_url=link)
    assert json.loads(alert_json(one, 2000)) == {
        "annotations": {},
        "labels": {"alertname": "A"},
        "startsAt": "1970-01-01T00:00:00.001Z",
        "endsAt": "1970-01-01T00:00:02Z",
    }


def test_what_fires_is_sent_at_once_and_every_minute_until_it_is_resolved(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        taken = FORWARDED.labels("am:9093")._value.get()
        await daemon.until(5)
        daemon.fire("A", summary="slow")
        await daemon.until(150)
        assert daemon.fake.told() == [(at, "A", "firing") for at in (5, 65, 125)]
        for at, (alert,) in daemon.fake.requests:
            assert alert.span == (START_MS + 5000, START_MS + (at + 240) * 1000)
            assert alert.annotations == {"summary": "slow"}
        assert FORWARDED.labels("am:9093")._value.get() - taken == 3
        daemon.resolve("A")
        await daemon.until(4000)
        resolved = [at for at, name, state in daemon.fake.told() if state == "resolved"]
        assert resolved == [150 + n * 60 for n in range(16)], "repeated for a quarter of an hour"
        assert {alerts[0].span[1] for at, alerts in daemon.fake.requests if at >= 150} == {START_MS + 150_000}

    in_virtual_time(main())


@pytest.mark.parametrize(
    ("settings", "seconds"), [({}, 240), ({"resend": "5m"}, 1200), ({"resend": "2s", "timeout": "10s"}, 40)]
)
def test_an_end_outlasts_several_chances(settings: dict[str, str], seconds: int, tmp_path: Path) -> None:
    assert Daemon(tmp_path, **settings).config.valid_ms == seconds * 1000


def test_it_resolves_by_itself_only_when_we_are_gone(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        daemon.fire("A")
        await daemon.until(3601)
        assert daemon.right()
        await daemon.kill()
        await daemon.until(3839)
        assert daemon.right()
        await daemon.until(3841)
        assert daemon.fake.active() == set()

    in_virtual_time(main())


def test_an_outage_keeps_alerts_not_events(tmp_path: Path) -> None:
    """Thousands come and go while nobody answers; then what holds is told, and what was told is resolved."""

    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        for name in ("before", "stays"):
            daemon.fire(name)
        await daemon.until(10)
        daemon.fake.answer = lambda _: ConnectionError("Connection refused")
        daemon.resolve("before")
        for number in range(3000):
            daemon.fire(f"short{number}")
            await daemon.until(10 + number)
            daemon.resolve(f"short{number}")
        daemon.fire("new")
        await daemon.until(3600)
        outbox = daemon.forwarder._outbox
        queues = (outbox._news, outbox._again, outbox._firing, outbox._ended, outbox._refused, outbox._held)
        kept = [key for queue in queues for key in queue]
        assert len(kept) < 200, "one for an attempt, not for an alert"
        assert 0 < metric("pending_alerts") <= len(kept)
        assert metric("failing_seconds") == pytest.approx(3590, abs=0.1)
        daemon.fake.answer = lambda _: Response(200, {})
        await daemon.until(3631)
        assert daemon.right()
        assert (metric("pending_alerts"), metric("failing_seconds")) == (0, 0)
        told = [(name, state) for at, name, state in daemon.fake.told() if at > 3600]
        assert ("before", "resolved") in told
        await daemon.until(4600)
        assert daemon.forwarder.position == daemon.log.end
        assert metric("failed_total", reason="network") > 100

    in_virtual_time(main())


def test_many_alerts_go_in_several_requests(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        for number in range(600):
            daemon.fire(f"A{number}")
        await daemon.until(1)
        for number in range(4):
            daemon.fire(f"B{number}", description="x" * 400_000)
        await daemon.until(2)
        assert [len(alerts) for _, alerts in daemon.fake.requests] == [256, 256, 88, 3, 1]

    in_virtual_time(main())


def test_its_gauges_go_with_a_forwarder(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        await daemon.until(1)
        assert REGISTRY.get_sample_value("sentinel_forward_failing_seconds", NAME) == 0
        await daemon.kill()
        assert REGISTRY.get_sample_value("sentinel_forward_failing_seconds", NAME) is None

    in_virtual_time(main())


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_alert_is_found_and_holds_up_no_other(status: int, tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.fake.answer = refuse("bad", status)
        refused = FORWARD_FAILED.labels("am:9093", "refused")._value.get()
        daemon.start()
        for number in range(100):
            daemon.fire("bad" if number == 37 else f"A{number}")
        await daemon.until(1)
        assert len(daemon.fake.active()) == 99
        assert len(daemon.fake.requests) < 20
        assert metric("pending_alerts") == 1
        before = len(daemon.fake.requests)
        await daemon.until(599)
        assert len(daemon.fake.requests) - before == 9, "the others, every minute"
        assert FORWARD_FAILED.labels("am:9093", "refused")._value.get() - refused == 1
        daemon.fake.answer = lambda _: Response(200, {})
        await daemon.until(601)
        assert daemon.right()

    in_virtual_time(main())


def test_a_refused_resolve_is_given_up(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.fake.answer = refuse("bad", 400)
        daemon.start()
        daemon.fire("bad")
        await daemon.until(5)
        daemon.resolve("bad")
        await daemon.until(6)
        assert metric("pending_alerts") == 0
        assert daemon.forwarder.position == daemon.log.end

    in_virtual_time(main())


def test_an_alert_that_breaks_it_holds_up_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.fake.answer = refuse("bad", 503)
        daemon.start()
        for number in range(50):
            daemon.fire("bad" if number == 20 else f"A{number}")
        await daemon.until(60)
        assert len(daemon.fake.active()) == 49

    in_virtual_time(main())


@pytest.mark.parametrize(("wish", "waits"), [("90", 90), ("7200", 300), ("soon", 0.5), ("", 0.5)])
def test_a_wish_to_be_left_alone_counts(wish: str, waits: float, tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.fake.answer = lambda _: Response(429, {"retry-after": wish} if wish else {})
        daemon.start()
        daemon.fire("A")
        await daemon.until(0.1)
        daemon.fake.answer = lambda _: Response(200, {})
        daemon.fire("B")
        await daemon.until(400)
        first, second, *_ = [at for at, _ in daemon.fake.requests]
        assert waits / 2 <= second - first <= waits + 0.001
        assert second - first >= waits or waits == 0.5
        assert daemon.right()

    in_virtual_time(main())
