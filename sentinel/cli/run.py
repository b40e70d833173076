"""`sentinel run`: the daemon."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from sentinel.telemetry import configure_logging


def run(
    config_file: Annotated[Path, typer.Option("--config.file", help="The configuration file.")] = Path(
        "sentinel.yml"
    ),
    listen: Annotated[
        str, typer.Option("--web.listen-address", help="Address of the HTTP server.")
    ] = "127.0.0.1:9464",
    storage: Annotated[
        Path, typer.Option("--storage.path", help="Folder for state: snapshots, journal, alert log.")
    ] = Path("data"),
    enable_lifecycle: Annotated[
        bool, typer.Option("--web.enable-lifecycle", help="Allow reloads over HTTP.")
    ] = False,
    log_level: Annotated[str, typer.Option("--log.level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the daemon until SIGTERM. SIGHUP reloads rules and receivers."""
    configure_logging(log_level)
    from sentinel.app.state_folder import claimed
    from sentinel.config.load import load_config

    config = load_config(config_file)

    # Series and label sets live long and hold no cycles: walking them over and over is a fifth of taking in
    # a new series.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)

    async def daemon() -> None:
        from sentinel.app import App, Options

        with claimed(storage):
            await App(config, Options(storage, listen, enable_lifecycle)).run()

    if sys.platform == "win32":
        asyncio.run(daemon())
    else:
        import uvloop

        uvloop.run(daemon())
