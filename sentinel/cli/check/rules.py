"""`sentinel check rules`: rule files, their mistakes, and what the checks find in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sentinel.cli.check.report import LINT_ERRORS, as_json, fail, is_shown, tell
from sentinel.cli.check.selection import selected
from sentinel.model import Duration

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        show_default=False, help="Rule files, or manifests of PrometheusRule objects. None: stdin."
    ),
]
Lint = Annotated[str, typer.Option("--lint", help="Checks to run: names with commas, all, or none.")]
Fatal = Annotated[bool, typer.Option("--lint-fatal", help="Exit with 3 if a check finds anything.")]
Least = Annotated[
    Literal["bug", "warning", "info"],
    typer.Option("--min-severity", help="Leave out what is less than that."),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="sentinel.yml: its rules and intervals count too; the rules if no file is named."
    ),
]
Known = Annotated[
    Path | None,
    typer.Option("--known-metrics", help="The metrics there are: an exposition, or names, one a line."),
]
Interval = Annotated[
    str,
    typer.Option("--scrape-interval", help="How often samples come; otherwise the configuration's, or 15s."),
]
Promtool = Annotated[bool, typer.Option("--promtool", help="Say of each file whether promtool reads it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
Unknown = Annotated[bool, typer.Option("--ignore-unknown-fields", help="Pass over keys that are not known.")]


def check_rules(
    files: Files = None,
    lint: Lint = "all",
    lint_fatal: Fatal = False,
    min_severity: Least = "warning",
    config: Config = None,
    known_metrics: Known = None,
    scrape_interval: Interval = "",
    promtool: Promtool = False,
    json: Json = False,
    ignore_unknown_fields: Unknown = False,
) -> None:
    """Check rule files."""
    from sentinel.cli.check import linting

    request = linting.Request(
        files=files or [],
        names=selected(lint),
        config=config,
        known_metrics=known_metrics,
        scrape_interval=_duration(scrape_interval),
        strict=not ignore_unknown_fields,
    )
    report = linting.run(request)
    shown = [finding for finding in report.findings if is_shown(finding, min_severity)]
    if json:
        typer.echo(as_json(report, shown))
    else:
        tell(report, shown, promtool)
    errors = [error for file in report.files for error in file.errors]
    if errors:
        fail([] if json else errors)
    if shown and lint_fatal:
        raise typer.Exit(LINT_ERRORS)


def _duration(text: str) -> Duration | None:
    try:
        found = Duration.parse(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scrape-interval") from None
    if found == 0:
        raise typer.BadParameter("must be above 0", param_hint="--scrape-interval")
    return found
