"""Parses what stands inside the braces: pipelines of commands, commands of operands."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sentinel.errors import TemplateError
from sentinel.template import nodes
from sentinel.template.goquote import quote, unquote
from sentinel.template.lexer import Token
from sentinel.template.limits import MAX_DEPTH
from sentinel.template.numbers import number
from sentinel.template.tokens import TokenStream

_OPERANDS: Final = frozenset(
    {"bool", "char", "complex", "dot", "field", "word", "number", "nil", "string", "variable", "("}
)
_FIXED: Final = (nodes.Bool, nodes.Dot, nodes.Nil, nodes.Number, nodes.String)


class ExpressionParser:
    def __init__(self, text: str, name: str, functions: Collection[str]) -> None:
        self.text, self.name, self.functions = text, name, functions
        self.tokens = TokenStream(text)
        self.variables = ["$"]
        self.action_line = 0
        self.depth = 0

    def error(self, message: str) -> TemplateError:
        return TemplateError(f"template: {self.name}:{self.tokens.line}: {message}", load=True)

    def unexpected(self, token: Token, context: str) -> TemplateError:
        if token.kind != "error":
            return self.error(f"unexpected {token} in {context}")
        extra = ""
        if self.action_line and self.action_line != token.line:
            action = "" if token.text.endswith(" action") else " in action"
            extra = f"{action} started at {self.name}:{self.action_line}"
        return self.error(f"{token}{extra}")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} blocks or parentheses inside one another")

    def leave(self) -> None:
        self.depth -= 1

    def text_of(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError as error:
            raise self.error(str(error)) from None

    def pipeline(self, context: str, end: str) -> nodes.Pipe:
        """Up to and with the token `end`."""
        self.enter()
        pos = self.tokens.peek_word().pos
        variables, assigns = self._declared(context)
        commands: list[nodes.Command] = []
        while (token := self.tokens.next_word()).kind != end:
            if token.kind not in _OPERANDS:
                raise self.unexpected(token, context)
            self.tokens.back()
            commands.append(self._command())
        if not commands:
            raise self.error(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], start=2):
            if isinstance(command.operands[0], _FIXED):
                raise self.error(f"non executable command in pipeline stage {stage}")
        self.leave()
        return nodes.Pipe(pos, variables, assigns, tuple(commands))

    def _declared(self, context: str) -> tuple[tuple[str, ...], bool]:
        """The variables in front of `:=` or `=`, and whether it was `=`."""
        names: list[str] = []
        while (variable := self.tokens.peek_word()).kind == "variable":
            self.tokens.next()
            after = self.tokens.peek()
            sign = self.tokens.peek_word()
            if sign.kind in ("assign", "declare"):
                self.tokens.next_word()
                self.variables.append(variable.text)
                return (*names, variable.text), sign.kind == "assign"
            if sign.kind != "punctuation" or sign.text != ",":
                self.tokens.put_back(variable, *([after] if after.kind == "space" else []))
                break
            self.tokens.next_word()
            names.append(variable.text)
            self.variables.append(variable.text)
            if context != "range" or len(names) > 1:
                raise self.error(f"too many declarations in {context}")
            if self.tokens.peek_word().kind not in ("variable", "}}", ")"):
                raise self.error("range can only initialize variables")
        return tuple(names), False

    def _command(self) -> nodes.Command:
        pos = self.tokens.peek_word().pos
        operands: list[nodes.Operand] = []
        while True:
            self.tokens.peek_word()
            operand = self._operand()
            if operand is not None:
                operands.append(operand)
            token = self.tokens.next()
            if token.kind == "space":
                continue
            if token.kind in ("}}", ")"):
                self.tokens.back()
            elif token.kind != "pipe":
                raise self.unexpected(token, "operand")
            break
        if not operands:
            raise self.error("empty command")
        return nodes.Command(pos, tuple(operands))

    def _operand(self) -> nodes.Operand | None:
        """A term and the fields that follow it at once."""
        node = self._term()
        if node is None or self.tokens.peek().kind != "field":
            return node
        pos = self.tokens.peek().pos
        fields: list[str] = []
        while self.tokens.peek().kind == "field":
            fields.append(self.tokens.next().text[1:])
        if isinstance(node, nodes.Field):
            return nodes.Field(pos, (*node.names, *fields))
        if isinstance(node, nodes.Variable):
            return nodes.Variable(pos, node.name, tuple(fields))
        if isinstance(node, _FIXED):
            raise self.error(f"unexpected . after term {quote(str(node))}")
        return nodes.Chain(pos, node, tuple(fields))

    def _term(self) -> nodes.Operand | None:
        token = self.tokens.next_word()
        match token.kind:
            case "word":
                if token.text not in self.functions:
                    raise self.error(f"function {quote(token.text)} not defined")
                return nodes.Identifier(token.pos, token.text)
            case "variable":
                if token.text not in self.variables:
                    raise self.error(f"undefined variable {quote(token.text)}")
                return nodes.Variable(token.pos, token.text, ())
            case "number" | "char" | "complex":
                return self._number(token)
            case "string":
                return nodes.String(token.pos, token.text, self.text_of(token))
            case "field":
                return nodes.Field(token.pos, (token.text[1:],))
            case "bool":
                return nodes.Bool(token.pos, token.text == "true")
            case "dot":
                return nodes.Dot(token.pos)
            case "nil":
                return nodes.Nil(token.pos)
            case "(":
                return self.pipeline("parenthesized pipeline", ")")
        self.tokens.back()
        return None

    def _number(self, token: Token) -> nodes.Number:
        try:
            return number(token.pos, token.text, token.kind)
        except ValueError as error:
            raise self.error(str(error)) from None
