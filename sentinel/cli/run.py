"""`sentinel run`: the daemon."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sentinel.model import Duration
from sentinel.telemetry import configure_logging

if TYPE_CHECKING:
    from sentinel.config.load import Config


def _duration(text: str | Duration) -> Duration:
    duration = Duration.parse(str(text))  # of a default it is given the default
    if duration <= 0:
        raise ValueError("must be above 0")
    return duration


SWITCH_SECONDS: Final = 0.0005
"""How long a thread that wants to go on waits for one that computes in Python."""
TIMEOUT: Final = Duration(10_000)
LOOKBACK: Final = Duration(300_000)

QueryTimeout = Annotated[
    Duration,
    typer.Option("--query.timeout", parser=_duration, help="How long a query may take, its turn included."),
]
QuerySamples = Annotated[
    int, typer.Option("--query.max-samples", min=1, help="How many samples a query may load at once.")
]
QueryLookback = Annotated[
    Duration,
    typer.Option("--query.lookback-delta", parser=_duration, help="How old a sample a query still takes."),
]


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
    query_timeout: QueryTimeout = TIMEOUT,
    query_max_samples: QuerySamples = 50_000_000,
    query_lookback: QueryLookback = LOOKBACK,
    log_level: Annotated[str, typer.Option("--log.level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the daemon until SIGTERM. SIGHUP reloads rules and receivers."""
    configure_logging(log_level)
    from sentinel.config.load import load_config

    config = load_config(config_file)
    _prepare_process()
    options = {"listen": listen, "enable_lifecycle": enable_lifecycle, "web_config": web_config}
    queries = (query_timeout.seconds, query_max_samples, int(query_lookback))
    work = _daemon(config, storage, options, queries)
    if sys.platform == "win32":
        asyncio.run(work)
    else:
        import uvloop

        uvloop.run(work)


async def _daemon(
    config: Config, storage: Path, options: dict[str, Any], queries: tuple[float, int, int]
) -> None:
    from sentinel.api.prometheus import QuerySettings
    from sentinel.app import App, Options
    from sentinel.app.state_folder import claimed

    with claimed(storage):
        await App(config, Options(storage, queries=QuerySettings(*queries), **options)).run()


def _prepare_process() -> None:
    """Series and label sets live long and hold no cycles: walking them is a fifth of taking in a new one.

    A thread that computes for long, as for the answer to a query, must not be waited for at each of the short
    steps that an alert takes.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
