"""Alertmanager's matcher texts: `severity="page"`, `{team=~"a|b", env!=dev}`.

Two grammars exist. The classic one wants plain label names and takes almost anything as a value; the newer
one takes any UTF-8 name and Go strings. Where both read a text, and differ, Alertmanager goes by the classic
one: so it is tried first, and the other only where it fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any, Final, cast

from sentinel.model import Duration, Matcher, MatchOp, Secret, quote

_CLASSIC: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL)
_CLASSIC_PART: Final = re.compile(r'(?:"(?:\\.|[^"\\])*"|\\.|[^",\\])+', re.DOTALL)
_QUOTED: Final = r'"(?:\\.|[^"\\])*"'
_WORD: Final = r"[^\s\\\"'`,{}=!~]+"
_UTF8: Final = re.compile(rf"\s*({_QUOTED}|{_WORD})\s*(=~|=|!=|!~)\s*({_QUOTED}|{_WORD})\s*(,|$)")


class MatcherLine(tuple[Matcher, ...]):
    """The matchers that one line of a configuration file writes; all must match."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> MatcherLine:
        """Raises ValueError with a text for the user."""
        try:
            return cls(_classic(text))
        except _NotClassicError as error:
            found = _utf8(text)
            if found is None:
                raise ValueError(f"bad matcher {quote(text)}: {error}") from None
            return cls(found)


class _NotClassicError(Exception):
    pass


def _braces_off(text: str) -> str:
    text = text.strip()
    if text.startswith("{") != text.endswith("}"):
        raise ValueError(f"bad matcher {quote(text)}: a brace is missing")
    return text[1:-1] if text.startswith("{") else text


def _classic(text: str) -> list[Matcher]:
    inner, matchers, at = _braces_off(text), [], 0
    while at < len(inner):
        part = _CLASSIC_PART.match(inner, at)
        if part is None:
            raise _NotClassicError("a quote is not closed or a comma too many")
        if part[0].strip():
            matchers.append(_classic_matcher(part[0]))
        at = part.end() + 1  # behind the comma
    return matchers


def _classic_matcher(text: str) -> Matcher:
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise _NotClassicError('write name="value" with one of = != =~ !~')
    name, op, value = found.groups()
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    inner = value[1:-1] if quoted else value
    if re.search(r'(?<!\\)(?:\\\\)*"', inner):
        raise _NotClassicError('a quote inside the value must be written as \\"')
    return Matcher(
        name, cast(MatchOp, op), re.sub(r'\\(n|"|\\)', lambda m: "\n" if m[1] == "n" else m[1], inner)
    )


def _utf8(text: str) -> list[Matcher] | None:
    inner, matchers, at = _braces_off(text), [], 0
    while at < len(inner) and inner[at:].strip():
        found = _UTF8.match(inner, at)
        if found is None:
            return None
        name, op, value, _ = found.groups()
        try:
            matchers.append(Matcher(_unquote(name), cast(MatchOp, op), _unquote(value)))
        except SyntaxError:
            return None
        at = found.end()
    return matchers


def _unquote(text: str) -> str:
    return str(ast.literal_eval(text)) if text.startswith('"') else text


FROM_TEXT: Final[dict[type, Callable[[str], Any]]] = {
    Duration: Duration.parse,
    Secret: Secret,
    MatcherLine: MatcherLine.parse,
}
"""The types of this configuration that are written as one text, and how each is read."""


def dec_hook(kind: type, value: Any) -> Any:
    """For `msgspec.convert`: makes the types of FROM_TEXT of their texts; ValueError for what is none."""
    if kind not in FROM_TEXT:
        raise NotImplementedError(f"{kind.__name__} in a configuration")
    if not isinstance(value, str):
        raise ValueError(f"expected a text, found {type(value).__name__}")
    return FROM_TEXT[kind](value)
