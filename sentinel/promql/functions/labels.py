"""Functions that change labels."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import re2

from sentinel.errors import QueryError
from sentinel.model import Labels
from sentinel.promql.functions.registry import function
from sentinel.promql.labelsets import Change
from sentinel.promql.moment import Invocation
from sentinel.promql.syntax.literals import is_label_name, well_formed
from sentinel.promql.values import String, Vector

_QUIET: Final = re2.Options()
_QUIET.log_errors = False
_REFERENCE: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


@function("label_replace(vector, string, string, string, string) vector", native=True)
def label_replace(
    invocation: Invocation, vector: Vector, target: String, replacement: String, source: String, regex: String
) -> Vector:
    """`target` becomes `replacement` (with `$1`, `${name}`) where `regex` matches all of `source`."""
    try:
        pattern = re2.compile(f"^(?s:{well_formed(regex.value)})$", _QUIET)
    except re2.error:
        message = f"invalid regular expression in label_replace(): {regex.value}"
        raise QueryError(message, kind="execution") from None
    _require_name(target.value, "destination label name in label_replace()")
    name, template = target.value, well_formed(replacement.value)

    def change(labels: Labels) -> Labels:
        match = pattern.match(labels.get(source.value))
        return labels if match is None else labels.with_({name: _expanded(template, match)})

    key = ("label_replace", name, template, source.value, regex.value)
    result = _changed(invocation, vector, key, change)
    if name == "__name__" and vector.drop_name is not None:
        sources = [invocation.sets[id].get(source.value) for id in vector.ids.tolist()]
        unmatched = [pattern.match(text) is None for text in sources]
        return msgspec.structs.replace(result, drop_name=vector.drop_name & unmatched)
    return result


@function("label_join(vector, string, string, string...) vector", native=True)
def label_join(
    invocation: Invocation, vector: Vector, target: String, separator: String, *sources: String
) -> Vector:
    """`target` becomes the values of the other labels, joined."""
    for source in sources:
        _require_name(source.value, "source label name in label_join()")
    _require_name(target.value, "destination label name in label_join()")
    names, between = tuple(source.value for source in sources), well_formed(separator.value)

    def change(labels: Labels) -> Labels:
        return labels.with_({target.value: between.join(map(labels.get, names))})

    result = _changed(invocation, vector, ("label_join", target.value, between, names), change)
    return Vector(result.ids, result.values) if target.value == "__name__" else result


def _changed(invocation: Invocation, vector: Vector, key: tuple[Any, ...], change: Change) -> Vector:
    ids = invocation.sets.transform(key, change)(vector.ids)
    invocation.sets.require_distinct(ids)
    return Vector(ids, vector.values, vector.drop_name)


def _require_name(name: str, role: str) -> None:
    if not is_label_name(name):
        raise QueryError(f"invalid {role}: {well_formed(name)}", kind="execution")


def _expanded(template: str, match: Any) -> str:
    """Go's Regexp.Expand: a reference takes all word characters; one that names no group is empty."""

    def value(found: re.Match[str]) -> str:
        dollar, braced, bare = found.groups()
        if dollar:
            return "$"
        name = braced or bare
        if name.isdigit():
            return (match.group(int(name)) or "") if int(name) <= match.re.groups else ""
        return (match.group(name) or "") if name in match.re.groupindex else ""

    return _REFERENCE.sub(value, template)
