"""A cursor over the tokens of one query, which words what it did not expect like Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from sentinel.promql import ast
from sentinel.promql.syntax import literals
from sentinel.promql.syntax.lexer import Lexer, Token, fail

_OPERATORS: Final = ast.COMPARISONS | ast.TRIMS | ast.SET_OPERATORS | set("+-*/%^@") | {"=~", "!~", "atan2"}
_CALLS: Final = frozenset(("start", "end", "step", "range", "max_of", "min_of"))
FILLS: Final = frozenset(("fill", "fill_left", "fill_right"))
"""Keywords only before a parenthesis."""
SUFFIXES: Final = frozenset(("offset", "smoothed", "anchored", "by", "without"))
"""Keywords that a metric may be called, but no function."""
NO_METRIC: Final = frozenset(("bool", "on", "ignoring", "group_left", "group_right", "atan2"))
"""Words that are no metric's name, unless in braces."""
_KEYWORDS: Final = FILLS | SUFFIXES | NO_METRIC
_PARENTHESIS: Final = re.compile(r"[ \t\r\n]*\(")

MAX_NESTING: Final = 128
"""How deep parentheses, calls, signs and right operands may lie in each other."""
MAX_DEPTH: Final = 256
"""How deep the tree may be, so that all may walk it recursively.

In `a or b or c` each operator is a level."""


class Cursor:
    """One token ahead. `within` says what is being read, for the message if something else comes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.last = Token("end", "", 0, 0)
        """The token read before."""
        self._lexer = Lexer(text)
        self._ahead: Token | None = None
        self._contexts = [("", "")]
        self._depth = 0

    def peek(self) -> Token:
        if self._ahead is None:
            self._ahead = self._lexer.next()
        return self._ahead

    def next(self) -> Token:
        self.last = self.peek()
        if self.last.kind != "end":
            self._ahead = None
        return self.last

    def at(self, symbol: str) -> bool:
        """Whether this symbol is next."""
        token = self._ahead or self.peek()
        return token.text == symbol and token.kind == "symbol"

    def word(self) -> str:
        """The word that is next, in lower case, or nothing."""
        token = self._ahead or self.peek()
        return token.text.lower() if token.kind == "word" else ""

    def take(self, text: str) -> bool:
        """Whether this symbol or keyword is next; if so it is read."""
        found = self.at(text) or self.word() == text
        if found:
            self.next()
        return found

    def fills(self) -> bool:
        """Whether `fill`, `fill_left` or `fill_right` comes, as a keyword."""
        return self.word() in FILLS and self._is_keyword(self.peek())

    def begins_operand(self) -> bool:
        """Whether an expression may begin with what is next."""
        token = self.peek()
        if token.kind == "word":
            return token.text.lower() not in NO_METRIC
        return token.kind not in ("symbol", "end") or token.text in ("(", "{", "+", "-")

    def expect(self, symbol: str) -> Token:
        if not self.at(symbol):
            self.unexpected()
        return self.next()

    @contextmanager
    def within(self, context: str, expected: str = "") -> Iterator[None]:
        """What is read in here is part of `context`; a message names the innermost."""
        self._contexts.append((context, expected))
        yield
        self._contexts.pop()

    @contextmanager
    def nested(self) -> Iterator[None]:
        """One level deeper: raises QueryError instead of exhausting the stack."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            self.fail(self.peek().start, f"expression is nested deeper than {MAX_NESTING} levels")
        yield
        self._depth -= 1

    def longer(self, length: int) -> int:
        """One more link in a chain, which makes the tree deeper: raises QueryError if too deep."""
        if length >= MAX_DEPTH:
            self.too_deep(self.peek().start)
        return length + 1

    def too_deep(self, position: int) -> NoReturn:
        self.fail(position, f"expression makes a tree deeper than {MAX_DEPTH} levels")

    def unexpected(self, token: Token | None = None) -> NoReturn:
        """Raises QueryError about a token, by default the next."""
        token = token or self.peek()
        context, expected = self._contexts[-1]
        message = f"unexpected {self._described(token)}"
        message += f" in {context}" if context else ""
        message += f", expected {expected}" if expected else ""
        fail(self.text, token.start, message)

    def fail(self, position: int, message: str) -> NoReturn:
        fail(self.text, position, message)

    def string(self) -> str:
        """Reads a string token's content."""
        return literals.unquote(self.next().text)

    def number(self) -> float:
        """Reads a number, or a duration, which stands for seconds."""
        token = self.next()
        try:
            return literals.seconds(token.text) if token.kind == "duration" else literals.number(token.text)
        except ValueError as error:
            fail(self.text, token.start, str(error))

    def _described(self, token: Token) -> str:
        if token.kind == "end":
            return "end of input"
        if token.kind == "symbol":
            return f"<op:{token.text}>" if token.text in _OPERATORS else f'"{token.text}"'
        if token.kind == "word" and self._contexts[-1][0] != "label matching":
            return self._described_word(token)
        kind = "identifier" if token.kind == "word" else token.kind
        if token.kind != "word" and len(token.text) > 10:
            return f"{kind} {literals.quoted(token.text[:10])}..."
        return f"{kind} {literals.quoted(token.text)}"

    def _described_word(self, token: Token) -> str:
        word = token.text.lower()
        if word in ("inf", "nan"):
            return f'number "{token.text}"'
        if word in _OPERATORS:
            return f"<op:{token.text}>"
        if word in ast.AGGREGATORS:
            return f"<aggr:{token.text}>"
        if word in _CALLS:
            return f'"{token.text}"'
        if self._is_keyword(token):
            return f"<{token.text}>"
        return f'{"metric identifier" if ":" in word else "identifier"} "{token.text}"'

    def _is_keyword(self, token: Token) -> bool:
        word = token.text.lower()
        return word in _KEYWORDS and (
            word not in FILLS or _PARENTHESIS.match(self.text, token.end) is not None
        )
