"""Cuts a template into tokens: text outside `{{ }}`, words inside, with Go's error texts.

`{{- ` and ` -}}` trim the white space of the text next to them; comments vanish here.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sentinel.template.goquote import describe, quote

KEYWORDS: Final = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"}
)
_SPACE: Final = " \t\r\n"
_SPACES: Final = re.compile(r"[ \t\r\n]+")
_RIGHT: Final = re.compile(r"([ \t\r\n]-)?\}\}")
_WORD: Final = re.compile(r"\w*")
_NUMBER: Final = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_QUOTED: Final = {
    '"': (re.compile(r'"(?:[^"\\\n]|\\[^\n])*"'), "string", "unterminated quoted string"),
    "'": (re.compile(r"'(?:[^'\\\n]|\\[^\n])*'"), "char", "unterminated character constant"),
    "`": (re.compile(r"`[^`]*`"), "string", "unterminated raw quoted string"),
}
_SINGLE: Final = {"=": "assign", "|": "pipe", "(": "(", ")": ")"}


class Token(NamedTuple):
    """`kind` is a keyword itself, or text, {{, }}, space, word, field, variable, dot, string, error...

    `pos` counts characters from the start of the text, `line` from 1.
    """

    kind: str
    pos: int
    text: str
    line: int

    def __str__(self) -> str:
        """As error texts show it."""
        if self.kind == "eof":
            return "EOF"
        if self.kind == "error":
            return self.text
        if self.kind in KEYWORDS or self.kind == "dot":
            return f"<{self.text}>"
        return quote(self.text[:10]) + "..." if len(self.text) > 10 else quote(self.text)


def tokens(text: str) -> list[Token]:
    """All tokens; the last one is `eof` or `error`."""
    lexer = _Lexer(text)
    while not lexer.done:
        lexer.text_run()
    return lexer.found


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text, self.pos, self.line = text, 0, 1
        self.found: list[Token] = []
        self.done = False

    def text_run(self) -> None:
        """Text up to the next `{{`, then what the braces hold."""
        start = self.text.find("{{", self.pos)
        end = len(self.text) if start < 0 else start
        run = self.text[self.pos : end]
        trimmed = run.rstrip(_SPACE) if start >= 0 and self._trims_left(start + 2) else run
        if trimmed:
            self.found.append(Token("text", self.pos, trimmed, self.line))
        self._skip(end)
        if start < 0:
            self._emit("eof", self.pos)
            self.done = True
            return
        body = start + (4 if self._trims_left(start + 2) else 2)
        if self.text.startswith("/*", body):
            self._skip(body)
            self._comment()
            return
        self._emit("{{", start + 2)
        self._skip(body)
        self._action()

    def _trims_left(self, pos: int) -> bool:
        return self.text[pos : pos + 1] == "-" and self.text[pos + 1 : pos + 2] in (*_SPACE,)

    def _comment(self) -> None:
        end = self.text.find("*/", self.pos + 2)
        if end < 0:
            return self._fail("unclosed comment")
        right = _RIGHT.match(self.text, end + 2)
        if right is None:
            return self._fail("comment ends before closing delimiter")
        return self._close(right)

    def _close(self, right: re.Match[str]) -> None:
        self._skip(right.end())
        if right[1]:
            spaces = _SPACES.match(self.text, self.pos)
            self._skip(spaces.end() if spaces else self.pos)

    def _action(self) -> None:
        depth = 0
        while not self.done:
            right = _RIGHT.match(self.text, self.pos)
            if right:
                if depth:
                    return self._fail("unclosed left paren")
                self._emit("}}", right.end())
                return self._close(right)
            char = self.text[self.pos : self.pos + 1]
            depth += (char == "(") - (char == ")")
            if depth < 0:
                return self._fail("unexpected right paren")
            self._lexeme(char)
        return None

    def _lexeme(self, char: str) -> None:
        if not char:
            self._fail("unclosed action")
        elif char in _SPACE:
            self._spaces()
        elif char in _SINGLE:
            self._emit(_SINGLE[char], self.pos + 1)
        elif char == ":":
            self._declare()
        elif char in _QUOTED:
            self._quoted(char)
        elif char == "$":
            self._name("variable", self.pos + 1)
        elif char == "." and self.text[self.pos + 1 : self.pos + 2] not in (*"0123456789",):
            self._name("field", self.pos + 1)
        elif char in ".+-0123456789":
            self._number()
        elif char == "_" or char.isalnum():
            self._name("word", self.pos)
        elif char.isascii() and char.isprintable():
            self._emit("punctuation", self.pos + 1)
        else:
            self._fail(f"unrecognized character in action: {describe(char)}")

    def _spaces(self) -> None:
        found = _SPACES.match(self.text, self.pos)
        assert found is not None
        trims = _RIGHT.match(self.text, found.end() - 1)  # the last space belongs to " -}}"
        self._emit("space", found.end() - bool(trims))

    def _declare(self) -> None:
        if self.text[self.pos + 1 : self.pos + 2] == "=":
            self._emit("declare", self.pos + 2)
        else:
            self._fail("expected :=")

    def _quoted(self, mark: str) -> None:
        pattern, kind, error = _QUOTED[mark]
        found = pattern.match(self.text, self.pos)
        if found:
            self._emit(kind, found.end())
        else:
            self._fail(error)

    def _name(self, kind: str, start: int) -> None:
        found = _WORD.match(self.text, start)
        assert found is not None
        end = found.end()
        if not self._ends_word(end):
            return self._fail(f"bad character {describe(self.text[end])}")
        word = self.text[self.pos : end]
        if kind == "field" and word == ".":
            kind = "dot"
        elif kind == "word":
            kind = word if word in KEYWORDS else "bool" if word in ("true", "false") else kind
        return self._emit(kind, end)

    def _ends_word(self, pos: int) -> bool:
        char = self.text[pos : pos + 1]
        return not char or char in _SPACE + ".,|:)(" or self.text.startswith("}}", pos)

    def _number(self) -> None:
        end, kind = self._number_end(self.pos), "number"
        if end > 0 and self.text[end : end + 1] in ("+", "-"):  # 1+2i
            end, kind = self._number_end(end), "complex"
            if end > 0 and self.text[end - 1] != "i":
                end = -end
        if end < 0:
            return self._fail(f"bad number syntax: {quote(self.text[self.pos : -end])}")
        return self._emit(kind, end)

    def _number_end(self, pos: int) -> int:
        """Where the number at `pos` ends; negated, and one further, if a letter follows at once."""
        found = _NUMBER.match(self.text, pos)
        assert found is not None
        follower = self.text[found.end() : found.end() + 1]
        return -(found.end() + 1) if follower == "_" or follower.isalnum() else found.end()

    def _emit(self, kind: str, end: int) -> None:
        self.found.append(Token(kind, self.pos, self.text[self.pos : end], self.line))
        self._skip(end)

    def _skip(self, end: int) -> None:
        self.line += self.text.count("\n", self.pos, end)
        self.pos = end

    def _fail(self, message: str) -> None:
        self.found.append(Token("error", self.pos, message, self.line))
        self.done = True
