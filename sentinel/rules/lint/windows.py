"""What memory the windows of rules take: how far back each selector is read, and what that costs a series.

A series' samples lie in one segment of the store: times and values, 8 bytes each (see `store.capacities`).
A full segment forgets what nobody can reach any more; unless that gives a sixteenth of it back, its contents
move into a larger one, or all but the newest are packed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from sentinel.model import Matcher
from sentinel.promql import ast, to_text
from sentinel.promql.plan import FOREVER_MS, demands
from sentinel.rules.lint.source import RuleSource
from sentinel.rules.lint.world import World, name_of
from sentinel.rules.schema import Rule
from sentinel.store.capacities import window_bytes
from sentinel.store.index import Demand

LONG_MS: Final = 600_000


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The longest window that is asked for of a selector's series. Bytes are of each series.

    What is kept for ever (`keep_ms` is FOREVER_MS or more, for `@ time`) has no figures: it grows.
    """

    file: str
    line: int
    column: int
    rule: str
    selector: str
    keep_ms: int
    every_ms: int
    samples: int = 0
    bytes: int = 0


class _Reading(NamedTuple):
    """A selector of a rule, and how far back it is read."""

    source: RuleSource
    rule: Rule
    key: str
    selector: ast.Selector
    keep_ms: int
    interval_ms: int


def windows(sources: Sequence[RuleSource], world: World, longer_than_ms: int = LONG_MS) -> list[Window]:
    """Those of all rules, the longest first. The same selector in several rules is kept once."""
    longest: dict[tuple[Matcher, ...], _Reading] = {}
    written: dict[str, int] = {}
    for reading in _readings(sources, world):
        matchers = reading.selector.matchers
        if reading.keep_ms > max(longer_than_ms, longest[matchers].keep_ms if matchers in longest else 0):
            longest[matchers] = reading
        if reading.rule.record:
            written[reading.rule.record] = reading.interval_ms
    found = [_window(reading, written, world) for reading in longest.values()]
    return sorted(found, key=lambda window: (-window.keep_ms, window.file, window.line))


def _readings(sources: Sequence[RuleSource], world: World) -> Iterator[_Reading]:
    for source in sources:
        for group in source.groups:
            interval_ms = group.interval_ms or world.interval_ms or world.sample_interval_ms
            for rule in group.rules:
                for key, expr in _expressions(rule):
                    for demand in demands(expr, world.lookback_ms):
                        yield _Reading(source, rule, key, _asking(expr, demand), demand.keep_ms, interval_ms)


def _expressions(rule: Rule) -> Iterator[tuple[str, ast.Expr]]:
    """By the keys under which they stand."""
    yield "expr", rule.expr
    if rule.resolve_expr is not None:
        yield "resolve_expr", rule.resolve_expr


def _asking(expr: ast.Expr, demand: Demand) -> ast.Selector:
    """The first selector that a demand is for."""
    selectors = (node for node in ast.walk(expr) if isinstance(node, ast.Selector))
    return next(selector for selector in selectors if selector.matchers == demand.matchers)


def _window(reading: _Reading, written: Mapping[str, int], world: World) -> Window:
    """`written` has how often recorded series get a sample, by name."""
    place = reading.source.inside(reading.rule, reading.key, offset=reading.selector.span[0])
    every_ms = written.get(name_of(reading.selector), world.sample_interval_ms)
    ends = reading.keep_ms < FOREVER_MS
    samples = held_samples(reading.keep_ms, every_ms, reading.interval_ms) if ends else 0
    return Window(
        file=reading.source.path,
        line=place.line,
        column=place.column,
        rule=reading.rule.name,
        selector=to_text(reading.selector),
        keep_ms=reading.keep_ms,
        every_ms=every_ms,
        samples=samples,
        bytes=window_bytes(samples) if ends else 0,
    )


def held_samples(keep_ms: int, sample_interval_ms: int, evaluation_interval_ms: int) -> int:
    """The most samples that are left after forgetting: those that the last evaluation reached, the one before
    them, and those that came since, but for the one that the room is made for."""
    return -(-(keep_ms + evaluation_interval_ms) // sample_interval_ms)
