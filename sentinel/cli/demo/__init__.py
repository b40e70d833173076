"""`sentinel demo`: the daemon against an embedded broker, with incidents whose pages are counted."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from sentinel.telemetry import configure_logging


def demo(
    seed: Annotated[int, typer.Option("--seed", help="Which services fail, and when.")] = 7,
    output: Annotated[
        Literal["live", "json"], typer.Option("--output", help="A live view, or one JSON line at the end.")
    ] = "live",
) -> None:
    """Watch Sentinel work: about 80 seconds, nothing to install besides the `demo` extra.

    Exits with status 0 only if every incident was paged and resolved, and nothing else was paged.
    """
    configure_logging("critical")
    from sentinel.cli.demo.scorecard import Scorecard
    from sentinel.cli.demo.show import run_show

    async def show(folder: Path) -> Scorecard:
        return await run_show(seed, folder, live=output == "live")

    with tempfile.TemporaryDirectory(prefix="sentinel-demo-") as folder:
        card = asyncio.run(show(Path(folder)))
    typer.echo(card.json() if output == "json" else card.text())
    sys.exit(0 if card.passed else 1)
