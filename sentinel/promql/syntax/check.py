"""Type checks on a parsed tree, in the words and the order of Prometheus."""

from __future__ import annotations

from typing import Final

from sentinel.promql import ast
from sentinel.promql.functions import FUNCTIONS
from sentinel.promql.syntax.lexer import fail
from sentinel.promql.syntax.literals import quoted

_OPERANDS: Final = ("scalar", "instant vector")


def check(text: str, expr: ast.Expr) -> None:
    """Raises QueryError at the first node, children before parents, whose operands have the wrong kind."""
    _Check(text).node(expr)


class _Check:
    def __init__(self, text: str) -> None:
        self._text = text

    def node(self, node: ast.Expr) -> None:
        match node:
            case ast.Selector():
                self._selector(node)
            case ast.Call():
                self._call(node)
            case ast.Aggregation():
                self._aggregation(node)
            case _:
                for child in node.children():
                    self.node(child)
        match node:
            case ast.Binary():
                self._binary(node)
            case ast.Unary() if node.expr.kind not in _OPERANDS:
                kinds = f'scalar or instant vector, got "{node.expr.kind}"'
                self._fail(node, f"unary expression only allowed on expressions of type {kinds}")
            case ast.Subquery() if node.expr.kind != "instant vector":
                kind = {"range vector": "matrix"}.get(node.expr.kind, node.expr.kind)
                self._fail(node, f"subquery is only allowed on instant vector, got {kind} instead")

    def _fail(self, node: ast.Expr, message: str) -> None:
        fail(self._text, node.span[0], message)

    def _expect(self, node: ast.Expr, wanted: ast.Kind, context: str) -> None:
        self.node(node)
        if node.kind != wanted:
            self._fail(node, f"expected type {wanted} in {context}, got {node.kind}")

    def _selector(self, node: ast.Selector, *, may_be_empty: bool = False) -> None:
        if node.name:
            for matcher in node.matchers[:-1]:
                if matcher.name == "__name__":
                    names = f"{quoted(node.name)} or {quoted(matcher.value)}"
                    self._fail(node, f"metric name must not be set twice: {names}")
        elif not may_be_empty and all(matcher.matches("") for matcher in node.matchers):
            self._fail(node, "vector selector must contain at least one non-empty matcher")

    def _call(self, node: ast.Call) -> None:
        known, given = FUNCTIONS[node.function], len(node.args)
        call = f'argument(s) in call to "{node.function}", got {given}'
        if known.least == known.most != given:
            self._fail(node, f"expected {known.least} {call}")
        if given < known.least:
            self._fail(node, f"expected at least {known.least} {call}")
        if 0 <= known.most < given:
            self._fail(node, f"expected at most {known.most} {call}")
        context = f'call to function "{node.function}"'
        for position, arg in enumerate(node.args):
            if node.function == "info" and position == 1:
                self._label_selector(node, arg, context)
            else:
                self._expect(arg, known.parameter(position), context)

    def _label_selector(self, call: ast.Call, arg: ast.Expr, context: str) -> None:
        """The second argument of `info`, which names labels and no metric."""
        if arg.kind != "instant vector":
            self._fail(call, f"expected type instant vector in {context}, got {arg.kind}")
        if not isinstance(arg, ast.Selector):
            self._fail(arg, "expected label selectors only")
        elif arg.name:
            self._fail(arg, "expected label selectors only, got vector selector instead")
        else:
            self._selector(arg, may_be_empty=True)

    def _aggregation(self, node: ast.Aggregation) -> None:
        self._expect(node.expr, "instant vector", "aggregation expression")
        if node.param is not None:
            wanted: ast.Kind = "string" if node.op == "count_values" else "scalar"
            self._expect(node.param, wanted, "aggregation parameter")

    def _binary(self, node: ast.Binary) -> None:
        vectors, matching = node.left.kind == node.right.kind == "instant vector", node.matching
        if node.return_bool and node.op not in ast.COMPARISONS:
            self._fail_operator(node, "bool modifier can only be used on comparison operators")
        if node.kind == "scalar" and node.op in ast.COMPARISONS and not node.return_bool:
            self._fail_operator(node, "comparisons between scalars must use BOOL modifier")
        for label in matching.labels:
            if matching.on and label in matching.include:
                message = f"label {quoted(label)} must not occur in ON and GROUP clause at once"
                self._fail_operator(node, message)
        for side in (node.left, node.right):
            if side.kind not in _OPERANDS:
                self._fail(side, "binary expression must contain only scalar and instant vector types")
        filled = matching.fill_left is not None or matching.fill_right is not None
        if matching.labels and not vectors:
            self._fail(node, "vector matching only allowed between instant vectors")
        if filled and not vectors:
            self._fail(node, "filling in missing series only allowed between instant vectors")
        if node.op in ast.SET_OPERATORS:
            self._set_operator(node, vectors=vectors, filled=filled)

    def _set_operator(self, node: ast.Binary, *, vectors: bool, filled: bool) -> None:
        if not vectors:
            self._fail(node, f'set operator "{node.op}" not allowed in binary scalar expression')
        if node.matching.group:
            self._fail(node, f'no grouping allowed for "{node.op}" operation')
        if filled:
            self._fail(node, "filling in missing series not allowed for set operators")

    def _fail_operator(self, node: ast.Binary, message: str) -> None:
        position = node.left.span[1]
        while self._text[position].isspace():
            position += 1
        fail(self._text, position, message)
