"""Text to tokens. Keywords come out as words: what a word means depends on where the parser stands."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, NoReturn

from sentinel.errors import QueryError

TokenKind = Literal["word", "number", "duration", "string", "symbol", "end"]


class Token(NamedTuple):
    kind: TokenKind
    text: str
    start: int
    end: int


_SKIP: Final = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_NUMBER: Final = re.compile(
    r"(?:0[xX]_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
    r"|(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?)(?![A-Za-z0-9_])"
)
_DURATION: Final = re.compile(r"(?:\d+(?:ms|[smhdwy]))+(?![A-Za-z0-9_])")
_WORD: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING: Final = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`""")
_SYMBOL: Final = re.compile(r"==|!=|>=|<=|=~|!~|[-+*/%^<>=(){}\[\],:@]")
_BAD_NUMBER: Final = re.compile(r"[0-9.][0-9A-Za-z_.]*")
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_NAMES: Final = {")": "parenthesis", "]": "bracket", "}": "brace"}


def fail(text: str, position: int, message: str) -> NoReturn:
    """Raises QueryError worded like Prometheus: `line:column: parse error: message`, both counted from 1."""
    line, column = line_column(text, position)
    raise QueryError(f"{line}:{column}: parse error: {message}", position=position)


def line_column(text: str, position: int) -> tuple[int, int]:
    """Line and column, counted from 1, of a character offset."""
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def tokens(text: str) -> list[Token]:
    """All tokens of a query, an `end` token last. Raises QueryError on what is no token."""
    found: list[Token] = []
    open_: list[Token] = []
    position = _SKIP.match(text, 0).end()  # type: ignore[union-attr]  # matches the empty string too
    while position < len(text):
        token = _token(text, position, open_[-1].text if open_ else "")
        if token.text in ("(", "[", "{") and token.kind == "symbol":
            open_.append(token)
        elif token.text in _CLOSING and token.kind == "symbol":
            if not open_ or open_[-1].text != _CLOSING[token.text]:
                fail(text, position, f"unexpected right {_NAMES[token.text]} '{token.text}'")
            open_.pop()
        found.append(token)
        position = _SKIP.match(text, token.end).end()  # type: ignore[union-attr]
    if open_ and open_[-1].text == "(":
        fail(text, len(text), "unclosed left parenthesis")
    if open_ and open_[-1].text == "{":
        fail(text, len(text), "unexpected end of input inside braces")
    found.append(Token("end", "", len(text), len(text)))
    return found


def _token(text: str, position: int, inside: str) -> Token:
    """The token at `position`; within `[` a colon separates, elsewhere it is part of a word."""
    char = text[position]
    kinds: tuple[tuple[TokenKind, re.Pattern[str]], ...] = (
        ("number", _NUMBER),
        ("duration", _DURATION),
        ("string", _STRING),
        ("word", _WORD if inside not in ("[", "{") else _PLAIN_WORD),
        ("symbol", _SYMBOL),
    )
    for kind, pattern in kinds:
        match = pattern.match(text, position)
        if match is not None:
            return Token(kind, match.group(), position, match.end())
    return _refuse(text, position, char, inside)


def _refuse(text: str, position: int, char: str, inside: str) -> NoReturn:
    if char in "\"'":
        fail(text, position, "unterminated quoted string")
    if char == "`":
        fail(text, position, "unterminated raw string")
    bad = _BAD_NUMBER.match(text, position)
    if bad is not None and any(digit.isdigit() for digit in bad.group()):
        fail(text, position, f'bad number or duration syntax: "{bad.group()}"')
    where = " inside braces" if inside == "{" else ""
    fail(text, position, f"unexpected character{where}: '{char}'")
