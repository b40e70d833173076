"""Which checks `--lint` asks for."""

from __future__ import annotations

from typing import Final

import typer

TOO_LONG_SCRAPE_INTERVAL: Final = "too-long-scrape-interval"
"""The one check that is not of a rule."""


def selected(setting: str) -> frozenset[str]:
    """`all`, `none`, or names with commas between them. A name that is no check is a wrong use."""
    from sentinel.documents.wording import advice
    from sentinel.rules.lint import NAMES

    known = (*NAMES, TOO_LONG_SCRAPE_INTERVAL)
    wanted = [name.strip() for name in setting.split(",") if name.strip()]
    if "none" in wanted:
        return frozenset()
    if "all" in wanted:
        return frozenset(known)
    for name in wanted:
        if name not in known:
            hint = advice(name, ["all", "none", *known])
            raise typer.BadParameter(f"no check is called {name!r} ({hint})", param_hint="--lint")
    return frozenset(wanted)
