"""`sentinel run`: the daemon."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentinel.telemetry import configure_logging

if TYPE_CHECKING:
    from sentinel.config.load import Config


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
    web_config: Annotated[
        Path | None,
        typer.Option("--web.config.file", help="TLS and basic auth, in the format of Prometheus."),
    ] = None,
    log_level: Annotated[str, typer.Option("--log.level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the daemon until SIGTERM. SIGHUP reloads rules and receivers."""
    configure_logging(log_level)
    from sentinel.config.load import load_config

    config = load_config(config_file)
    _prepare_process()
    options = {"listen": listen, "enable_lifecycle": enable_lifecycle, "web_config": web_config}
    work = _daemon(config, storage, options)
    if sys.platform == "win32":
        asyncio.run(work)
    else:
        import uvloop

        uvloop.run(work)


async def _daemon(config: Config, storage: Path, options: dict[str, Any]) -> None:
    from sentinel.app import App, Options
    from sentinel.app.state_folder import claimed

    with claimed(storage):
        await App(config, Options(storage, **options)).run()


def _prepare_process() -> None:
    """Series and label sets live long and hold no cycles: walking them is a fifth of taking in a new one."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
