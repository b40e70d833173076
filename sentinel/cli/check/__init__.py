"""`sentinel check`: is a file right, and is it what was meant? One line for each mistake and each finding."""

from __future__ import annotations

import typer

from sentinel.cli.check.config import check_config
from sentinel.cli.check.rules import check_rules

check = typer.Typer(
    help="Check files without starting anything.", no_args_is_help=True, rich_markup_mode=None
)
check.command("config")(check_config)
check.command("rules")(check_rules)
