"""Rules that are there twice."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject


def duplicate_rule(subject: Subject) -> Iterator[Found]:
    """The same name and labels as an earlier rule of the file."""
    rule, other = subject.rule, subject.source.first_of_its_kind(subject.rule)
    if other is not rule:
        same = "the same expression" if other.expr == rule.expr else "another expression"
        message = f"has the name and the labels of the rule in line {other.line}, with {same}"
        yield subject.whole(message, "leave one out, or tell them apart by a label")
