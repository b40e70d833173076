"""Text functions that rules and notifications share: regular expressions, title case, URLs."""

from __future__ import annotations

import functools
import re
import unicodedata
from functools import partial
from typing import Any, Final

from sentinel.model.regex import go_fault
from sentinel.template.goquote import quote_back
from sentinel.template.limits import CallError, Text
from sentinel.template.values import SafeHtml, from_utf8, function, utf8

_REFERENCE: Final = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_MIDDLES: Final = frozenset(".:'\u00b7\u2018\u2019\u2024")
"""What may stand between two letters of one word."""


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    """Raises CallError with Go's message."""
    import re2  # only templates with regular expressions pay for it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        fault, where = go_fault(error)
        raise CallError(f"error parsing regexp: {fault}: `{where}`") from None


def match(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return _compiled(_sound(pattern)).search(_sound(text)) is not None


def replace_all(pattern: str, replacement: str, text: str) -> str:
    """Every match replaced; `$1`, `${1}` and `$name` are groups, `$$` is a dollar."""
    pattern, text = _sound(pattern), _sound(text)
    try:
        found = _compiled(pattern).finditer(text)
    except CallError as error:
        raise CallError(f"regexp: Compile({quote_back(pattern)}): {error}") from None
    out, end = Text(), 0
    for one in found:
        start, stop = one.span()
        out.write(text[end:start])
        if stop > end or start == 0:  # not an empty match right behind another one
            out.write(_REFERENCE.sub(partial(_group, one), replacement))
        end = stop
    out.write(text[end:])
    return str(out)


def _sound(text: str) -> str:
    """RE2 works on UTF-8, which has no lone surrogates."""
    return text if text.isascii() else from_utf8(utf8(text))


def _group(found: Any, reference: re.Match[str]) -> str:
    if reference[1]:
        return "$"
    name = reference[2] or reference[3]
    if name.isascii() and name.isdigit():
        number = int(name) if len(name) < 9 else -1
        return (found.group(number) or "") if 0 <= number <= found.re.groups else ""
    return (found.group(name) or "") if name in found.re.groupindex else ""


def title(text: str, *, lower_rest: bool) -> str:
    """The first letter of every word a capital; `it's` is one word, `hello-world` two."""
    out: list[str] = []
    inside = was_middle = False
    for char in text:
        middle = char in _MIDDLES
        if was_middle and middle:
            inside = False
        if char.isupper() or char.islower() or char.istitle():
            out.append((char.lower() if lower_rest else char) if inside else char.title())
            inside = True
        else:
            out.append(char)
            inside = inside and (middle or _joins(char))
        was_middle = middle
    return "".join(out)


def upper(text: str) -> str:
    """Character by character, as Go: a sharp s stays."""
    return "".join(big if len(big := char.upper()) == 1 else char for char in text)


def lower(text: str) -> str:
    return "".join(char.lower()[:1] for char in text)


def _joins(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf", "Pc")


SHARED: Final = {
    "match": function(match, "string", "string"),
    "reReplaceAll": function(replace_all, "string", "string", "string"),
    "toUpper": function(upper, "string"),
    "toLower": function(lower, "string"),
    "safeHtml": function(SafeHtml, "string"),
}
