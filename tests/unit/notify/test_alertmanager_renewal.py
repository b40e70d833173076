"""What is told again of an alert that fires is what is true by then; what is new waits for nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from sentinel.model import AlertEvent
from sentinel.notify.forward import Forwarder
from tests.simulation.world import LoopClock, in_virtual_time

from .test_alertmanager import Daemon
from .test_alertmanager_fake import Posted


class Renewing(Daemon):
    """A daemon whose engine says what time it is in each annotation."""

    pending = False

    async def _renew(self, events: list[AlertEvent]) -> list[AlertEvent | None]:
        return [self._now(each) for each in events]

    def _now(self, event: AlertEvent) -> AlertEvent | None:
        if event.state == "resolved":
            return None if self.pending else event
        return msgspec.structs.replace(event, annotations={"now": str(round(self.seconds()))})

    def start(self) -> None:
        self.forwarder = Forwarder(
            self.config,
            self.log,
            self.folder,
            self.fake,
            LoopClock(),
            firing=self._firing,
            renew=self._renew,
        )
        self.task = asyncio.get_running_loop().create_task(self.forwarder.run())

    def told(self) -> list[Posted]:
        return [alert for _, alerts in self.fake.requests for alert in alerts]


def test_a_resend_says_what_is_true_then(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Renewing(tmp_path)
        daemon.start()
        await daemon.until(1)
        daemon.fire("A", now="at the start")
        await daemon.until(150)
        daemon.resolve("A")
        await daemon.until(160)
        texts = [alert.annotations.get("now") for alert in daemon.told()]
        assert texts == ["at the start", "61", "121", None]

    in_virtual_time(main())


def test_a_resolve_is_not_repeated_once_the_alert_is_pending_again(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Renewing(tmp_path)
        daemon.start()
        await daemon.until(1)
        daemon.fire("A")
        await daemon.until(2)
        daemon.resolve("A")
        await daemon.until(130)
        assert len(daemon.told()) == 4, "fires, ends, and that twice again"
        daemon.pending = True
        await daemon.until(600)
        assert len(daemon.told()) == 4
        daemon.fire("A")
        await daemon.until(601)
        assert daemon.right()

    in_virtual_time(main())
