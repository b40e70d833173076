"""Matchers that exclude each other, and regular expressions that need not be any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from sentinel.model import Matcher
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject

_PLAIN: Final = re.compile(r"(?:[^\\.+*?()|\[\]{}^$]|\\[^0-9A-Za-z])+")
_ANYTHING: Final = frozenset((".*", "(.*)", "^.*$", ".*$", "^.*"))


def contradicting_matchers(subject: Subject) -> Iterator[Found]:
    """`{a="x", a="y"}` selects nothing."""
    for selector in subject.selectors():
        for one in selector.matchers:
            if one.op == "!~" and one.value in _ANYTHING:
                yield subject.at(selector, f"{one} excludes every series", "leave the matcher out")
        for one, other in combinations(selector.matchers, 2):
            if one.name == other.name and _contradict(one, other):
                message = f"{one} and {other} exclude each other: {subject.said(selector)} selects nothing"
                yield subject.at(selector, message, "leave one of the two out, or make them one regex")


def plain_regex(subject: Subject) -> Iterator[Found]:
    """`a=~"x"` is `a="x"`."""
    for selector in subject.selectors():
        for matcher in selector.matchers:
            if matcher.op in ("=~", "!~") and _PLAIN.fullmatch(matcher.value):
                op = "=" if matcher.op == "=~" else "!="
                message = f"{matcher} is no regular expression"
                yield subject.at(selector, message, f"write {matcher.name}{op}, which says so")


def empty_regex(subject: Subject) -> Iterator[Found]:
    """`a=~".*"` or `a=~"x|"` also selects series without the label."""
    for selector in subject.selectors():
        for matcher in selector.matchers:
            if matcher.op != "=~" or not matcher.matches(""):
                continue
            if matcher.value in _ANYTHING:
                yield subject.at(selector, f"{matcher} matches every series", "leave the matcher out")
            else:
                message = f"{matcher} also matches series without the label"
                yield subject.at(selector, message, "if that is not meant, leave the empty alternative out")


def _contradict(one: Matcher, other: Matcher) -> bool:
    """Certain only where one of the two asks for one value, or they are each other's opposite."""
    if one.op == "=":
        return not other.matches(one.value)
    if other.op == "=":
        return not one.matches(other.value)
    return one.value == other.value and {one.op, other.op} in ({"=~", "!~"}, {"=", "!="})
