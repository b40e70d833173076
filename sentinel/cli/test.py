"""`sentinel test`: do the rules do what their unit tests say? promtool's test files run as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentinel.errors import ConfigError

if TYPE_CHECKING:
    from sentinel.rule_test import Coverage, FileResult

test = typer.Typer(help="Unit tests.", no_args_is_help=True)

Junit = Annotated[Path | None, typer.Option(help="Write the results to this file, as JUnit XML.")]
Run = Annotated[
    list[str] | None,
    typer.Option(help="Only tests whose name this regular expression finds. May be given repeatedly."),
]
CoverageMin = Annotated[
    float | None, typer.Option(min=0, max=100, help="Fail below this percentage of rules seen at work.")
]


@test.callback()
def _test(ctx: typer.Context, junit: Junit = None) -> None:
    ctx.obj = junit


@test.command("rules")
def test_rules(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Unit-test files, in promtool's format.")],
    run: Run = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show differences line by line.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show all data of each test.")] = False,
    junit: Junit = None,
    ignore_unknown_fields: Annotated[
        bool, typer.Option("--ignore-unknown-fields", help="Pass over unknown keys in test and rule files.")
    ] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Show which rules no test has seen at work.")
    ] = False,
    coverage_min: CoverageMin = None,
) -> None:
    """Run unit tests of rules."""
    from sentinel.rule_test import Coverage, Runner

    seen = Coverage() if coverage or coverage_min is not None else None
    say, strict = _debug if debug else None, not ignore_unknown_fields
    runner = Runner(chosen=_choice(run or []), strict=strict, coverage=seen, say=say)
    results = []
    for file in files:
        typer.echo(f"Unit Testing:  {file}")
        results.append(runner.run(file))
        _print(results[-1], diff)
    if target := junit or ctx.obj:
        _write(target, results)
    covered = seen is None or _covered(seen, coverage_min)
    raise typer.Exit(0 if covered and all(result.passed for result in results) else 1)


def _covered(seen: Coverage, least: float | None) -> bool:
    """Prints what was seen at work; whether it is enough."""
    typer.echo("\n".join(["Coverage:", *seen.lines()]))
    if least is None or seen.percent >= least:
        return True
    typer.echo(f"  FAILED: less than {least:g}% of the rules", err=True)
    return False


def _choice(patterns: list[str]) -> Callable[[str], bool]:
    """Whether one of the patterns, in RE2 syntax, is found in a name."""
    from sentinel.rule_test.files import everything

    if not patterns:
        return everything
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        wanted = [re2.compile(pattern, options) for pattern in patterns]
    except re2.error as error:
        said = error.args[0].decode(errors="replace")
        raise typer.BadParameter(f"not a regular expression: {said}", param_hint="--run") from None
    return lambda name: any(pattern.search(name) for pattern in wanted)


def _print(result: FileResult, diff: bool) -> None:
    from sentinel.rule_test.text import failure_text

    for warning in result.warnings:
        typer.echo(f"  WARNING: {warning}", err=True)
    for outcome in result.outcomes:
        for note in outcome.notes:
            typer.echo(f"  NOTE: {outcome.where}: {outcome.name}: {note}", err=True)
    texts = [*result.errors]
    for outcome in result.outcomes:
        texts += [failure_text(outcome, failure, diff=diff) for failure in outcome.failures]
    if texts:
        typer.echo("  FAILED:", err=True)
    for text in texts:
        typer.echo(text + "\n", err=True)
    typer.echo("" if texts else "  SUCCESS\n")


def _debug(text: str) -> None:
    typer.echo(f"DEBUG: {text}", err=True)


def _write(path: Path, results: list[FileResult]) -> None:
    from datetime import datetime

    from sentinel.rule_test import junit_xml

    try:
        path.write_bytes(junit_xml(results, datetime.now()))
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", path=str(path)) from None
