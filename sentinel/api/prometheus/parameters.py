"""What a request asks: parameters of the address and of a form, read as Prometheus reads them.

Everything here raises QueryError of kind `bad_data`, in Prometheus's own words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from sentinel.errors import QueryError
from sentinel.model import Duration, Matcher
from sentinel.promql import Expr, parse
from sentinel.promql.ast import Selector, walk
from sentinel.template.goquote import quote

MOST_FIELDS: Final = 10_000
MOST_SELECTORS: Final = 256
MOST_PARTS: Final = 10_000
"""Operators, functions, selectors, matchers and numbers of one query."""
FARTHEST_MS: Final = 10**15
"""Times beyond some 30,000 years are taken as that: they are all equally far from any sample."""
_ENDS: Final = {
    "-292273086-05-16T16:47:06Z": -FARTHEST_MS,
    "292277025-08-18T07:12:54.999999999Z": FARTHEST_MS,
}
"""How clients write the beginning and the end of time, as Prometheus bounds it."""
_FORM: Final = "application/x-www-form-urlencoded"
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_LARGEST: Final = (1 << 63) - 1


class Parameters:
    """Of a form those in its body come first, then those of the address. `gone` says that nobody waits."""

    def __init__(self, request: web.Request, pairs: Sequence[tuple[str, str]]) -> None:
        self._request, self._pairs = request, pairs

    @classmethod
    async def of(cls, request: web.Request) -> Parameters:
        form = ""
        if request.method == "POST" and request.content_type == _FORM:
            try:
                form = (await request.read()).decode("utf-8", "replace")
            except web.HTTPRequestEntityTooLarge:
                raise QueryError("error parsing form values: the form is too large") from None
        try:
            pairs = [*_pairs(form), *_pairs(request.rel_url.raw_query_string)]
        except ValueError:
            raise QueryError(f"error parsing form values: more than {MOST_FIELDS} of them") from None
        return cls(request, pairs)

    def first(self, name: str) -> str:
        """The first value, or nothing."""
        return next((value for key, value in self._pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]

    def path(self, name: str) -> str:
        return self._request.match_info[name]

    def gone(self) -> bool:
        """Whether the client has hung up."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    def needed_time(self, name: str) -> int:
        """A time in ms that must be given."""
        try:
            return parse_time(self.first(name))
        except ValueError as error:
            raise invalid(name, str(error)) from None

    def time(self, name: str, default_ms: int) -> int:
        text = self.first(name)
        if not text:
            return default_ms
        try:
            return parse_time(text)
        except ValueError as error:
            raise invalid(name, f"invalid time value for '{name}': {error}") from None

    def seconds(self, name: str) -> float:
        """A duration in seconds that must be given: a number, or written like `5m`."""
        try:
            return parse_seconds(self.first(name))
        except ValueError as error:
            raise invalid(name, str(error)) from None

    def limit(self) -> int:
        """How many results are wanted; 0: all."""
        text = self.first("limit")
        if not text:
            return 0
        try:
            limit = parse_integer(text, "Atoi")
        except ValueError as error:
            raise invalid("limit", str(error)) from None
        if limit < 0:
            raise invalid("limit", "limit must be non-negative")
        return limit

    def matcher_sets(self) -> list[tuple[Matcher, ...]]:
        """The matchers of each `match[]`. For a worker: the text may be long."""
        texts = self.all("match[]")
        if len(texts) > MOST_SELECTORS:
            raise QueryError(f"more than {MOST_SELECTORS} selectors; ask in several requests")
        return [selector(text).matchers for text in texts]


def invalid(name: str, message: str) -> QueryError:
    return QueryError(f"invalid parameter {quote(name)}: {message}")


def parsed(text: str) -> Expr:
    """A query's tree. What takes too long merely to be prepared is refused: the engine would have to wait."""
    expr = parse(text)
    parts = sum(1 + len(node.matchers) if isinstance(node, Selector) else 1 for node in walk(expr))
    if parts > MOST_PARTS:
        raise QueryError(f"the query has {parts} parts; {MOST_PARTS} are possible")
    return expr


def selector(text: str) -> Selector:
    """A series selector by itself: no range, `offset` or `@`."""
    try:
        expr = parsed(text)
    except QueryError as error:
        if "at least one non-empty matcher" in error.message:
            raise QueryError("match[] must contain at least one non-empty matcher") from None
        raise
    if not isinstance(expr, Selector) or expr != Selector(expr.name, expr.matchers):
        raise QueryError(f"1:1: parse error: {quote(text)} is not a series selector")
    return expr


def parse_time(text: str) -> int:
    """Milliseconds of unix seconds, with decimals or without, or of RFC 3339."""
    if _NUMBER.fullmatch(text):
        return _bounded(float(text) * 1000)
    if text in _ENDS:
        return _ENDS[text]
    found = _RFC3339.fullmatch(text)
    if found is not None:
        day, fraction, zone = found.groups()
        try:
            seconds = datetime.fromisoformat(day + zone).timestamp()
        except (ValueError, OverflowError):  # no such day, or hour
            pass
        else:
            return int(seconds) * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
    raise ValueError(f"cannot parse {quote(text)} to a valid timestamp")


def parse_seconds(text: str) -> float:
    if _NUMBER.fullmatch(text):
        if abs(float(text)) * 1e9 > _LARGEST:
            raise ValueError(f"cannot parse {quote(text)} to a valid duration. It overflows int64")
        return float(text)
    try:
        duration = Duration.parse(text)
    except ValueError:
        duration = Duration(_LARGEST)
    if duration * 1_000_000 > _LARGEST:
        raise ValueError(f"cannot parse {quote(text)} to a valid duration")
    return duration.seconds


def parse_integer(text: str, function: str) -> int:
    """As Go's `strconv` does, errors and all."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"strconv.{function}: parsing {quote(text)}: invalid syntax")
    if len(text) > 20 or not -_LARGEST - 1 <= int(text) <= _LARGEST:
        raise ValueError(f"strconv.{function}: parsing {quote(text)}: value out of range")
    return int(text)


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)


def _bounded(time_ms: float) -> int:
    if math.isinf(time_ms):
        return int(math.copysign(FARTHEST_MS, time_ms))
    return max(-FARTHEST_MS, min(FARTHEST_MS, round(time_ms)))
