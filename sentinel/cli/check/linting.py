"""Reading rule files for `sentinel check`, and what is known about the series that they read."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sentinel.cli.check.selection import TOO_LONG_SCRAPE_INTERVAL
from sentinel.documents import read_text
from sentinel.errors import ConfigError, ConfigErrors, RuleError
from sentinel.model import Duration
from sentinel.rules.lint import (
    Finding,
    Metrics,
    RuleSource,
    Window,
    World,
    lint,
    read_metrics,
    readable,
    recorded,
    windows,
)
from sentinel.rules.load import parse_rules

if TYPE_CHECKING:
    from sentinel.config.load import Config

LOOKBACK_MS: Final = 300_000
SCRAPE_INTERVAL: Final = Duration(15_000)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be checked, with what, and what is known beside it."""

    files: list[Path]
    """None: those of the configuration; without one, standard input."""
    names: frozenset[str]
    config: Path | None = None
    known_metrics: Path | None = None
    scrape_interval: Duration | None = None
    strict: bool = True


@dataclass(frozen=True)
class Checked:
    """One rule file: either it has errors, or it has a source for the checks."""

    name: str
    source: RuleSource | None = None
    errors: list[ConfigError | RuleError] = field(default_factory=list)

    @property
    def rules(self) -> int:
        return sum(len(group.rules) for group in self.source.groups) if self.source else 0

    @property
    def unreadable(self) -> str:
        """Why promtool cannot read a file that is right; empty if it can."""
        return readable(self.source)[1] if self.source else ""


@dataclass(frozen=True)
class Report:
    """What came of it."""

    files: list[Checked]
    findings: list[Finding]
    windows: list[Window]


def run(request: Request) -> Report:
    """Raises ConfigError or ConfigErrors, if the configuration or the list of metrics cannot be read."""
    config = _loaded(request.config)
    metrics = known_metrics(request.known_metrics) if request.known_metrics else None
    if request.files:
        files = [read(path, strict=request.strict) for path in request.files]
    elif config is not None and request.config is not None:
        files = [Checked(source.path, source) for source in _sources(config, request.config)]
    else:
        files = [parsed("standard input", sys.stdin.read(), strict=request.strict)]
    sources = [file.source for file in files if file.source]
    world = world_of(sources, config, metrics, request.scrape_interval)
    findings = lint(sources, world, request.names)
    if config is not None and request.config and TOO_LONG_SCRAPE_INTERVAL in request.names:
        findings = [*too_long(config, request.config), *findings]
    return Report(files, findings, windows(sources, world))


def _loaded(path: Path | None) -> Config | None:
    if path is None:
        return None
    from sentinel.config.load import load_config

    return load_config(path)


def read(path: Path, *, strict: bool) -> Checked:
    """One file from the disk."""
    try:
        text = read_text(path)
    except ConfigError as error:
        return Checked(str(path), errors=[error])
    return parsed(str(path), text, strict=strict)


def parsed(name: str, text: str, *, strict: bool) -> Checked:
    try:
        return Checked(name, RuleSource(name, text, parse_rules(text, name, strict=strict)))
    except ConfigErrors as error:
        return Checked(name, errors=error.errors)


def known_metrics(path: Path) -> Metrics:
    """Raises ConfigError."""
    try:
        return read_metrics(read_text(path))
    except msgspec.DecodeError as error:
        raise ConfigError(f"no list of metrics: {error}", path=str(path)) from None


def world_of(
    sources: list[RuleSource],
    config: Config | None,
    metrics: Metrics | None,
    scrape_interval: Duration | None,
) -> World:
    """What the files, the configuration and the list of metrics say together.

    A configuration without sources names all that comes: what Sentinel sees of its clusters.
    """
    rules = [rule for source in sources for group in source.groups for rule in group.rules]
    if config is None:
        every_ms = int(scrape_interval or SCRAPE_INTERVAL)
        return World(recorded=recorded(rules), metrics=metrics, sample_interval_ms=every_ms)
    given = {Path(source.path).resolve() for source in sources}
    rules += [
        r for group in config.groups if (config.base / group.file).resolve() not in given for r in group.rules
    ]
    scrapes = [source.scrape.interval for source in config.sources if source.scrape]
    if metrics is not None or not config.sources:
        known = metrics or Metrics()
        watched = frozenset(_watched()) if config.clusters else frozenset[str]()
        metrics = msgspec.structs.replace(known, names=known.names | watched)
    return World(
        recorded=recorded(rules),
        metrics=metrics,
        interval_ms=int(config.global_.evaluation_interval),
        sample_interval_ms=int(scrape_interval or min(scrapes, default=SCRAPE_INTERVAL)),
    )


def of_config(config: Config, path: Path, names: Collection[str]) -> list[Finding]:
    """What the checks find in a configuration and in its rule files."""
    sources = list(_sources(config, path))
    findings = lint(sources, world_of(sources, config, None, None), names)
    return [*(too_long(config, path) if TOO_LONG_SCRAPE_INTERVAL in names else ()), *findings]


def too_long(config: Config, path: Path) -> Iterator[Finding]:
    """Targets that are scraped so rarely that their series come and go."""
    for source in config.sources:
        if source.scrape and source.scrape.interval >= LOOKBACK_MS:
            interval, limit = source.scrape.interval, Duration(LOOKBACK_MS)
            yield Finding(
                file=str(path),
                line=0,
                column=0,
                severity="warning",
                check=TOO_LONG_SCRAPE_INTERVAL,
                rule="",
                message=f"source {source.name!r} is scraped every {interval}: samples count for {limit}",
                hint="scrape it more often, or queries find its series now and then only",
            )


def _sources(config: Config, path: Path) -> Iterator[RuleSource]:
    """The rule files of a configuration, named as `path` is."""
    for file in dict.fromkeys(group.file for group in config.groups):
        name = path.parent / file
        groups = [group for group in config.groups if group.file == file]
        yield RuleSource(str(name), read_text(name), groups)


def _watched() -> Iterator[str]:
    from sentinel.watch.check import Gauge, installed

    for check in installed():
        for gauge in vars(import_module(type(check).__module__)).values():
            if isinstance(gauge, Gauge):
                yield gauge.name
