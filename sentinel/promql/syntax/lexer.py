"""Text to tokens. Keywords come out as words: what a word means depends on where the parser stands."""

from __future__ import annotations

import re
import sys
from typing import Final, Literal, NamedTuple, NoReturn, cast

from sentinel.errors import QueryError
from sentinel.promql.syntax.literals import CODE, escape_fault, quoted_character, unread_number

TokenKind = Literal["word", "number", "duration", "string", "symbol", "end"]


class Token(NamedTuple):
    kind: TokenKind
    text: str
    start: int
    end: int


_BLANK: Final = r"(?:[ \t\r\n]++|#[^\r\n]*+)*+"
_DECIMAL: Final = r"[0-9]++(?:_[0-9]++)*+"
_NUMBER: Final = (
    rf"(?:0[xX]_?[0-9a-fA-F]++(?:_[0-9a-fA-F]++)*+|0[xX]|(?:{_DECIMAL}(?:\.(?:{_DECIMAL})?+)?+|\.{_DECIMAL})"
    rf"(?:[eE][+-]?{_DECIMAL})?+)(?![A-Za-z0-9_.])"
)
_DURATION: Final = r"\.?[0-9][0-9._]*+[smhdwy]s?+(?:[0-9]++[smhdw]s?+)*+(?![A-Za-z0-9_])"
_BAD_UTF8: Final = "\ufffd\ud800-\udfff"
"""What Prometheus reads where bytes are no UTF-8, and what Python makes of them."""
_CODE: Final = re.sub(r"\?P<\w+>", "?:", CODE)
_QUOTED: Final = "|".join(
    rf"{mark}[^{mark}\\\n{_BAD_UTF8}]*+(?:\\(?:[abfnrtv\\{mark}]|{_CODE})[^{mark}\\\n{_BAD_UTF8}]*+)*+{mark}"
    for mark in "\"'"
)
_STRING: Final = f"{_QUOTED}|`[^`{_BAD_UTF8}]*+`"
_VALUE: Final = f"(?P<number>{_NUMBER})|(?P<duration>{_DURATION})"
_DURATION_WORD: Final = "(?P<word>(?i:step|range|max_of|min_of)(?![A-Za-z_]))"
_OPERATOR: Final = r"==|!=|<[=/]?|>[=/]?|=(?!~)|[-+*/%^(){}\],@]"

_OUTSIDE: Final = re.compile(
    rf"{_BLANK}(?:(?P<word>[A-Za-z_:][A-Za-z0-9_:]*+)|{_VALUE}|(?P<string>{_STRING})"
    rf"|(?P<symbol>{_OPERATOR}|\[)|(?P<end>\Z))"
)
_IN_BRACES: Final = re.compile(
    rf"{_BLANK}(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*+)|(?P<string>{_STRING})"
    r"|(?P<symbol>=~|!~|!=|[=,}])|(?P<end>\Z))"
)
_AFTER_BRACKET: Final = re.compile(
    rf"[ \t\r\n]*+(?:{_DURATION_WORD}|{_VALUE}|(?P<symbol>[-+*/%^(),:\]])|(?P<end>\Z))"
)
"""Until a number comes."""
_IN_BRACKETS: Final = re.compile(
    rf"{_BLANK}(?:{_DURATION_WORD}|{_VALUE}|(?P<string>{_STRING})|(?P<symbol>{_OPERATOR}|:)|(?P<end>\Z))"
)
_SKIPPED: Final = re.compile(_BLANK)
_SPACES: Final = re.compile(r"[ \t\r\n]*")


def fail(text: str, position: int, message: str) -> NoReturn:
    """Raises QueryError worded like Prometheus: `line:column: parse error: message`, both counted from 1."""
    line, column = line_column(text, position)
    raise QueryError(f"{line}:{column}: parse error: {message}", position=position)


def line_column(text: str, position: int) -> tuple[int, int]:
    """Line and column of a character offset, counted from 1; the column counts bytes of UTF-8."""
    line_start = text.rfind("\n", 0, position) + 1
    before = text[line_start:position].encode(errors="replace")
    return text.count("\n", 0, position) + 1, len(before) + 1


