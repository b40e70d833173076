"""`sentinel query`: asks a Sentinel, or a Prometheus, over HTTP, and shows the answer in the terminal."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Final, Literal

import typer

from sentinel.model import Duration

query = typer.Typer(help="Ask a running Sentinel.", no_args_is_help=True)

SERVER: Final = "http://127.0.0.1:9464"
POINTS: Final = 240
"""How many steps a range is divided into, unless a step is given."""
PLOT_LINES: Final = 16

Asked = Annotated[
    list[str], typer.Argument(metavar="[SERVER] EXPR", help="The query, after the server if any.")
]
Url = Annotated[str, typer.Option("--url", help="Where the server is, with user:password@ if it asks.")]
Timeout = Annotated[
    str, typer.Option("--timeout", help="How long the server may take; its own limit if empty.")
]
_WHEN: Final = "Unix seconds, RFC 3339, now, or ago like -1h."


@query.command("instant")
def instant(
    asked: Asked,
    url: Url = SERVER,
    at: Annotated[str, typer.Option("--time", help=_WHEN)] = "now",
    timeout: Timeout = "",
    output: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
) -> None:
    """A query's value at one time."""
    from sentinel.cli.query.client import ask, moment

    server, expr = _split(asked, url)
    parameters = {"query": expr, "time": moment(at, time.time())}
    _show(ask(server, "query", parameters | _limit(timeout)), output)


@query.command("range")
def over(
    asked: Asked,
    url: Url = SERVER,
    start: Annotated[str, typer.Option("--start", help=_WHEN)] = "-1h",
    end: Annotated[str, typer.Option("--end", help=_WHEN)] = "now",
    step: Annotated[str, typer.Option("--step", help="Like 15s; by itself a 240th of the range.")] = "",
    timeout: Timeout = "",
    output: Annotated[Literal["table", "json", "plot"], typer.Option("--format")] = "table",
) -> None:
    """A query's values over a time range."""
    from sentinel.cli.query.client import ask, moment

    server, expr = _split(asked, url)
    now = time.time()
    times = {"start": moment(start, now), "end": moment(end, now)}
    width = step or str(max(1, round((float(times["end"]) - float(times["start"])) / POINTS)))
    _show(ask(server, "query_range", {"query": expr, "step": width} | times | _limit(timeout)), output)


def _split(asked: list[str], url: str) -> tuple[str, str]:
    """(server, expression)"""
    if len(asked) > 2:
        raise typer.BadParameter("give one expression; quote it for the shell", param_hint="EXPR")
    return (url, asked[0]) if len(asked) == 1 else (asked[0], asked[1])


def _limit(timeout: str) -> dict[str, str]:
    if not timeout:
        return {}
    try:
        Duration.parse(timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from None
    return {"timeout": timeout}


def _show(body: dict[str, Any], output: str) -> None:
    """The answer on standard output, what the server remarked on standard error."""
    from sentinel.cli.query.table import printable, table

    for kind in ("warnings", "infos"):
        for note in body.get(kind, ()):
            typer.echo(printable(f"{kind.removesuffix('s')}: {note}"), err=True)
    if output == "json":
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(body["data"])).decode())
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 10_000, soft_wrap=True, highlight=False)
    if output == "plot":
        from sentinel.cli.query.plot import plot

        width = console.width if sys.stdout.isatty() else 100
        for line in plot(body["data"]["result"], width, PLOT_LINES):
            console.print(line)
        return
    console.print(table(body["data"]))
