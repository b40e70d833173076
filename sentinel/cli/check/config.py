"""`sentinel check config`: the configuration, with every file that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentinel.cli.check.report import LINT_ERRORS, count, fail
from sentinel.cli.check.selection import selected
from sentinel.errors import ConfigErrors


def check_config(
    file: Annotated[Path | None, typer.Argument(show_default=False, help="sentinel.yml")] = None,
    print_schema: Annotated[
        bool, typer.Option("--print-schema", help="Print the JSON Schema of the file instead.")
    ] = False,
    lint: Annotated[
        str, typer.Option("--lint", help="Checks of the rules and sources: names with commas, all, or none.")
    ] = "duplicate-rules,too-long-scrape-interval",
    lint_fatal: Annotated[
        bool, typer.Option("--lint-fatal", help="Exit with 3 if they find anything.")
    ] = False,
) -> None:
    """Check a configuration, with its rule files and its Alertmanager file."""
    if print_schema:
        typer.echo(_schema())
        return
    if file is None:
        raise typer.BadParameter("name the configuration file", param_hint="FILE")
    from sentinel.cli.check import linting
    from sentinel.config.load import load_config

    typer.echo(f"Checking {file}")
    try:
        config = load_config(file)
    except ConfigErrors as error:
        fail(error.errors)
    receivers = config.alertmanager.receivers if config.alertmanager else []
    found = [
        count(len(config.sources), "source"),
        count(len(config.groups), "rule group"),
        count(sum(len(group.rules) for group in config.groups), "rule"),
        count(len(receivers), "receiver"),
    ]
    typer.echo(f"  SUCCESS: {', '.join(found)} found")
    findings = linting.of_config(config, file, selected(lint))
    for finding in findings:
        typer.echo(str(finding))
    if findings and lint_fatal:
        raise typer.Exit(LINT_ERRORS)


def _schema() -> str:
    import msgspec

    from sentinel.config.schema import json_schema

    return msgspec.json.format(msgspec.json.encode(json_schema())).decode()
