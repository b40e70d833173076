"""`sentinel check`: is a file right? Prints every mistake as `file:line:column: message (hint)`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from sentinel.errors import ConfigErrors

check = typer.Typer(help="Check files without starting anything.", no_args_is_help=True)


@check.command("config")
def check_config(
    file: Annotated[Path | None, typer.Argument(show_default=False, help="sentinel.yml")] = None,
    print_schema: Annotated[
        bool, typer.Option("--print-schema", help="Print the JSON Schema of the file instead.")
    ] = False,
) -> None:
    """Check a configuration, with its rule files and its Alertmanager file."""
    if print_schema:
        typer.echo(_schema())
        return
    if file is None:
        raise typer.BadParameter("name the configuration file", param_hint="FILE")
    from sentinel.config.load import load_config

    typer.echo(f"Checking {file}")
    try:
        config = load_config(file)
    except ConfigErrors as error:
        _fail(error)
    receivers = config.alertmanager.receivers if config.alertmanager else []
    found = [
        _count(len(config.sources), "source"),
        _count(len(config.groups), "rule group"),
        _count(sum(len(group.rules) for group in config.groups), "rule"),
        _count(len(receivers), "receiver"),
    ]
    typer.echo(f"  SUCCESS: {', '.join(found)} found")


@check.command("rules")
def check_rules(
    files: Annotated[list[Path], typer.Argument(help="Rule files, or manifests of PrometheusRule objects.")],
) -> None:
    """Check rule files."""
    from sentinel.rules.load import load_rules

    wrong = ConfigErrors([])
    for file in files:
        typer.echo(f"Checking {file}")
        try:
            groups = load_rules(file)
        except ConfigErrors as error:
            wrong.errors += error.errors
            typer.echo(f"  FAILED: {_count(len(error.errors), 'error')}")
        else:
            typer.echo(f"  SUCCESS: {_count(sum(len(group.rules) for group in groups), 'rule')} found")
    if wrong.errors:
        _fail(wrong)


def _fail(wrong: ConfigErrors) -> NoReturn:
    for error in wrong.errors:
        typer.echo(str(error), err=True)
    raise typer.Exit(1)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _schema() -> str:
    import msgspec

    from sentinel.config.schema import json_schema

    return msgspec.json.format(msgspec.json.encode(json_schema())).decode()