class Lexer:
    """Makes one token at a time, so that what is wrong first is told first, however long the rest is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._pattern = _OUTSIDE
        self._parentheses = 0
        self._bracket_open = self._length_seen = self._colon_seen = False

    def next(self) -> Token:
        """The next token, of kind `end` when there are no more. Raises QueryError on what is no token."""
        match = self._pattern.match(self._text, self._position)
        if match is None:
            self._refuse()
        kind = cast(TokenKind, match.lastgroup)
        # Rules name the same metrics, labels and functions again and again: one string for all of them.
        token = Token(kind, sys.intern(match.group(kind)), match.start(kind), match.end())
        self._position = token.end
        if kind == "symbol":
            self._follow(token)
        elif kind == "end":
            self._end(token)
        elif self._pattern is _AFTER_BRACKET:
            self._length_seen = True
            self._pattern = _AFTER_BRACKET if kind == "word" else _IN_BRACKETS
        return token

    def _follow(self, token: Token) -> None:
        """Keeps account of brackets: within them other tokens exist."""
        match token.text:
            case "(":
                self._parentheses += 1
            case ")":
                self._parentheses -= 1
                if self._parentheses < 0:
                    fail(self._text, token.end, "unexpected right parenthesis ')'")
            case "{":
                self._pattern = _IN_BRACES
            case "}" if self._pattern is _IN_BRACES:
                self._pattern = _IN_BRACKETS if self._bracket_open else _OUTSIDE
            case "}":
                fail(self._text, token.start, "unexpected character: '}'")
            case "[":
                self._pattern, self._bracket_open = _AFTER_BRACKET, True
                self._length_seen = self._colon_seen = False
            case "]" if self._bracket_open:
                self._pattern, self._bracket_open = _OUTSIDE, False
            case "]":
                fail(self._text, token.start, "unexpected right bracket ']'")
            case ":":
                self._colon(token)

    def _colon(self, colon: Token) -> None:
        if not self._length_seen:
            fail(self._text, colon.end, "unexpected colon before duration in duration expression")
        if self._colon_seen and self._pattern is _AFTER_BRACKET:
            fail(self._text, colon.end, "unexpected repeated colon in duration expression")
        if self._colon_seen:
            fail(self._text, colon.start, "unexpected colon ':'")
        self._colon_seen = True

    def _end(self, token: Token) -> None:
        if self._pattern is _IN_BRACES:
            fail(self._text, token.start, "unexpected end of input inside braces")
        if self._pattern is _AFTER_BRACKET:
            fail(self._text, token.start, "unexpected end of input in duration expression")
        if self._parentheses:
            fail(self._text, token.start, "unclosed left parenthesis")
        if self._bracket_open:
            fail(self._text, token.start, "unclosed left bracket")

    def _refuse(self) -> NoReturn:
        text = self._text
        skipped = (_SPACES if self._pattern is _AFTER_BRACKET else _SKIPPED).match(text, self._position)
        start = skipped.end() if skipped else self._position
        if text[start] in "\"'`" and self._pattern is not _AFTER_BRACKET:
            fail(text, start, escape_fault(text, start))
        bad = "" if self._pattern is _IN_BRACES else unread_number(text, start)
        fail(text, start, f"bad number or duration syntax: {bad}" if bad else self._unexpected(start))

    def _unexpected(self, start: int) -> str:
        character, following = self._text[start], self._text[start + 1 : start + 2]
        shown, braces = quoted_character(character), self._pattern is _IN_BRACES
        if self._pattern is _AFTER_BRACKET:
            return f"unexpected character in duration expression: {shown}"
        if character in "!=":
            after = quoted_character(following) if following else "'\ufffd'"
            return f"unexpected character after {shown}{' inside braces' if braces else ''}: {after}"
        if braces:
            return f"unexpected {'left brace' if character == '{' else 'character inside braces:'} {shown}"
        if self._bracket_open and character == "[":
            return "unexpected left bracket '['"
        if self._bracket_open and character.isascii() and (character.isalpha() or character == "_"):
            return f"unexpected character: {shown}, expected ':'"
        return f"unexpected character: {shown}"
