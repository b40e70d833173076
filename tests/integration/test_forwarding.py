"""Forwarding to a real Alertmanager, over real sockets."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel.alert.config import dec_hook
from sentinel.alert.log import AlertLog
from sentinel.clock import SystemClock
from sentinel.model import AlertEvent, Labels
from sentinel.notify.alertmanager import ForwardConfig
from sentinel.notify.forward import Forwarder
from sentinel.notify.http import AiohttpClient
from sentinel.telemetry import REGISTRY
from tests.simulation.world import event

from .alertmanager import PASSWORD, USER, Alertmanager, AlertmanagerUnavailableError, binary

QUICK = {"resend": "1s", "timeout": "1s"}
VALID_SECONDS = 4


@pytest.fixture(autouse=True)
def _needs_alertmanager() -> None:
    try:
        binary()
    except AlertmanagerUnavailableError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


class Site:
    """A forwarder with a log on disk, and the Alertmanager that it keeps informed."""

    def __init__(self, folder: Path, config: dict[str, Any], **alertmanager: Any) -> None:
        self.folder, self.log = folder, AlertLog(folder / "log")
        self.alertmanager = Alertmanager(folder / "am", **alertmanager)
        written = {"url": self.alertmanager.url, **config}
        self.config = msgspec.convert(written, ForwardConfig, dec_hook=dec_hook)
        self.holds: dict[Labels, AlertEvent] = {}

    @asynccontextmanager
    async def forwarding(self) -> AsyncIterator[None]:
        async def firing() -> tuple[list[AlertEvent], int]:
            return list(self.holds.values()), self.log.end

        client = AiohttpClient()
        self.forwarder = Forwarder(self.config, self.log, self.folder, client, SystemClock(), firing=firing)
        task = asyncio.create_task(self.forwarder.run())
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.wait([task])
            await client.close()

    def fire(self, **labels: str) -> AlertEvent:
        now = time.time_ns() // 1_000_000
        one = event("firing", now, now, {"summary": "<slow> & é"}, **labels)
        self.holds[one.labels] = one
        self.append(one)
        return one

    def resolve(self, **labels: str) -> None:
        since = self.holds.pop(Labels(labels)).starts_at_ms
        self.append(event("resolved", time.time_ns() // 1_000_000, since, **labels))

    def append(self, one: AlertEvent) -> None:
        self.log.append([one])
        self.forwarder.wake()

    async def active(self) -> dict[str, dict[str, Any]]:
        return await asyncio.to_thread(self.alertmanager.active)

    async def until_active(self, *names: str, within: float = 5) -> None:
        deadline = time.monotonic() + within
        while (held := sorted(await self.active())) != sorted(names):
            if time.monotonic() > deadline:
                raise AssertionError(f"{held} instead of {names}\n{self.alertmanager.log()}")
            await asyncio.sleep(0.1)

    async def stays_active(self, name: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert name in await self.active()
            await asyncio.sleep(0.1)

    def metric(self, name: str, **more: str) -> float:
        labels = {"alertmanager": self.config.name, **more}
        return REGISTRY.get_sample_value(f"sentinel_forward_{name}", labels) or 0.0


def at(site: Site, main: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
    site.alertmanager.start()
    try:
        asyncio.run(main(site))
    finally:
        site.alertmanager.kill()


@pytest.mark.slow
def test_an_alert_lives_as_long_as_it_fires_and_we_do(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        async with site.forwarding():
            one = site.fire(alertname="A", team="x")
            site.fire(alertname="B")
            await site.until_active("A", "B", within=1)
            held = (await site.active())["A"]
            assert held["labels"] == one.labels.map
            assert held["annotations"] == one.annotations
            assert held["fingerprint"] == f"{one.labels.fingerprint:016x}"
            await site.stays_active("A", 3 * VALID_SECONDS)
            assert (await site.active())["A"]["startsAt"] == held["startsAt"]
            site.resolve(alertname="A", team="x")
            await site.until_active("B", within=1)
        await site.until_active(within=VALID_SECONDS + 1)
        async with site.forwarding():
            await site.until_active("B", within=2)

    at(Site(tmp_path, QUICK), main)


def test_one_that_was_restarted_gets_everything_back(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        async with site.forwarding():
            site.fire(alertname="stays")
            site.fire(alertname="ends")
            await site.until_active("stays", "ends")
            site.alertmanager.kill()
            site.resolve(alertname="ends")
            site.fire(alertname="new")
            await asyncio.sleep(2)
            assert site.metric("failing_seconds") > 0.5
            assert site.metric("failed_total", reason="network") > 0
            await asyncio.to_thread(site.alertmanager.start)
            await site.until_active("stays", "new")
            assert site.metric("failing_seconds") == 0

    at(Site(tmp_path, QUICK), main)


def test_one_that_stands_still_is_told_when_it_goes_on(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        async with site.forwarding():
            site.fire(alertname="ends")
            await site.until_active("ends")
            site.alertmanager.pause()
            site.fire(alertname="new")
            await asyncio.sleep(3)
            site.resolve(alertname="ends")
            assert site.metric("failed_total", reason="timeout") > 0
            site.alertmanager.go_on()
            await site.until_active("new")
            await asyncio.sleep(2)
            await site.until_active("new", within=1)

    at(Site(tmp_path, QUICK), main)


def test_what_it_refuses_holds_up_no_other(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        async with site.forwarding():
            for name in "ABC":
                site.fire(alertname=name)
            site.fire()  # no label at all
            await site.until_active("A", "B", "C")
            assert site.metric("failed_total", reason="refused") == 1
            assert site.metric("pending_alerts") == 1
            await site.stays_active("C", 2 * VALID_SECONDS)

    at(Site(tmp_path, QUICK), main)


def test_it_may_ask_for_a_password_and_lie_below_a_prefix(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        async with site.forwarding():
            site.fire(alertname="A")
            await site.until_active("A")

    login = {"username": USER, "password": PASSWORD}
    config = {**QUICK, "http_config": {"basic_auth": login}}
    at(Site(tmp_path, config, secured=True, prefix="/team/a"), main)


def test_a_wrong_password_is_a_failure_that_is_mended_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("wrong")

    async def main(site: Site) -> None:
        async with site.forwarding():
            site.fire(alertname="A")
            await asyncio.sleep(1)
            assert site.metric("failed_total", reason="auth") > 0
            assert not await site.active()
            await asyncio.to_thread(file.write_text, PASSWORD)
            await site.until_active("A")

    login = {"username": USER, "password_file": str(file)}
    at(Site(tmp_path, {**QUICK, "http_config": {"basic_auth": login}}, secured=True), main)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_minutes_and_more_with_a_usual_resend(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        async with site.forwarding():
            site.fire(alertname="A")
            await site.until_active("A")
            await site.stays_active("A", 150)
            site.resolve(alertname="A")
            await site.until_active(within=1)

    at(Site(tmp_path, {"resend": "30s"}), main)
