"""The parts of the grammar that are no expressions: matchers, label lists, ranges, offsets, modifiers."""

from __future__ import annotations

import math
from typing import Final, Literal, NoReturn, cast

from sentinel.model import Matcher, MatchOp
from sentinel.promql import ast
from sentinel.promql.syntax import literals
from sentinel.promql.syntax.lexer import Token, fail, tokens

_OPERATORS: Final = ast.COMPARISONS | ast.SET_OPERATORS | set("+-*/%^=@") | {"=~", "!~", "atan2"}
_KEYWORDS: Final = frozenset(
    ("offset", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "start", "end")
)


class Clauses:
    """A cursor over the tokens of one query, and the readers of its clauses."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokens(text)
        self._at = 0

    def peek(self) -> Token:
        return self._tokens[self._at]

    def next(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    @property
    def last(self) -> Token:
        """The token read before."""
        return self._tokens[self._at - 1]

    def expect(self, symbol: str, context: str = "", wanted: str = "") -> Token:
        if self.peek().text != symbol or self.peek().kind != "symbol":
            self.unexpected(context, wanted)
        return self.next()

    def unexpected(self, context: str = "", wanted: str = "", token: Token | None = None) -> NoReturn:
        token = token or self.peek()
        message = f"unexpected {_describe(token)}"
        message += f" in {context}" if context else ""
        message += f", expected {wanted}" if wanted else ""
        fail(self.text, token.start, message)

    def string(self, token: Token) -> str:
        try:
            return literals.unquote(token.text)
        except ValueError as error:
            fail(self.text, token.start, str(error))

    def number_or_seconds(self, token: Token) -> float:
        try:
            return literals.seconds(token.text) if token.kind == "duration" else literals.number(token.text)
        except (ValueError, OverflowError) as error:
            fail(self.text, token.start, str(error))

    def matchers(self) -> list[Matcher]:
        """`{a="b", "metric name", ...}`."""
        self.expect("{")
        found: list[Matcher] = []
        while self.peek().text != "}":
            found.append(self._matcher())
            if self.peek().text == ",":
                self.next()
            elif self.peek().text != "}":
                self.unexpected("label matching", '"," or "}"')
        self.next()
        return found

    def _matcher(self) -> Matcher:
        token = self.next()
        if token.kind not in ("word", "string"):
            self.unexpected("label matching", 'identifier or "}"', token)
        name = self.string(token) if token.kind == "string" else token.text
        if token.kind == "string" and self.peek().text in (",", "}"):
            return Matcher("__name__", "=", name)
        op = self.next()
        if op.kind != "symbol" or op.text not in ("=", "!=", "=~", "!~"):
            self.unexpected("label matching", "label matching operator", op)
        value = self.next()
        if value.kind != "string":
            self.unexpected("label matching", "string", value)
        try:
            return Matcher(name, cast(MatchOp, op.text), self.string(value))
        except ValueError as error:
            fail(self.text, token.start, str(error))

    def label_list(self) -> tuple[str, ...]:
        """`(a, b, "c d")`."""
        self.expect("(", "grouping opts", '"("')
        names: list[str] = []
        while self.peek().text != ")":
            names.append(self._label())
            if self.peek().text == ",":
                self.next()
            elif self.peek().text != ")":
                self.unexpected("grouping opts", '"," or ")"')
        self.next()
        return tuple(names)

    def _label(self) -> str:
        token = self.next()
        if token.kind == "word" and ":" not in token.text:
            return token.text
        if token.kind != "string":
            self.unexpected("grouping opts", "label", token)
        name = self.string(token)
        if not literals.is_label_name(name):
            fail(self.text, token.start, f"invalid label name for grouping: {literals.quoted(name)}")
        return name

    def grouping(self) -> tuple[bool, tuple[str, ...] | None]:
        """`by (...)` or `without (...)`: whether it is without, and the labels; None if there is neither."""
        word = self.peek().text.lower()
        if self.peek().kind != "word" or word not in ("by", "without"):
            return False, None
        self.next()
        return word == "without", self.label_list()

    def binary_modifiers(self) -> tuple[bool, ast.Matching]:
        """`bool on|ignoring (...) group_left|group_right (...)`, each of which may be missing."""
        return_bool = self._word("bool")
        on = self._word("on")
        if not on and not self._word("ignoring"):
            return return_bool, ast.Matching()
        labels = self.label_list()
        group: Literal["", "left", "right"] = ""
        if self._word("group_left"):
            group = "left"
        elif self._word("group_right"):
            group = "right"
        include = self.label_list() if group and self.peek().text == "(" else ()
        return return_bool, ast.Matching(on, labels, group, include)

    def _word(self, word: str) -> bool:
        """Whether the next token is this keyword; if so it is read."""
        token = self.peek()
        if token.kind != "word" or token.text.lower() != word:
            return False
        self.next()
        return True

    def range_clause(self) -> tuple[int, int | None, int]:
        """`[range]` or `[range:step]`: range and step in ms (0: default, None: no colon), where it ends."""
        self.expect("[")
        range_ms = self._duration("subquery or range selector", "number, duration, step(), or range()")
        step_ms = None
        if self.peek().text == ":":
            self.next()
            wanted = 'number, duration, step(), range(), or "]"'
            step_ms = 0 if self.peek().text == "]" else self._duration("subquery selector", wanted)
        bracket = self.expect("]", "subquery or range", '":" or "]"')
        return range_ms, step_ms, bracket.end

    def offset_clause(self) -> int:
        """`offset -5m`, in ms."""
        self.next()
        sign = self.next().text if self.peek().text in ("+", "-") else "+"
        offset = self._duration("offset", "number, duration, step(), or range()", positive=False)
        return -offset if sign == "-" else offset

    def _duration(self, context: str, wanted: str, *, positive: bool = True) -> int:
        token = self.peek()
        if token.kind not in ("number", "duration"):
            self.unexpected(context, wanted)
        self.next()
        value = self.number_or_seconds(token)
        try:
            length = literals.milliseconds(value)
        except ValueError as error:
            fail(self.text, token.start, str(error))
        if positive and length <= 0:
            fail(self.text, token.start, "duration must be greater than 0")
        return length

    def at_clause(self) -> ast.At:
        """`@ 1.5`, `@ start()`, `@ end()`; times in ms."""
        self.next()
        word = self.peek().text.lower()
        if word in ("start", "end") and self.peek().kind == "word":
            self.next()
            self.expect("(")
            self.expect(")")
            return "start" if word == "start" else "end"
        sign = self.next().text if self.peek().text in ("+", "-") else "+"
        token = self.peek()
        if token.kind not in ("number", "duration") and token.text.lower() not in ("inf", "nan"):
            self.unexpected("@", "timestamp")
        self.next()
        value = math.inf if token.kind == "word" else self.number_or_seconds(token)
        if not value < 2**63:
            fail(self.text, token.start, f"timestamp out of bounds for @ modifier: {token.text}")
        return round(-value * 1000 if sign == "-" else value * 1000)


def _describe(token: Token) -> str:
    word = token.text.lower()
    if token.kind == "end":
        return "end of input"
    if word in _OPERATORS and token.kind in ("symbol", "word"):
        return f"<op:{token.text}>"
    if token.kind == "word" and word in _KEYWORDS:
        return f"<{token.text}>"
    if token.kind == "word" and word in ast.AGGREGATORS:
        return f"<aggr:{token.text}>"
    if token.kind == "symbol":
        return f'"{token.text}"'
    kind = "identifier" if token.kind == "word" else token.kind
    return f"{kind} {literals.quoted(token.text)}"
