"""The live view: throughput, the busiest series as sparklines, alerts on their way, what was paged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sentinel.app import App
from sentinel.cli.demo.traffic import SERVICES, Incident
from sentinel.cli.demo.witness import Witness
from sentinel.engine import Engine
from sentinel.promql import Vector

BARS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 48
_QUERY: Final = "service:latency:anomaly"
_COLOURS: Final = {"pending": "yellow", "firing": "bold red", "resolved": "green"}


class View:
    def __init__(
        self, app: App, witness: Witness, planned: Sequence[Incident], seconds: Callable[[], float]
    ) -> None:
        self._app, self._witness, self._planned, self._seconds = app, witness, planned, seconds
        self._scores: dict[str, deque[float]] = {name: deque(maxlen=WIDTH) for name in SERVICES}
        self._before = (0.0, 0)
        self._rate = 0.0

    async def run(self) -> None:
        """Until cancelled: four pictures a second."""
        with Live(self._picture(), refresh_per_second=4, screen=False) as live:
            while True:
                await asyncio.sleep(0.25)
                await self._measure()
                live.update(self._picture())

    async def _measure(self) -> None:
        now, samples = self._seconds(), self._app.host.accounts.total("samples")
        if now - self._before[0] >= 1:
            self._rate = (samples - self._before[1]) / (now - self._before[0])
            self._before = (now, samples)
        at_ms = self._app.clock.now_ms()
        for service, score in (await self._app.host.call(lambda engine: _scores(engine, at_ms))).items():
            self._scores[service].append(score)

    def _picture(self) -> RenderableType:
        head = Text(f"{self._seconds():5.1f} s   {self._rate:8,.0f} samples/s   ")
        head.append(f"{len(self._app.engine.store.index):,} series", style="dim")
        return Group(head, self._series(), self._alerts(), self._incidents())

    def _series(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        busiest = sorted(self._scores, key=lambda name: -max(self._scores[name], default=0.0))
        for service in busiest[:5]:
            scores = self._scores[service]
            newest = scores[-1] if scores else 0.0
            style = "red" if newest > 1 else ""
            table.add_row(service, Text(sparkline(scores), style=style), f"{newest:6.2f}")
        return Panel(table, title="latency anomaly score, 1 is the edge of the band")

    def _alerts(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for alert in self._app.host.gauges.alerts[:6]:
            name, service = alert.labels["alertname"], alert.labels.get("service", "")
            table.add_row(Text(alert.state, style=_COLOURS[alert.state]), name, service)
        for page in self._witness.pages[-4:]:
            text = Text(f"paged {page.status}", style=_COLOURS[page.status])
            table.add_row(text, page.alert, f"{page.service} at {page.at_seconds:.1f} s")
        return Panel(table, title="alerts: pending, firing, resolved", height=12)

    def _incidents(self) -> RenderableType:
        now = self._seconds()
        lines = [
            f"{incident.start_seconds:4.0f} s  {incident.service}: {incident.kind.story}"
            for incident in self._planned
            if incident.start_seconds <= now
        ]
        return Panel(
            "\n".join(lines) or "all is well; the detector learns what is usual", title="injected", height=6
        )


def sparkline(values: Sequence[float]) -> str:
    """Bars from 0 to the larger of 1 and the highest value."""
    top = max(1.0, *values) if values else 1.0
    return "".join(BARS[min(int(value / top * (len(BARS) - 1)), len(BARS) - 1)] for value in values)


def _scores(engine: Engine, at_ms: int) -> dict[str, float]:
    """On the engine's thread: the newest score of each service."""
    value = engine.evaluator.instant(engine.evaluator.prepare(_QUERY), at_ms)
    assert isinstance(value, Vector)
    labels = (engine.evaluator.labels(id) for id in value.ids.tolist())
    return {each.get("service"): score for each, score in zip(labels, value.values.tolist(), strict=True)}
