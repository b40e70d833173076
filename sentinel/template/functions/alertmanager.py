"""The functions of Alertmanager's notification templates."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

from sentinel.template.functions.builtin import BUILTIN
from sentinel.template.functions.humanize import humanize_duration
from sentinel.template.functions.text import SHARED, title
from sentinel.template.gojson import to_json
from sentinel.template.golayout import format_time, parse_time
from sentinel.template.goquote import quote
from sentinel.template.gotime import ZERO_NS, Duration, Time
from sentinel.template.limits import CallError
from sentinel.template.values import Function, SafeHtml, Strings, from_utf8, function, utf8

_BASE64: Final = re.compile(rb"(?:[\w-]{4})*(?:[\w-]{2}==|[\w-]{3}=)?")
_NOT_BASE64: Final = re.compile(rb"[^\w-]")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)


class SafeUrl(SafeHtml):
    """A text that is a URL already."""

    __slots__ = ()
    go_type = "template.URL"


def in_zone(name: str, time: Time) -> Time:
    """`tz`: the same instant on another clock. Raises CallError for an unknown zone."""
    if name in ("", "UTC"):
        return Time(time.ns)
    try:
        return Time(time.ns, ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        raise CallError(f"unknown time zone {name}") from None


def to_date(layout: str, text: str) -> Time:
    """Year 1 if the text is not of that layout."""
    try:
        return parse_time(layout, text)
    except ValueError:
        return Time(ZERO_NS)


def must_to_date(layout: str, text: str) -> Time:
    try:
        return parse_time(layout, text)
    except ValueError as error:
        raise CallError(str(error)) from None


def url_unescape(text: str) -> str:
    bad = _BAD_PERCENT.search(text)
    if bad:
        raise CallError(f"invalid URL escape {quote(bad[0])}")
    return from_utf8(unquote_to_bytes(text.replace("+", " ")))


def base64_decode(text: str) -> str:
    """The URL alphabet. Raises CallError with the place of the first wrong byte."""
    data = utf8(text)
    good = _BASE64.match(data)
    assert good is not None
    if good.end() < len(data):
        wrong = _NOT_BASE64.search(data, good.end(), good.end() + 4)
        raise CallError(f"illegal base64 data at input byte {wrong.start() if wrong else good.end()}")
    return from_utf8(base64.urlsafe_b64decode(data))


def dictionary(*pairs: Any) -> dict[str, Any]:
    """`dict "name" value "name" value`. Raises CallError."""
    if len(pairs) % 2:
        raise CallError("dict requires an even number of arguments")
    if not all(isinstance(name, str) for name in pairs[::2]):
        raise CallError("dict keys must be strings")
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


_FIXED: Final[dict[str, Function]] = {
    **BUILTIN,
    **SHARED,
    "title": function(lambda text: title(text, lower_rest=True), "string"),
    "trimSpace": function(str.strip, "string"),
    "join": function(lambda separator, words: separator.join(words), "string", "[]string"),
    "safeUrl": function(SafeUrl, "string"),
    "urlUnescape": function(url_unescape, "string"),
    "stringSlice": function(lambda *words: Strings(words), "...string"),
    "date": function(lambda layout, time: format_time(time, layout), "string", "time.Time"),
    "tz": function(in_zone, "string", "time.Time"),
    "humanizeDuration": function(humanize_duration, "any"),
    "toDate": function(to_date, "string", "string"),
    "mustToDate": function(must_to_date, "string", "string"),
    "toJson": function(to_json, "any"),
    "base64encode": function(lambda text: base64.urlsafe_b64encode(utf8(text)).decode(), "string"),
    "base64decode": function(base64_decode, "string"),
    "list": function(lambda *items: list(items), "...any"),
    "append": function(lambda items, *more: [*items, *more], "[]interface {}", "...any"),
    "dict": function(dictionary, "...any"),
}
NAMES: Final = frozenset({*_FIXED, "now", "since", "routeLabels"})
"""Every function a notification may use."""


def notification_functions(now_ms: int, route_label: Callable[[str], str]) -> dict[str, Function]:
    """The functions of one rendering; `route_label` gives the text of a route's label."""
    now = Time(now_ms * 1_000_000)
    return {
        **_FIXED,
        "now": function(lambda: now),
        "since": function(lambda time: Duration(now.ns - time.ns), "time.Time"),
        "routeLabels": function(route_label, "string"),
    }
