"""The functions of Prometheus's rule templates."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote_plus, urlsplit

from sentinel.errors import SentinelError
from sentinel.template.functions.builtin import BUILTIN
from sentinel.template.functions.humanize import (
    four_digits,
    humanize,
    humanize1024,
    humanize_duration,
    humanize_percentage,
    time_of,
    to_float,
)
from sentinel.template.functions.text import SHARED, title
from sentinel.template.golayout import format_time
from sentinel.template.goquote import quote
from sentinel.template.gotime import SECOND, Duration, Time
from sentinel.template.limits import CallError
from sentinel.template.values import Function, Record, StringMap, function, utf8

Answer = Iterable[tuple[Mapping[str, str], Any]]
"""What a query gives: labels and value of each series."""

_DURATION_UNITS: Final = {
    "y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001
}  # fmt: skip
_DURATION_PART: Final = re.compile(r"([0-9]+)([^0-9]+)")


class QueryResult(list[Record]):
    """What `query` gives: records with Labels and Value."""

    go_type: ClassVar[str] = "template.queryResult"


def sample(labels: Mapping[str, str], value: Any) -> Record:
    return Record("*template.sample", {"Labels": StringMap(labels), "Value": value})


def _part(one: Record | None, name: str) -> Any:
    if one is None:
        raise CallError("runtime error: invalid memory address or nil pointer dereference")
    return one.values[name]


def first(result: QueryResult) -> Record:
    if not result:
        raise CallError("first() called on vector with no elements")
    return result[0]


def sort_by_label(label: str, result: QueryResult) -> QueryResult:
    return QueryResult(sorted(result, key=lambda one: one.values["Labels"].get(label, "")))


def arguments(*values: Any) -> dict[str, Any]:
    """`args`: the values by the names arg0, arg1 and so on."""
    return {f"arg{number}": value for number, value in enumerate(values)}


def parse_duration(text: str) -> float:
    """Seconds of `1h30m`, `-5m`, `0`. Raises CallError with Prometheus's message."""
    body = text.removeprefix("-")
    if body == "0":
        return 0.0
    if not body:
        raise CallError("empty duration string")
    bad = CallError(f"not a valid duration string: {quote(body)}")
    names, end, milliseconds = list(_DURATION_UNITS), 0, 0
    last = -1
    for part in _DURATION_PART.finditer(body):
        if part.start() != end:
            raise bad
        end = part.end()
        if part[2] not in names:
            raise CallError(f"unknown unit {quote(part[2])} in duration {quote(body)}")
        if names.index(part[2]) <= last:
            raise bad
        last = names.index(part[2])
        if len(part[1]) > 20:
            raise bad
        milliseconds += int(part[1]) * round(_DURATION_UNITS[part[2]] * 1000)
    if end != len(body):
        raise bad
    if milliseconds >= (1 << 63) // 1_000_000:
        raise CallError("duration out of range")
    return (-milliseconds if text[0] == "-" else milliseconds) / 1000


def to_time(value: Any) -> Time:
    number = to_float(value)
    if not math.isfinite(number):
        raise CallError("value is NaN or Inf")
    return time_of(number)


def humanize_timestamp(value: Any) -> str:
    number = to_float(value)
    if not math.isfinite(number):
        return four_digits(number)
    return format_time(time_of(number), "2006-01-02 15:04:05.999999999 -0700 MST")


def to_duration(value: Any) -> Duration:
    """What does not fit is the shortest duration, as Go's conversion gives."""
    number = to_float(value) * SECOND
    return Duration(int(number) if abs(number) < 1 << 63 else -(1 << 63))


def graph_link(expression: str, *, tab: int) -> str:
    return f"/graph?g0.expr={quote_plus(utf8(expression), safe='')}&g0.tab={tab}"


def split_host_port(address: str) -> tuple[str, str] | None:
    """Host and port of `host:port` or `[v6]:port`, None if it is neither."""
    found = re.fullmatch(r"\[([^\[\]]*)\]:([^:\[\]]*)|([^:\[\]]*):([^:\[\]]*)", address, re.DOTALL)
    if found is None:
        return None
    return (found[3], found[4]) if found[1] is None else (found[1], found[2])


def strip_port(address: str) -> str:
    parts = split_host_port(address)
    return address if parts is None else parts[0]


def strip_domain(address: str) -> str:
    """The host without its domain, the port kept; IP addresses stay."""
    host, port = split_host_port(address) or (address, "")
    if _is_ip(host):
        return address
    host = host.split(".", maxsplit=1)[0]
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError as error:
        raise CallError(str(error)) from None


_FIXED: Final[dict[str, Function]] = {
    **BUILTIN,
    **SHARED,
    "first": function(first, "template.queryResult"),
    "label": function(lambda name, one: _part(one, "Labels").get(name, ""), "string", "*template.sample"),
    "value": function(lambda one: _part(one, "Value"), "*template.sample"),
    "strvalue": function(lambda one: _part(one, "Labels").get("__value__", ""), "*template.sample"),
    "sortByLabel": function(sort_by_label, "string", "template.queryResult"),
    "args": function(arguments, "...any"),
    "title": function(lambda text: title(text, lower_rest=False), "string"),
    "graphLink": function(lambda expression: graph_link(expression, tab=0), "string"),
    "tableLink": function(lambda expression: graph_link(expression, tab=1), "string"),
    "stripPort": function(strip_port, "string"),
    "stripDomain": function(strip_domain, "string"),
    "humanize": function(humanize, "any"),
    "humanize1024": function(humanize1024, "any"),
    "humanizeDuration": function(humanize_duration, "any"),
    "humanizePercentage": function(humanize_percentage, "any"),
    "humanizeTimestamp": function(humanize_timestamp, "any"),
    "toTime": function(to_time, "any"),
    "toDuration": function(to_duration, "any"),
    "parseDuration": function(parse_duration, "string"),
    "urlQueryEscape": function(lambda text: quote_plus(utf8(text), safe=""), "string"),
}
NAMES: Final = frozenset({*_FIXED, "query", "now", "pathPrefix", "externalURL"})
"""Every function a rule may use."""


def rule_functions(
    query: Callable[[str], Answer] | None, now_ms: int, external_url: str
) -> dict[str, Function]:
    """The functions of one rendering."""

    def run(expression: str) -> QueryResult:
        if query is None:
            raise CallError("queries are not available here")
        try:
            return QueryResult(sample(labels, value) for labels, value in query(expression))
        except SentinelError as error:
            raise CallError(str(error)) from None

    return {
        **_FIXED,
        "query": function(run, "string"),
        "now": function(lambda: now_ms / 1000),
        "pathPrefix": function(lambda: _path_of(external_url)),
        "externalURL": function(lambda: external_url),
    }
