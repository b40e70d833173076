"""Parses a template by recursive descent, with Go's grammar and Go's error texts.

Blocks and definitions. `expressions.py` has what stands inside the braces.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sentinel.errors import TemplateError
from sentinel.template.expressions import ExpressionParser
from sentinel.template.goquote import quote
from sentinel.template.lexer import Token
from sentinel.template.nodes import Action, Body, Branch, Call, Jump, Node, Pipe, Text, Tree

_ENDS: Final = ("end", "else")


def parse(text: str, *, name: str, functions: Collection[str]) -> dict[str, Tree]:
    """The templates that `text` defines, itself among them as `name`.

    Raises TemplateError(load=True): bad syntax, an unknown function, an undefined variable.
    """
    try:
        return _Parser(text, name, functions).parse()
    except RecursionError:
        raise TemplateError(f"template: {name}: nested too deeply", load=True) from None


class _Parser(ExpressionParser):
    def __init__(self, text: str, name: str, functions: Collection[str]) -> None:
        super().__init__(text, name, functions)
        self.trees: dict[str, Tree] = {}
        self.range_depth = 0
        self.action_end: Token | None = None

    def parse(self) -> dict[str, Tree]:
        nodes: list[Node] = []
        while self.tokens.peek().kind != "eof":
            if self.tokens.peek().kind == "{{":
                opening = self.tokens.next()
                if self.tokens.next_word().kind == "define":
                    self._definition()
                    continue
                self.tokens.put_back(opening)
            node = self._text_or_action()
            if isinstance(node, Token):
                raise self.error(f"unexpected {{{{{node.kind}}}}}")
            nodes.append(node)
        self._add(self.name, tuple(nodes))
        return self.trees

    def _definition(self) -> None:
        token = self.tokens.next_word()
        if token.kind != "string":
            raise self.unexpected(token, "define clause")
        name = self.text_of(token)
        self._expect_close("define clause")
        self._separate(name, "define clause")

    def _separate(self, name: str, context: str) -> None:
        """A body with a scope of its own, up to its `end`; added as template `name`."""
        saved = self.variables, self.range_depth
        self.variables, self.range_depth = ["$"], 0
        body, end = self._body()
        if end.kind != "end":
            raise self.error(f"unexpected {{{{{end.kind}}}}} in {context}")
        self._add(name, body)
        self.variables, self.range_depth = saved

    def _add(self, name: str, body: Body) -> None:
        tree = Tree(name, self.name, self.text, body)
        known = self.trees.get(name)
        if known is None or known.empty:
            self.trees[name] = tree
        elif not tree.empty:
            raise self.error(f"template: multiple definition of template {quote(name)}")

    def _body(self) -> tuple[Body, Token]:
        """Nodes up to an `end` or `else`, and that token."""
        nodes: list[Node] = []
        self.enter()
        while self.tokens.peek_word().kind != "eof":
            node = self._text_or_action()
            if isinstance(node, Token):
                self.leave()
                return tuple(nodes), node
            nodes.append(node)
        raise self.error("unexpected EOF")

    def _text_or_action(self) -> Node | Token:
        """One node, or the token of an `end` or `else`."""
        token = self.tokens.next_word()
        if token.kind == "text":
            return Text(token.pos, token.text)
        if token.kind != "{{":
            raise self.unexpected(token, "input")
        self.action_line = token.line
        found = self._action()
        self.action_line = 0
        return found

    def _action(self) -> Node | Token:
        token = self.tokens.next_word()
        match token.kind:
            case "if" | "with" | "range":
                return self._branch(token.kind)
            case "break" | "continue":
                return self._jump(token)
            case "block":
                return self._block()
            case "template":
                return self._call()
            case "end":
                self._expect_close("end")
                return token
            case "else":
                if self.tokens.peek_word().kind not in ("if", "with"):
                    self._expect_close("else")
                return token
        self.tokens.back()
        pos = self.tokens.peek().pos
        return Action(pos, self.pipeline("command", "}}"))

    def _branch(self, keyword: str) -> Branch:
        """`if`, `with` or `range`. `{{else if}}` is an `if` inside the else whose end is shared."""
        scope = len(self.variables)
        pipe = self.pipeline(keyword, "}}")
        self.range_depth += keyword == "range"
        body, end = self._body()
        self.range_depth -= keyword == "range"
        otherwise: Body | None = None
        if end.kind == "else":
            if keyword != "range" and self.tokens.peek().kind == keyword:
                self.tokens.next()
                self.enter()
                otherwise = (self._branch(keyword),)
                self.leave()
            else:
                otherwise, end = self._body()
                if end.kind != "end":
                    raise self.error(f"expected end; found {{{{{end.kind}}}}}")
        del self.variables[scope:]
        return Branch(pipe.pos, keyword, pipe, body, otherwise)

    def _jump(self, token: Token) -> Jump:
        self._expect_close(f"{{{{{token.kind}}}}}")
        if not self.range_depth:
            raise self.error(f"{{{{{token.kind}}}}} outside {{{{range}}}}")
        return Jump(token.pos, token.kind)

    def _block(self) -> Call:
        token = self.tokens.next_word()
        name = self._template_name(token, "block clause")
        pipe = self.pipeline("block clause", "}}")
        self._separate(name, "block clause")
        return Call(token.pos, name, pipe)

    def _call(self) -> Call:
        token = self.tokens.next_word()
        name = self._template_name(token, "template clause")
        pipe: Pipe | None = None
        if self.tokens.next_word().kind != "}}":
            self.tokens.back()
            pipe = self.pipeline("template clause", "}}")
        return Call(token.pos, name, pipe)

    def _template_name(self, token: Token, context: str) -> str:
        if token.kind != "string":
            raise self.unexpected(token, context)
        return self.text_of(token)

    def _expect_close(self, context: str) -> None:
        token = self.tokens.next_word()
        if token.kind != "}}":
            raise self.unexpected(token, context)
