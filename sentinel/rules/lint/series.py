"""Series that nobody makes."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject
from sentinel.rules.lint.world import name_of


def unknown_metric(subject: Subject) -> Iterator[Found]:
    """Neither a rule nor, where they are known, a source. Names with colons are those of recording rules."""
    told: set[str] = set()
    for selector in subject.selectors():
        name = name_of(selector)
        if not name or name in told or subject.world.exists(name):
            continue
        told.add(name)
        if ":" in name:
            hint = "check its spelling, or check the file of the rule that records it together with this one"
            yield subject.at(selector, f"no rule records {name}", hint)
        else:
            hint = "check its spelling against the list of metrics"
            yield subject.at(selector, f"neither a source nor a rule makes {name}", hint)
