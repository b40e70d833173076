"""How errors about a document speak: of types and of misspelt names."""

from __future__ import annotations

import difflib
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    dict: "a mapping",
    list: "a list",
    tuple: "a list",
    set: "a list",
    frozenset: "a list",
    yaml.MappingNode: "a mapping",
    yaml.SequenceNode: "a list",
    yaml.ScalarNode: "a single value",
}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "pattern": "like"}


def describe(wanted: Any) -> str:
    """A type in a user's words: `a whole number (at least 1)`, `a duration`."""
    kind = get_origin(wanted) or wanted
    if kind is Annotated:
        base, *metas = get_args(wanted)
        bounds = [
            f"{words} {value}"
            for meta in metas
            for key, words in _BOUNDS.items()
            if (value := getattr(meta, key, None)) is not None
        ]
        return describe(base) + (f" ({', '.join(bounds)})" if bounds else "")
    if kind in (Union, types.UnionType):
        return " or ".join(describe(part) for part in get_args(wanted) if part is not type(None))
    if kind is Literal:
        return " or ".join(map(repr, get_args(wanted)))
    if kind in _WORDS:
        return _WORDS[kind]
    return (
        "a mapping"
        if hasattr(kind, "__struct_fields__")
        else f"a {getattr(kind, '__name__', kind)!s}".lower()
    )


def advice(name: str, known: list[str]) -> str:
    """A hint for a name that is not among `known`."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
