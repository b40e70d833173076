"""The demo from beginning to end: broker, traffic, daemon, witnesses, view, score."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from sentinel.app import App, Options
from sentinel.cli.demo.broker import embedded_broker, free_port
from sentinel.cli.demo.files import ALERT_TOPIC, TOPIC, write_files
from sentinel.cli.demo.scorecard import Scorecard, score
from sentinel.cli.demo.traffic import Fleet, end_seconds, incidents, produce
from sentinel.cli.demo.view import View
from sentinel.cli.demo.witness import Witness
from sentinel.clock import SystemClock
from sentinel.config.load import load_config


async def run_show(seed: int, folder: Path, *, live: bool) -> Scorecard:
    """Runs the daemon as users deploy it, in `folder`, until every incident is over."""
    planned, clock = incidents(seed), SystemClock()
    async with embedded_broker(folder / "broker") as bootstrap:
        started_ms = clock.now_ms()
        witness = Witness(lambda: (clock.now_ms() - started_ms) / 1000)
        port = free_port()
        config = load_config(write_files(folder, bootstrap, f"http://127.0.0.1:{port}/page"))
        app = App(config, Options(folder / "state", f"127.0.0.1:{free_port()}"), clock)
        receiver = await witness.receive(port)
        fleet = Fleet(seed, planned)
        view = View(app, witness, planned, lambda: (clock.now_ms() - started_ms) / 1000)
        work = [
            produce(bootstrap, TOPIC, fleet, started_ms, clock),
            witness.consume(bootstrap, ALERT_TOPIC),
            app.run(),
            *([view.run()] if live else []),
        ]
        try:
            async with _running(work):
                await asyncio.sleep(end_seconds(planned) - (clock.now_ms() - started_ms) / 1000)
                app.stop()
        finally:
            await receiver.cleanup()
        samples = app.host.accounts.total("samples")
    return score(seed, planned, witness.pages, len(witness.event_ids), samples)


@contextlib.asynccontextmanager
async def _running(work: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Runs all of it beside the body; a failure of any ends the body."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        daemon = tasks[2]
        await asyncio.wait([daemon])
        for task in tasks:
            task.cancel()
