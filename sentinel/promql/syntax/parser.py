"""A Pratt parser: operators have binding powers, a loop climbs while the next one binds tightly enough."""

from __future__ import annotations

import re
from typing import Final

from sentinel.model import Matcher
from sentinel.promql import ast
from sentinel.promql.functions import FUNCTIONS
from sentinel.promql.syntax import literals
from sentinel.promql.syntax.check import check
from sentinel.promql.syntax.clauses import binary_modifiers, grouping, matchers
from sentinel.promql.syntax.cursor import FILLS, MAX_DEPTH, NO_METRIC, SUFFIXES, Cursor
from sentinel.promql.syntax.lexer import Token, fail
from sentinel.promql.syntax.suffixes import suffixed

_POWERS: Final = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(ast.COMPARISONS | ast.TRIMS, 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_UNARY: Final = 5
"""A sign binds like a product, so that `-2 ^ 2` is -4."""

_NO_CALL: Final = ast.SET_OPERATORS | SUFFIXES | FILLS
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse(text: str) -> ast.Expr:
    """The syntax tree of a query, checked for types; at most `MAX_DEPTH` levels deep.

    Raises QueryError, worded like Prometheus's with `line:column:` in front, `position` a character offset.
    """
    parser = Parser(text)
    if parser.cursor.peek().kind == "end":
        fail(text, 0, "no expression found in input")
    expr = parser.expression()
    if parser.cursor.peek().kind != "end":
        parser.cursor.unexpected()
    if _depth(expr) > MAX_DEPTH:
        parser.cursor.too_deep(expr.span[0])
    check(text, expr)
    return expr


def _depth(expr: ast.Expr) -> int:
    deepest, waiting = 0, [(expr, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in node.children()]
    return deepest


class Parser:
    """Expressions; what stands in braces, brackets and parentheses beside them is read elsewhere."""

    def __init__(self, text: str) -> None:
        self.cursor = Cursor(text)

    def expression(self, power: int = 0) -> ast.Expr:
        """An expression of operators that bind tighter than `power`."""
        cursor, length = self.cursor, 0
        with cursor.nested():
            left = self._operand()
            while (binding := _POWERS.get(self._operator(), 0)) > power:
                length = cursor.longer(length)
                op = cursor.next().text.lower()
                return_bool, matching = binary_modifiers(cursor)
                right = self.expression(binding - 1 if op == "^" else binding)
                left = _binary(op, (left, right), return_bool, matching)
        return left

    def _operator(self) -> str:
        token = self.cursor.peek()
        return token.text.lower() if token.kind in ("symbol", "word") else ""

    def _operand(self) -> ast.Expr:
        token = self.cursor.peek()
        if token.kind == "symbol" and token.text in ("+", "-"):
            self.cursor.next()
            return _signed(token, self.expression(_UNARY))
        return suffixed(self.cursor, self._primary())

    def _primary(self) -> ast.Expr:
        cursor = self.cursor
        token = cursor.peek()
        if token.kind in ("number", "duration"):
            return ast.Number(cursor.number(), token.kind == "duration", span=token[2:])
        if token.kind == "string":
            return ast.Text(cursor.string(), span=token[2:])
        if cursor.take("("):
            inner = self.expression()
            return ast.Paren(inner, span=(token.start, cursor.expect(")").end))
        if cursor.at("{"):
            return self._selector(None)
        if token.kind != "word":
            cursor.unexpected()
        return self._named()

    def _named(self) -> ast.Expr:
        """What begins with a word: a number, an aggregation, a call or a selector."""
        cursor = self.cursor
        token = cursor.peek()
        word = token.text.lower()
        if word in NO_METRIC:
            cursor.unexpected()
        cursor.next()
        if word in ("inf", "nan"):
            return ast.Number(float(word), span=token[2:])
        if word in ast.AGGREGATORS and (cursor.at("(") or cursor.word() in ("by", "without")):
            return self._aggregation(token)
        if cursor.at("(") and word not in _NO_CALL and _PLAIN.fullmatch(word):
            return self._call(token)
        return self._selector(token)

    def _aggregation(self, op: Token) -> ast.Expr:
        cursor, name = self.cursor, op.text.lower()
        without, labels = False, None
        with cursor.within("aggregation"):
            if not cursor.at("("):
                without, labels = grouping(cursor)
            args = self._arguments()
        if labels is None and cursor.word() in ("by", "without"):
            without, labels = grouping(cursor)
        end = cursor.last.end
        wanted = 2 if name in ast.PARAMETRIC else 1
        if len(args) != wanted:
            missing = "arguments for aggregate expression provided"
            number = f", expected {wanted}, got {len(args)}"
            cursor.fail(op.start, f"wrong number of {missing}{number}" if args else f"no {missing}")
        param = args[0] if wanted == 2 else None
        return ast.Aggregation(name, args[-1], param, labels or (), without, span=(op.start, end))

    def _call(self, name: Token) -> ast.Expr:
        args = self._arguments()
        known = FUNCTIONS.get(name.text)
        if known is None:
            self.cursor.fail(name.start, f"unknown function with name {literals.quoted(name.text)}")
        return ast.Call(name.text, args, known.returns, span=(name.start, self.cursor.last.end))

    def _arguments(self) -> tuple[ast.Expr, ...]:
        cursor = self.cursor
        cursor.expect("(")
        if cursor.take(")"):
            return ()
        args = [self.expression()]
        while not cursor.take(")"):
            comma = cursor.expect(",")
            if not cursor.begins_operand():
                cursor.fail(comma.start, "trailing commas not allowed in function call args")
            args.append(self.expression())
        return tuple(args)

    def _selector(self, name: Token | None) -> ast.Expr:
        start = name.start if name else self.cursor.peek().start
        found = matchers(self.cursor) if self.cursor.at("{") else []
        if name is not None:
            found.append(Matcher("__name__", "=", name.text))
        span = (start, self.cursor.last.end)
        return ast.Selector(name.text if name else "", tuple(found), span=span)


def _binary(op: str, sides: tuple[ast.Expr, ast.Expr], return_bool: bool, matching: ast.Matching) -> ast.Expr:
    left, right = sides
    vectors = left.kind == right.kind == "instant vector"
    if not vectors and not matching.labels and matching.fill_left is matching.fill_right is None:
        matching = ast.Matching()  # it says nothing
    return ast.Binary(op, left, right, return_bool, matching, span=(left.span[0], right.span[1]))


def _signed(sign: Token, expr: ast.Expr) -> ast.Expr:
    span = (sign.start, expr.span[1])
    if isinstance(expr, ast.Number):
        return ast.Number(-expr.value if sign.text == "-" else expr.value, expr.duration, span=span)
    return ast.Unary("-" if sign.text == "-" else "+", expr, span=span)
