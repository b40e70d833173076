"""The token stream as the parser walks it, with up to three tokens put back.

What is put back matters beyond reading on: error texts carry the line of the token read last.
"""

from __future__ import annotations

from sentinel.template.lexer import Token, tokens


class TokenStream:
    def __init__(self, text: str) -> None:
        self._rest = iter(tokens(text))
        self._seen = [Token("eof", 0, "", 1)] * 3
        self._back = 0

    @property
    def line(self) -> int:
        """The line that error texts name."""
        return self._seen[0].line

    def next(self) -> Token:
        if self._back:
            self._back -= 1
        else:
            self._seen[0] = next(self._rest, self._seen[0])
        return self._seen[self._back]

    def back(self) -> None:
        self._back += 1

    def put_back(self, *earlier: Token) -> None:
        """Puts `earlier` in front of the token read last, the first of them to be read first."""
        for depth, token in enumerate(reversed(earlier), start=1):
            self._seen[depth] = token
        self._back = len(earlier) + 1

    def peek(self) -> Token:
        token = self.next()
        self.back()
        return token

    def next_word(self) -> Token:
        """The next token that is not a space."""
        token = self.next()
        while token.kind == "space":
            token = self.next()
        return token

    def peek_word(self) -> Token:
        token = self.next_word()
        self.back()
        return token
