"""The command line: one verb a file, imported only when it is called or asked about.

A verb is a module here that has the verb's name and holds a function of that name, or a `typer.Typer` of that
name if it has verbs of its own.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sentinel import __version__
from sentinel.errors import SentinelError

VERBS = ("run", "check", "test", "query", "demo")


class _Verbs(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        verb = getattr(import_module(f"sentinel.cli.{cmd_name}"), cmd_name)
        if isinstance(verb, typer.Typer):
            command = typer.main.get_command(verb)
        else:
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command(cmd_name)(verb)
            command = typer.main.get_command(app)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="sentinel",
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # to draw boxes costs more than to check a file
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sentinel {__version__}")
        raise typer.Exit


@app.callback()
def _sentinel(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Monitoring and anomaly detection for streams: telemetry from Kafka in, alerts out."""


def main() -> None:
    """Runs the verb that the arguments name. Mistakes of the user end it with status 1, one line each."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # typer's: it would read what is installed
    gc.set_threshold(100_000)  # imports make objects that stay: looking through them is a fifth of a start
    try:
        app(prog_name="sentinel")
    except SentinelError as error:
        sys.exit(str(error))
