"""Seeded hours: alerts come and go, the Alertmanager fails in every way, we are killed and started again.

Whatever happens: an Alertmanager with which nothing has been wrong for as long as one `resend` believes what
we hold; and no resolve is forgotten, though it forgets everything and the log is cut behind us.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentinel.model import Labels
from sentinel.notify.client import Response
from tests.simulation.world import in_virtual_time

from .test_alertmanager import Daemon

FAILURES: list[Response | Exception] = [
    Response(500, {}),  # taken all the same
    Response(503, {"retry-after": "20"}),
    Response(429, {}),
    Response(401, {}),
    ConnectionError("Connection reset by peer"),
]
NAMES = [f"A{number}" for number in range(12)]


class Life:
    """One seed. Three minutes of trouble, then seven of peace, in which only restarts may happen."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        resend = self.dice.choice(["30s", "1m"])
        self.daemon = Daemon(folder, resend=resend, timeout="5s")
        self.fake = self.daemon.fake
        self.fake.answer, self.fake.latency = self.answer, self.latency
        self.trouble = False
        self.checked = 0

    def answer(self, _alerts: Any) -> Response | Exception:
        if self.trouble and self.dice.random() < 0.6:
            return self.dice.choice(FAILURES)
        return Response(200, {})

    def latency(self) -> float:
        return self.dice.choice([0.1, 4.0, 5.5, 12.0]) if self.trouble else 0.01

    async def live(self, minutes: int) -> None:
        self.daemon.start()
        while (seconds := self.daemon.seconds()) < minutes * 60:
            self.trouble = 120 <= seconds % 600 < 300
            await self.step()
            await asyncio.sleep(self.dice.uniform(1, 15))
            assert not self.daemon.task.done(), self.daemon.task
            if self.trouble:
                self.fake.disturb()
            elif self.daemon.seconds() - self.fake.disturbed > self.daemon.config.resend.seconds + 1:
                assert self.daemon.right(), (
                    self.daemon.seconds(),
                    self.fake.active() ^ self.daemon.holds.keys(),
                )
                self.checked += 1

    async def step(self) -> None:
        self.daemon.log.start = self.daemon.forwarder.position
        if self.dice.random() < 0.02:
            self.fake.restart()
        elif self.dice.random() < 0.03:
            await self.restart()
        elif self.dice.random() < 0.5:
            self.change()

    async def restart(self) -> None:
        await self.daemon.kill()
        self.daemon.replay_seconds = self.dice.uniform(0, 5)
        away = self.dice.choice([0.0, 3.0, 300.0])
        await asyncio.sleep(away)
        self.daemon.backlog = away > 10
        self.daemon.start()
        for _ in range(self.dice.randrange(6)):
            self.change()
        await asyncio.sleep(self.dice.uniform(0, 20))
        self.daemon.backlog = False
        self.fake.disturb()

    def change(self) -> None:
        name = self.dice.choice(NAMES)
        firing = Labels({"alertname": name}) in self.daemon.holds
        (self.daemon.resolve if firing else self.daemon.fire)(name)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
@example(381).via("a request given up arrives after the resolve, and a restart")
def test_the_alertmanager_believes_what_we_hold(seed: int) -> None:
    async def main(folder: Path) -> None:
        life = Life(folder, seed)
        await life.live(60)
        assert life.checked > 20

    with TemporaryDirectory() as folder:
        in_virtual_time(main(Path(folder)))
