"""Series descriptions: a metric and its points on a line, as test scripts and unit tests of rules have them.

    http_requests{job="api"}  0+10x100  _x5  stale  {{schema:0 sum:5 count:4 buckets:[1 2 1]}}x3

The language is Prometheus's (its page on unit testing rules): `axN` and `a+bxN` are N + 1 points, `_xN` is N
gaps. Every error is a ValueError that begins with line and column in the text that was given.
"""

from __future__ import annotations

import re
from itertools import accumulate, repeat
from typing import Final, NamedTuple, NoReturn

from sentinel.model import STALE, Histogram, Labels, quote
from sentinel.promql.histogram_description import parse_histogram
from sentinel.promql.histograms import add, subtract
from sentinel.promql.syntax import literals
from sentinel.promql.syntax.lexer import line_column

Point = None | float | Histogram
"""One place in a series: a gap, a value (`model.STALE` ends the series), or a native histogram."""

MAX_POINTS: Final = 1_000_000
"""In one series: at one a minute, two years."""
MAX_BUCKETS: Final = 10_000_000
"""In all histograms of one series that were added up. Without its buckets one weighs as much as a hundred."""


class SeriesDescription(NamedTuple):
    labels: Labels
    values: list[Point]
    hinted: frozenset[int]
    """Which points are histograms whose `counter_reset_hint` is written there."""


