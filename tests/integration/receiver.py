"""A webhook receiver that keeps what arrives, and answers as slowly and badly as a test wants."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Notice:
    """One request: when it arrived (seconds since the epoch), what it said, how it was answered."""

    arrived: float
    headers: dict[str, str]
    body: dict[str, Any]
    status: int


@dataclass(frozen=True)
class Page:
    """One alert inside a notice that was answered with 2xx."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    fingerprint: str
    webhook_id: str
    arrived: float

    @property
    def name(self) -> str:
        return self.labels["alertname"]


class Receiver:
    """Listens in a thread of its own while the `with` block lasts; set `status` and `delay_seconds`."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.status = 200
        self.delay_seconds = 0.0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None

    def pages(self, status: str | None = None) -> list[Page]:
        """What the receiver took, in order of arrival: alerts that are `firing`, `resolved`, or all."""
        taken = [notice for notice in list(self.notices) if notice.status < 300]
        pages = [page for notice in taken for page in _pages(notice)]
        return [page for page in pages if status in (None, page.status)]

    def __enter__(self) -> Receiver:
        started = threading.Event()
        threading.Thread(target=self._serve, args=(started,), daemon=True).start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        started.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def _take(self, request: web.Request) -> web.Response:
        arrived = time.time()
        body = await request.json()
        status = self.status
        await asyncio.sleep(self.delay_seconds)
        self.notices.append(
            Notice(arrived, {name.lower(): text for name, text in request.headers.items()}, body, status)
        )
        return web.Response(status=status)


def _pages(notice: Notice) -> Iterator[Page]:
    webhook_id = notice.headers.get("webhook-id", "")
    for each in notice.body["alerts"]:
        what = (each["status"], each["labels"], each["annotations"])
        yield Page(*what, each["startsAt"], each["fingerprint"], webhook_id, notice.arrived)
