"""Finding plug-ins: one file plus one entry-point line each."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sentinel.errors import ConfigError


@cache
def _found(kind: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"sentinel.{kind}")}


def names(kind: str) -> list[str]:
    """The names installed under `kind` (`decoders`, `detectors`, `receivers`), sorted."""
    return sorted(_found(kind))


def load(kind: str, name: str) -> Any:
    """The class registered under `name`; imported on first use, so that what is not used costs nothing."""
    found = _found(kind)
    if name not in found:
        raise ConfigError(
            f"unknown {kind.removesuffix('s')} {name!r}", hint=f"known: {', '.join(sorted(found))}"
        )
    return found[name].load()
