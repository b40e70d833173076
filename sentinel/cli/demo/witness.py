"""Who is told: a webhook receiver and a consumer of the alert topic, as users would have them."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from sentinel.cli.demo.scorecard import Page


class Witness:
    """Keeps every page that came, and the ids of the events on the alert topic."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.pages: list[Page] = []
        self.event_ids: set[str] = set()
        self._seconds = seconds

    async def receive(self, port: int) -> web.AppRunner:
        """A webhook receiver on `port`; the caller cleans it up."""
        app = web.Application()
        app.add_routes([web.post("/page", self._page)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    async def consume(self, bootstrap: str, topic: str) -> None:
        """Reads the alert topic until cancelled; it appears with the first event."""
        from aiokafka import AIOKafkaConsumer

        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", metadata_max_age_ms=1000
        )
        await consumer.start()
        try:
            async for message in consumer:
                self.event_ids.update(value.decode() for name, value in message.headers if name == "ce_id")
        finally:
            await consumer.stop()

    async def _page(self, request: web.Request) -> web.Response:
        body = await request.json()
        at = self._seconds()
        for alert in body["alerts"]:
            labels = alert["labels"]
            self.pages.append(Page(at, labels["alertname"], labels.get("service", ""), alert["status"]))
        return web.Response()