_STRING: Final = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"""
_METRIC: Final = re.compile(
    rf"""(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)?(?:\{{(?P<labels>(?:[^{{}}"'`]|{_STRING})*)\}})?(?!\S)"""
)
_NAME: Final = rf"(?:[A-Za-z_][A-Za-z0-9_]*(?=\s*=)|{_STRING})"
_LABEL: Final = re.compile(rf"\s*(?P<name>{_NAME})\s*(?:=\s*(?P<value>{_STRING})\s*)?(?:,\s*|$)")
_DIGITS: Final = r"[0-9]+(?:_[0-9]+)*"
_NUMBER: Final = (
    rf"(?:(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?|[iI][nN][fF]|[nN][aA][nN])"
)
_ADDEND: Final = rf"(?:{_NUMBER}|\{{\{{[^{{}}]*\}}\}})"
_ITEM: Final = re.compile(
    rf"(?P<first>_|stale|[-+]?{_ADDEND})(?:(?P<sign>[-+])(?P<step>{_ADDEND}))?(?:x(?P<times>[0-9]+))?(?!\S)"
)
_SPACE: Final = re.compile(r"\s*")


def parse_series(text: str) -> SeriesDescription:
    """`metric{label="value"} 1 2 _ 3+4x5`: labels and points."""
    labels, end = _metric(text)
    return SeriesDescription(labels, *_points(text, end, MAX_POINTS + 1))


def parse_metric(text: str) -> Labels:
    """`metric{label="value", "quoted.name"='value'}`, `{"quoted metric", ...}` or nothing: labels."""
    labels, end = _metric(text)
    if text[end:].strip():
        _fail(text, end, f"unexpected {_word(text, end)} after the metric")
    return labels


def parse_values(text: str, enough: int = MAX_POINTS + 1) -> list[Point]:
    """`1 2 _ 3+4x5 {{sum:1}}x3`: points, of which those after the first `enough` are only read."""
    return _points(text, 0, enough)[0]


def _fail(text: str, position: int, message: object) -> NoReturn:
    line, column = line_column(text, position)
    raise ValueError(f"{line}:{column}: parse error: {message}") from None


def _word(text: str, position: int) -> str:
    """What stands at a position, shortened, for a message."""
    words = text[position : position + 200].split(maxsplit=1)
    return quote(words[0][:40]) if words else "end of input"


def _metric(text: str) -> tuple[Labels, int]:
    """The labels at the beginning of a text, and where they end."""
    begin = _past_space(text, 0)
    match = _METRIC.match(text, begin)
    if match is None:
        _fail(text, begin, f'unexpected {_word(text, begin)}, expected a metric as in name{{label="value"}}')
    pairs = {"__name__": match["name"]} if match["name"] else {}
    at, end = match.span("labels") if match["labels"] else (0, 0)
    while _past_space(text, at) < end:
        label = _LABEL.match(text, at, end)
        if label is None:
            _fail(text, at, f'unexpected {_word(text, at)} in label set, expected name="value"')
        try:
            name, value = _label(label["name"], label["value"])
            if name in pairs:
                raise ValueError(f"label {quote(name)} is given twice")
        except ValueError as error:
            _fail(text, at, error)
        pairs[name] = value
        at = label.end()
    return Labels(pairs), match.end()


def _label(name: str, value: str | None) -> tuple[str, str]:
    """`name="value"`, or the metric's name, which is a string alone."""
    name = _content(name) if name[0] in "\"'`" else name
    if value is None:
        return "__name__", name
    if not literals.is_label_name(name):
        raise ValueError(f"{literals.quoted(name)} is no label name")
    return name, _content(value)


def _content(string: str) -> str:
    fault = literals.escape_fault(string, 0)
    if not fault.startswith("unterminated"):  # that it is not: nothing else was found
        raise ValueError(fault)
    return literals.unquote(string)


def _past_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _points(text: str, position: int, enough: int) -> tuple[list[Point], frozenset[int]]:
    """All points from a position on, and which are histograms with a hint written there."""
    points: list[Point] = []
    hinted: list[int] = []
    room = _Room(enough)
    while (position := _past_space(text, position)) < len(text):
        item = _ITEM.match(text, position)
        if item is None:
            _fail(text, position, f"unexpected {_word(text, position)} in series values")
        try:
            more, says_hint = _expanded(item, room)
        except ValueError as error:
            _fail(text, position, error)
        if says_hint:
            hinted += range(len(points), len(points) + len(more))
        points += more
        position = item.end()
    return points[:enough], frozenset(hinted)


class _Room:
    """What a series may still hold."""

    def __init__(self, enough: int) -> None:
        self._enough, self._points, self._buckets = enough, MAX_POINTS, MAX_BUCKETS

    def take_points(self, points: int) -> int:
        """How many of so many points are to be laid out: one at least, so that mistakes show."""
        wanted = min(points, self._enough)
        self._enough -= wanted
        self._points -= wanted
        if self._points < 0:
            raise ValueError(f"a series may have {MAX_POINTS} points at most")
        return max(wanted, min(points, 1))

    def take_sums(self, histograms: int, buckets: int) -> None:
        """So many histograms of so many buckets each."""
        self._buckets -= histograms * (buckets + 100)
        if self._buckets < 0:
            raise ValueError("too many histograms have to be added up in one series")


def _expanded(item: re.Match[str], room: _Room) -> tuple[list[Point], bool]:
    """The points of an item, and whether they are histograms with a hint written there."""
    first, step, times = item["first"], item["step"], item["times"]
    count = room.take_points(1 if times is None else int(times[:12]) + (first != "_"))
    if step is not None and times is None:
        raise ValueError(f"{item.group()} does not say how often: write {item.group()}x1 for two points")
    if times is not None and (step or first)[-1].isalpha():
        raise ValueError(f"{item.group()}: only numbers, gaps and histograms can be repeated")
    if first.startswith("{{"):
        return _histograms(item, count, room)
    if step is not None and (step.startswith("{{") or first in ("_", "stale")):
        raise ValueError(f"{item.group()[:40]}: {step[:40]} cannot be added to {first}")
    if first in ("_", "stale"):
        return [None if first == "_" else STALE] * count, False
    value = _number(first)
    if step is None:
        return [value] * count, False
    return list(accumulate(repeat(_number(item["sign"] + step), count - 1), initial=value)), False


def _number(text: str) -> float:
    digits = text.lstrip("+-")
    value = float(digits) if digits[0].isalpha() else literals.number(digits)
    return -value if text[0] == "-" else value


def _histograms(item: re.Match[str], count: int, room: _Room) -> tuple[list[Point], bool]:
    first, says_hint = parse_histogram(item["first"][2:-2])
    if item["step"] is None:
        return [first] * count, says_hint
    if not item["step"].startswith("{{"):
        raise ValueError(f"{item['step']} cannot be added to a histogram")
    step, says_hint = parse_histogram(item["step"][2:-2])
    if count > 1 and first.schema > step.schema:
        raise ValueError(
            f"error combining histograms: cannot merge from schema {step.schema} to {first.schema}"
        )
    combine = add if item["sign"] == "+" else subtract
    if count > 1:
        once = combine(first, step).histogram  # further ones have the same buckets
        room.take_sums(count - 1, len(once.positive) + len(once.negative))
    sums = accumulate(repeat(step, count - 1), lambda now, by: combine(now, by).histogram, initial=first)
    return list(sums), says_hint
