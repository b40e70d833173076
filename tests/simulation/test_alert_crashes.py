"""Seeded lives of a daemon: alerts come and go, receivers fail, the process is killed around its commits.

Whatever happens: who answers in the end hears of everything that still holds; what was delivered firing is
delivered resolved; what is noted as told is not told again; and a retry carries the same id.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sentinel.alert.nflog import NotificationLog
from sentinel.model import Delivery, Labels, Notification

from .world import World, in_virtual_time, simple

ROUTES = [
    {},
    {"group_wait": "0s", "group_by": ["instance"]},
    {"group_by": ["..."], "group_wait": "5s", "repeat_interval": "10m"},
]
REFUSALS = [
    Delivery(False, True, "server"),
    Delivery(False, True, "network"),
    Delivery(False, True, "rate_limited", retry_after_seconds=90.0),
    Delivery(False, False, "client"),
    Delivery(False, False, "auth"),
]


class Life:
    """One seed: two integrations, one often out of order, and a process that is killed now and then."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(folder, simple(integrations=2, **ROUTES[seed % len(ROUTES)]))
        self.world.answer = self.answer
        self.world.latency = lambda _receiver, index: self.dice.uniform(0, 8) if index else 0.01
        self.troubled = True
        self.heard: list[tuple[int, Notification]] = []
        """Everything that reached an integration, whether or not the sender learned so."""
        self.noted: set[str] = set()
        """Ids that are on disk as told, or that this process got an answer to."""

    def answer(self, _receiver: str, index: int, notification: Notification) -> Delivery:
        assert notification.id not in self.noted
        if self.troubled and self.dice.random() < (0.7 if index else 0.2):
            if self.dice.random() < 0.3:  # it got through, but the answer was lost
                self.heard.append((index, notification))
                return Delivery(False, True, "timeout")
            return self.dice.choice(REFUSALS)
        self.heard.append((index, notification))
        self.noted.add(notification.id)
        return Delivery(True)

    def fate(self) -> str:
        return self.dice.choice(["before", "after"]) if self.troubled and self.dice.random() < 0.02 else ""

    async def ensure_alive(self) -> None:
        if not self.world.alive:
            await self.world.kill()
            saved = NotificationLog(self.world.folder)
            self.noted = {entry.notice_id for entry in saved.load().entries.values()}
            saved.close()
            self.world.start(self.fate)

    async def trouble(self, minutes: int) -> None:
        self.world.start(self.fate)
        for _ in range(minutes * 6):
            await self.world.until(self.world.seconds() + self.dice.uniform(1, 20))
            await self.ensure_alive()
            labels = {"alertname": "Down", "instance": f"i{self.dice.randrange(6)}"}
            firing = any(labels["instance"] == known.get("instance") for known in self.world.since)
            if self.dice.random() < 0.4:
                (self.world.resolve if firing else self.world.fire)(**labels)
            if self.dice.random() < 0.05:
                await self.world.kill()

    async def peace(self, minutes: int) -> None:
        self.troubled = False
        await self.ensure_alive()
        await self.world.until(self.world.seconds() + minutes * 60)
        assert self.world.alive


def believed_firing(life: Life, index: int) -> set[str]:
    """What a receiver believes that keeps the last state it heard of each alert."""
    state = {
        alert.labels.get("instance"): alert.state
        for heard, notification in life.heard
        if heard == index
        for alert in notification.alerts
    }
    return {instance for instance, last in state.items() if last == "firing"}


def check_no_second_firing(life: Life, index: int) -> None:
    """A firing notice of the same start is seen twice only with its id, or with other news beside it."""
    shown: dict[tuple[Labels, int], str] = {}
    for _, receiver, integration, one in life.world.told:
        assert receiver == "hook"
        alerts = {(alert.labels, alert.starts_at_ms) for alert in one.alerts if alert.state == "firing"}
        if integration == index and one.status == "firing" and len(alerts) == len(one.alerts):
            again = all(alert in shown for alert in alerts)
            assert not again or one.reason == "repeat interval elapsed" or one.id in shown.values()
            shown |= dict.fromkeys(alerts, one.id)


def check_retries(life: Life) -> None:
    """After an attempt without success the same alerts go out again under the same id."""
    waiting: dict[tuple[int, str], tuple[str, list[tuple[Labels, str, int]]]] = {}
    told = {(index, one.id) for _, _, index, one in life.world.told}
    for _, _, index, one in life.world.attempts:
        content = [(alert.labels, alert.state, alert.starts_at_ms) for alert in one.alerts]
        id, before = waiting.get((index, one.group_key), ("", []))
        if content == before and (index, id) not in told:
            assert one.id == id
        waiting[index, one.group_key] = (one.id, content)


@pytest.mark.parametrize("seed", range(15))
def test_a_troubled_life(seed: int, tmp_path: Path) -> None:
    async def main() -> None:
        life = Life(tmp_path, seed)
        await life.trouble(minutes=15)
        await life.peace(minutes=8)
        holds = {labels.get("instance") for labels in life.world.since}
        for index in (0, 1):
            assert believed_firing(life, index) == holds
            check_no_second_firing(life, index)
        check_retries(life)
        for labels in list(life.world.since):
            life.world.resolve(**labels.map)
        await life.peace(minutes=8)
        assert believed_firing(life, 0) == believed_firing(life, 1) == set()
        await life.world.kill()

    in_virtual_time(main())
