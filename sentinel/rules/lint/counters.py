"""Functions for counters over what is none, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sentinel.model import Duration
from sentinel.promql import ast
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject
from sentinel.rules.lint.world import name_of

_RATES: Final = ("rate", "increase", "irate")
_GAUGE: Final = re.compile(
    r"up|.*_(?:up|info|ratio|percent|percentage|timestamp|timestamp_seconds|celsius|temperature|depth|queue_length|"
    r"lag|utilization|(?:free|avail|available|capacity)(?:_bytes)?|inuse_bytes|used_bytes)"
)
"""Endings that neither counters nor native histograms have, which rates are for."""
_COUNTER: Final = re.compile(r".*_(?:total|bucket)")
_SPOILING: Final = frozenset(("sum", "avg", "min", "max", "count"))


def rate_of_gauge(subject: Subject) -> Iterator[Found]:
    """By its name or its known kind: each time the value falls, it counts as a counter that began anew."""
    for call in subject.calls(*_RATES):
        name = _ranged(call)
        if name and _looks(subject, name) == "gauge":
            message = f"{call.function}() is for counters, and {name} {_reason(subject, name)} a gauge"
            yield subject.at(call, message, "use delta(), deriv() or changes()")


def delta_of_counter(subject: Subject) -> Iterator[Found]:
    """A restart of the counter shows as a fall."""
    for call in subject.calls("delta", "idelta", "deriv", "predict_linear"):
        name = _ranged(call)
        if name and _looks(subject, name) == "counter":
            better = {"delta": "increase()", "idelta": "irate()"}.get(call.function, "rate()")
            message = f"{call.function}() is for gauges, and {name} {_reason(subject, name)} a counter"
            yield subject.at(call, message, f"use {better}, which knows about restarts")


def rate_of_aggregate(subject: Subject) -> Iterator[Found]:
    """`rate(sum(x)[5m:])`, or over a recorded sum: when one of many restarts, the sum just falls."""
    for call in subject.calls(*_RATES):
        inner = ast.bare(call.args[0])
        if isinstance(inner, ast.Subquery) and _spoils(inner.expr):
            message = (
                f"{call.function}() of {subject.said(inner.expr)}: restarts are not seen in an aggregate"
            )
            yield subject.at(call, message, f"take the {call.function}() first, then aggregate")
        elif isinstance(inner, ast.Range):
            name = name_of(inner.selector)
            definitions = subject.world.definitions(name)
            if definitions and all(_spoils(rule.expr) for rule in definitions):
                message = (
                    f"{call.function}() of {name}, which is recorded as an aggregate: restarts are not seen"
                )
                yield subject.at(call, message, f"record the {call.function}() instead")


def short_window(subject: Subject) -> Iterator[Found]:
    """Rates need two samples; a window of less than two sample intervals has gaps where it has any."""
    every_ms = subject.world.sample_interval_ms
    for call in subject.calls(*_RATES, "delta", "idelta", "deriv", "predict_linear"):
        inner = ast.bare(call.args[0])
        if not isinstance(inner, ast.Range) or inner.selector.extended:
            continue  # what is anchored or smoothed looks beyond its window
        if 0 < inner.range_ms < 2 * every_ms:
            window = f"{subject.said(inner)} holds fewer than two samples at times"
            message = f"{window}: they come every {Duration(every_ms)}"
            yield subject.at(inner, message, f"make it {Duration(4 * every_ms)} or more")


def _ranged(call: ast.Call) -> str:
    """The name of the metric whose samples are read; empty where it is an expression."""
    inner = ast.bare(call.args[0])
    return name_of(inner.selector) if isinstance(inner, ast.Range) else ""


def _looks(subject: Subject, name: str) -> str | None:
    if (known := subject.world.kind(name)) is not None or ":" in name:
        return known
    if _COUNTER.fullmatch(name):
        return "counter"
    return "gauge" if _GAUGE.fullmatch(name) else None


def _reason(subject: Subject, name: str) -> str:
    return "is" if subject.world.kind(name) else "is by its name"


def _spoils(expr: ast.Expr) -> bool:
    """An aggregate of series as they are."""
    inner = ast.bare(expr)
    if not isinstance(inner, ast.Aggregation) or inner.op not in _SPOILING:
        return False
    return isinstance(ast.bare(inner.expr), ast.Selector)
