"""Alerts that fire for anything, all the time, or at once."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.model import Duration
from sentinel.rules.lint.conditions import ABSENCE
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject, has_selector


def no_comparison(subject: Subject) -> Iterator[Found]:
    """Nothing in the expression says when: the alert fires for whatever series there is."""
    expr = subject.rule.expr
    if subject.rule.alert and has_selector(expr) and not subject.conditions.are_in(expr):
        hint = "compare it with a value: any sample fires an alert, 0 too"
        yield subject.at(expr, "the expression has no condition, so it fires for every series it finds", hint)


def constant_expression(subject: Subject) -> Iterator[Found]:
    """Right for a watchdog, and for nothing else."""
    timed = any(subject.calls("time", "hour", "minute", "month", "year", "day_of_week", "day_of_month"))
    if subject.rule.alert and not timed and not has_selector(subject.rule.expr):
        hint = "as a watchdog it should; else name the series that it is about"
        yield subject.at(subject.rule.expr, "the expression reads no series: it never changes", hint)


def missing_for(subject: Subject) -> Iterator[Found]:
    """One sample is enough to page somebody."""
    rule = subject.rule
    if not rule.alert or rule.for_ms or not has_selector(rule.expr) or any(subject.calls(*ABSENCE)):
        return
    yield subject.whole("fires at the first evaluation that finds it", "say `for:` how long it has to last")


def short_for(subject: Subject) -> Iterator[Found]:
    """It cannot be told from one interval."""
    for_ms, interval_ms = subject.rule.for_ms, subject.group.interval_ms or subject.world.interval_ms
    if 0 < for_ms < interval_ms:  # never, if nobody knows the interval
        every = f"the group is evaluated every {Duration(interval_ms)}"
        message = f"for: {Duration(for_ms)} is shorter than the interval: {every}"
        yield subject.about(
            "for", message=message, hint=f"write {Duration(interval_ms)}, which is what it is"
        )
