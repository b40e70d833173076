"""How `sentinel check` tells what it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
import typer

from sentinel.errors import ConfigError, RuleError
from sentinel.model import Duration
from sentinel.promql.plan import FOREVER_MS

if TYPE_CHECKING:
    from sentinel.cli.check.linting import Report
    from sentinel.rules.lint import Finding, Window

ERRORS, LINT_ERRORS = 1, 3
"""Exit codes, as promtool's: a file is wrong; the files are right, but a check found something."""

_SEVERITIES: Final = ("bug", "warning", "info")
_SELECTOR: Final = 80
_UNITS: Final = ("B", "KiB", "MiB", "GiB")


def fail(errors: Sequence[ConfigError | RuleError]) -> NoReturn:
    for error in errors:
        typer.echo(str(error), err=True)
    raise typer.Exit(ERRORS)


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def is_shown(finding: Finding, least: str) -> bool:
    """Whether it is as bad as that, or worse."""
    return _SEVERITIES.index(finding.severity) <= _SEVERITIES.index(least)


def tell(report: Report, shown: Sequence[Finding], promtool: bool) -> None:
    """File by file whether it is right, then the findings, then the long windows."""
    for file in report.files:
        typer.echo(f"Checking {file.name}")
        if file.errors:
            typer.echo(f"  FAILED: {count(len(file.errors), 'error')}")
        else:
            typer.echo(f"  SUCCESS: {count(file.rules, 'rule')} found")
        if promtool and not file.errors:
            said = f"cannot read it: {file.unreadable}" if file.unreadable else "reads it"
            typer.echo(f"  promtool: {said}")
    for finding in shown:
        typer.echo(str(finding))
    if shown:
        hidden = len(report.findings) - len(shown)
        rest = f"; {hidden} more with --min-severity=info" if hidden else ""
        typer.echo(f"{count(len(shown), 'finding')}{rest}")
    if report.windows:
        typer.echo("Long windows, and the memory that they take for each series:")
    for window in report.windows:
        typer.echo(f"  {_window(window)}")


def as_json(report: Report, shown: Sequence[Finding]) -> str:
    """One object with all of it."""
    files = [
        {
            "file": file.name,
            "rules": file.rules,
            "errors": [_error(error) for error in file.errors],
            "promtool": None if file.errors else not file.unreadable,
        }
        for file in report.files
    ]
    told = {"files": files, "findings": shown, "windows": report.windows}
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _error(error: ConfigError | RuleError) -> dict[str, str | int]:
    rule = error.rule if isinstance(error, RuleError) else ""
    return {
        "line": error.line,
        "column": error.column,
        "rule": rule,
        "message": error.message,
        "hint": error.hint,
    }


def _window(window: Window) -> str:
    where = f"{window.file}:{window.line}:{window.column}"
    selector = window.selector if len(window.selector) <= _SELECTOR else f"{window.selector[:_SELECTOR]}..."
    if window.keep_ms >= FOREVER_MS:
        return f"{where}: {selector} for ever: it grows and grows"
    samples = f"{window.samples} samples, one every {Duration(window.every_ms)}"
    return f"{where}: {selector} for {Duration(window.keep_ms)}: {samples}: {_size(window.bytes)}"


def _size(amount: int) -> str:
    unit = min((amount.bit_length() - 1) // 10, len(_UNITS) - 1)
    return f"{amount >> 10 * unit} {_UNITS[unit]}"
