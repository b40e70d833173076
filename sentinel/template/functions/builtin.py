"""Go's own template functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote_plus

from sentinel.template import compare
from sentinel.template.gofmt import sprint, sprintln
from sentinel.template.limits import CallError
from sentinel.template.printf import sprintf
from sentinel.template.values import (
    NO_VALUE,
    Byte,
    Function,
    from_utf8,
    function,
    kind,
    truth,
    type_name,
    utf8,
    zero_of,
)

_HTML: Final = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
)


def index(item: Any, *keys: Any) -> Any:
    """`index x 1 "a"` is x[1]["a"]; a missing key gives the zero value. Raises CallError."""
    if kind(item) in ("invalid", "nil"):
        raise CallError("index of untyped nil")
    for key in keys:
        family = kind(item)
        if family in ("slice", "string"):
            item = _element(utf8(item) if family == "string" else item, key)
        elif family == "map":
            item = item.get(_key(key), zero_of(item))
        elif family == "nil":
            raise CallError("index of nil pointer")
        else:
            raise CallError(f"can't index item of type {type_name(item)}")
    return item


def slice_(item: Any, *bounds: Any) -> Any:
    """`slice x 1 2` is x[1:2]; strings count bytes. Raises CallError."""
    family = kind(item)
    if family in ("invalid", "nil"):
        raise CallError("slice of untyped nil")
    if len(bounds) > 3:
        raise CallError(f"too many slice indexes: {len(bounds)}")
    if family not in ("string", "slice"):
        raise CallError(f"can't slice item of type {type_name(item)}")
    if family == "string" and len(bounds) == 3:
        raise CallError("cannot 3-index slice a string")
    data = utf8(item) if family == "string" else item
    cuts = [_position(bound, len(data)) for bound in bounds]
    cuts += [0, len(data)][len(cuts) :]
    for low, high in itertools.pairwise(cuts):
        if low > high:
            raise CallError(f"invalid slice index: {low} > {high}")
    part = data[cuts[0] : cuts[1]]
    return from_utf8(part) if isinstance(part, bytes) else type(item)(part)


def length(item: Any) -> int:
    family = kind(item)
    if family == "string":
        return len(utf8(item))
    if family in ("slice", "map"):
        return len(item)
    if family in ("invalid", "nil"):
        raise CallError("reflect: call of reflect.Value.Type on zero Value")
    raise CallError(f"len of type {type_name(item)}")


def call(target: Any, *_arguments: Any) -> Any:
    """No value that a template can get at is a function."""
    if kind(target) in ("invalid", "nil"):
        raise CallError("call of nil")
    raise CallError(f"non-function {sprintf('%#v', [target])} of type {type_name(target)}")


def html_escape(*values: Any) -> str:
    return _joined(values).translate(_HTML)


def js_escape(*values: Any) -> str:
    text = _joined(values).translate(_JS)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04X}" for char in text)


def url_query(*values: Any) -> str:
    return quote_plus(utf8(_joined(values)), safe="")


def _joined(values: Sequence[Any]) -> str:
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return sprint(["<no value>" if value is NO_VALUE or value is None else value for value in values])


def _element(data: Sequence[Any], key: Any) -> Any:
    position = _position(key, len(data))
    if position == len(data):
        what = "string" if isinstance(data, bytes) else "slice"
        raise CallError(f"reflect: {what} index out of range")
    return Byte(data[position]) if isinstance(data, bytes) else data[position]


def _position(key: Any, end: int) -> int:
    if kind(key) in ("invalid", "nil"):
        raise CallError("cannot index slice/array with nil")
    if kind(key) not in ("int", "uint"):
        raise CallError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key <= end:
        raise CallError(f"index out of range: {int(key)}")
    return int(key)


def _key(key: Any) -> str:
    if kind(key) in ("invalid", "nil"):
        raise CallError("value is nil; should be of type string")
    if type_name(key) != "string":
        raise CallError(f"value has type {type_name(key)}; should be string")
    return str(key)


def _until(wanted: bool, values: Iterator[Any]) -> Any:
    """The first value whose truth is `wanted`, or the last one."""
    value: Any = NO_VALUE
    for value in values:
        if truth(value) is wanted:
            break
    return value


BUILTIN: Final[dict[str, Function]] = {
    "and": function(lambda values: _until(False, values), "value", "...value")._replace(lazy=True),
    "or": function(lambda values: _until(True, values), "value", "...value")._replace(lazy=True),
    "not": function(lambda value: not truth(value), "value"),
    "len": function(length, "value"),
    "index": function(index, "value", "...value"),
    "slice": function(slice_, "value", "...value"),
    "call": function(call, "value", "...value"),
    "print": function(lambda *values: sprint(values), "...any"),
    "println": function(lambda *values: sprintln(values), "...any"),
    "printf": function(lambda form, *values: sprintf(form, values), "string", "...any"),
    "html": function(html_escape, "...any"),
    "js": function(js_escape, "...any"),
    "urlquery": function(url_query, "...any"),
    "eq": function(compare.equal, "value", "...value"),
    "ne": function(compare.not_equal, "value", "value"),
    "lt": function(compare.less, "value", "value"),
    "le": function(compare.less_equal, "value", "value"),
    "gt": function(compare.greater, "value", "value"),
    "ge": function(compare.greater_equal, "value", "value"),
}
