"""A Pratt parser: operators have binding powers, a loop climbs while the next one binds tightly enough."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from sentinel.errors import QueryError
from sentinel.model import Matcher
from sentinel.promql import ast
from sentinel.promql.functions import FUNCTIONS
from sentinel.promql.syntax import literals
from sentinel.promql.syntax.check import check
from sentinel.promql.syntax.clauses import Clauses
from sentinel.promql.syntax.lexer import Token, fail
from sentinel.promql.syntax.suffixes import with_at, with_offset, with_range

_POWERS: Final = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(ast.COMPARISONS, 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_UNARY: Final = 5
"""A sign binds like a product, so that `-2 ^ 2` is -4."""

_MAX_DEPTH: Final = 200
_NO_METRIC: Final = frozenset(("bool", "on", "ignoring", "group_left", "group_right", "atan2"))
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse(text: str) -> ast.Expr:
    """The syntax tree of a query, checked for types.

    Raises QueryError, worded like Prometheus's with `line:column:` in front, `position` a character offset.
    """
    parser = Parser(text)
    if parser.peek().kind == "end":
        fail(text, 0, "no expression found in input")
    expr = parser.expression()
    if parser.peek().kind != "end":
        parser.unexpected()
    check(text, expr)
    return expr


class Parser(Clauses):
    """Expressions; what stands in braces and parentheses beside them is read by `Clauses`."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def expression(self, power: int = 0) -> ast.Expr:
        """An expression of operators that bind tighter than `power`."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            fail(self.text, self.peek().start, f"expression is nested deeper than {_MAX_DEPTH} levels")
        left = self._operand()
        while (binding := _POWERS.get(self._operator(), 0)) > power:
            op = self.next().text.lower()
            return_bool, matching = self.binary_modifiers()
            right = self.expression(binding - 1 if op == "^" else binding)
            span = (left.span[0], right.span[1])
            left = ast.Binary(op, left, right, return_bool, matching, span=span)
        self._depth -= 1
        return left

    def _operator(self) -> str:
        token = self.peek()
        return token.text.lower() if token.kind in ("symbol", "word") else ""

    def _operand(self) -> ast.Expr:
        token = self.peek()
        if token.kind == "symbol" and token.text in ("+", "-"):
            self.next()
            return self._signed(token, self.expression(_UNARY))
        expr = self._primary()
        while (suffix := self._suffix(expr)) is not None:
            expr = suffix
        return expr

    @staticmethod
    def _signed(sign: Token, expr: ast.Expr) -> ast.Expr:
        span = (sign.start, expr.span[1])
        if isinstance(expr, ast.Number):
            return ast.Number(-expr.value if sign.text == "-" else expr.value, expr.duration, span=span)
        return ast.Unary("-" if sign.text == "-" else "+", expr, span=span)

    def _primary(self) -> ast.Expr:
        token = self.peek()
        if token.kind in ("number", "duration"):
            self.next()
            value = self.number_or_seconds(token)
            return ast.Number(value, token.kind == "duration", span=token[2:])
        if token.kind == "string":
            self.next()
            return ast.Text(self.string(token), span=token[2:])
        if token.text == "(":
            self.next()
            inner = self.expression()
            return ast.Paren(inner, span=(token.start, self.expect(")").end))
        if token.text == "{":
            return self._selector(None)
        if token.kind != "word":
            self.unexpected()
        return self._named()

    def _named(self) -> ast.Expr:
        """What begins with a word: a number, an aggregation, a call or a selector."""
        token = self.next()
        word, following = token.text.lower(), self.peek()
        if word in ("inf", "nan"):
            return ast.Number(float(word), span=token[2:])
        grouped = following.text == "(" or following.text.lower() in ("by", "without")
        if word in ast.AGGREGATORS and grouped and following.kind in ("symbol", "word"):
            return self._aggregation(token)
        if following.text == "(" and following.kind == "symbol" and _PLAIN.fullmatch(token.text):
            return self._call(token)
        if word in _NO_METRIC:
            self.unexpected(token=token)
        return self._selector(token)

    def _aggregation(self, op: Token) -> ast.Expr:
        without, labels = self.grouping()
        args = self._arguments()
        end = self.last.end
        if self.peek().text.lower() in ("by", "without") and self.peek().kind == "word" and labels is None:
            without, labels = self.grouping()
            end = self.last.end
        name = op.text.lower()
        wanted = 2 if name in ast.PARAMETRIC else 1
        if len(args) != wanted:
            missing = "arguments for aggregate expression provided"
            number = f", expected {wanted}, got {len(args)}"
            fail(self.text, op.start, f"wrong number of {missing}{number}" if args else f"no {missing}")
        param = args[0] if wanted == 2 else None
        span = (op.start, end)
        return ast.Aggregation(name, args[-1], param, tuple(labels or ()), without, span=span)

    def _call(self, name: Token) -> ast.Expr:
        known = FUNCTIONS.get(name.text)
        if known is None:
            fail(self.text, name.start, f'unknown function with name "{name.text}"')
        args = self._arguments()
        return ast.Call(name.text, args, known.returns, span=(name.start, self.last.end))

    def _arguments(self) -> tuple[ast.Expr, ...]:
        self.expect("(")
        args: list[ast.Expr] = []
        while self.peek().text != ")":
            args.append(self.expression())
            if self.peek().text == ",":
                comma = self.next()
                if self.peek().text == ")":
                    fail(self.text, comma.start, "trailing commas not allowed in function call args")
            elif self.peek().text != ")":
                self.unexpected()
        self.next()
        return tuple(args)

    def _selector(self, name: Token | None) -> ast.Expr:
        start = name.start if name else self.peek().start
        matchers = self.matchers() if self.peek().text == "{" else []
        if name is not None:
            matchers.append(Matcher("__name__", "=", name.text))
        span = (start, self.last.end)
        return ast.Selector(name.text if name else "", tuple(matchers), span=span)

    def _suffix(self, expr: ast.Expr) -> ast.Expr | None:
        """The expression with the `[range]`, `offset` or `@` that follows it, or None if none does."""
        token = self.peek()
        try:
            if token.text == "[":
                return with_range(expr, *self.range_clause())
            if token.kind == "word" and token.text.lower() == "offset":
                return with_offset(expr, self.offset_clause(), self.last.end)
            if token.text == "@":
                return with_at(expr, self.at_clause(), self.last.end)
        except ValueError as error:
            self._refuse(expr, token, str(error))
        return None

    def _refuse(self, expr: ast.Expr, token: Token, message: str) -> NoReturn:
        fail(self.text, token.start if token.text == "[" else expr.span[0], message)


def parse_number(text: str) -> float:
    """A number with its sign, as in a series of samples; QueryError if it is none."""
    try:
        return literals.number(text)
    except ValueError:
        raise QueryError(f"error parsing number: {text!r}") from None
