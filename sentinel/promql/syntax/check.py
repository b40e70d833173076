"""Type checks on a parsed tree, in the words of Prometheus."""

from __future__ import annotations

from typing import Final

from sentinel.promql import ast
from sentinel.promql.functions import FUNCTIONS
from sentinel.promql.syntax.lexer import fail

_OPERANDS: Final = ("scalar", "instant vector")


def check(text: str, expr: ast.Expr) -> None:
    """Raises QueryError at the first node, parents before children, whose operands have the wrong kind."""
    for node in ast.walk(expr):
        message, position = _fault(node)
        if message:
            fail(text, position if position >= 0 else _operator_position(text, node), message)


def _fault(node: ast.Expr) -> tuple[str, int]:
    """What is wrong and where; position -1 stands for the operator between two operands."""
    if isinstance(node, ast.Selector):
        return _selector(node), node.span[0]
    if isinstance(node, ast.Call):
        return _call(node)
    if isinstance(node, ast.Aggregation):
        return _aggregation(node)
    if isinstance(node, ast.Binary):
        return _binary(node)
    if isinstance(node, ast.Unary) and node.expr.kind not in _OPERANDS:
        kinds = f'scalar or instant vector, got "{node.expr.kind}"'
        return f"unary expression only allowed on expressions of type {kinds}", node.span[0]
    if isinstance(node, ast.Subquery) and node.expr.kind != "instant vector":
        kind = {"range vector": "matrix"}.get(node.expr.kind, node.expr.kind)
        return f"subquery is only allowed on instant vector, got {kind} instead", node.span[0]
    return "", 0


def _selector(node: ast.Selector) -> str:
    if node.name:
        twice = [matcher for matcher in node.matchers[:-1] if matcher.name == "__name__"]
        if twice:
            return f'metric name must not be set twice: "{node.name}" or "{twice[0].value}"'
    elif all(matcher.matches("") for matcher in node.matchers):
        return "vector selector must contain at least one non-empty matcher"
    return ""


def _call(node: ast.Call) -> tuple[str, int]:
    known, given = FUNCTIONS[node.function], len(node.args)
    call = f'argument(s) in call to "{node.function}", got {given}'
    if known.least == known.most != given:
        return f"expected {known.least} {call}", node.span[0]
    if given < known.least:
        return f"expected at least {known.least} {call}", node.span[0]
    if 0 <= known.most < given:
        return f"expected at most {known.most} {call}", node.span[0]
    for position, arg in enumerate(node.args):
        wanted = known.parameter(position)
        if arg.kind != wanted:
            where = f'call to function "{node.function}"'
            return f"expected type {wanted} in {where}, got {arg.kind}", arg.span[0]
    return "", 0


def _aggregation(node: ast.Aggregation) -> tuple[str, int]:
    if node.expr.kind != "instant vector":
        message = f"expected type instant vector in aggregation expression, got {node.expr.kind}"
        return message, node.expr.span[0]
    wanted = "string" if node.op == "count_values" else "scalar"
    if node.param is not None and node.param.kind != wanted:
        message = f"expected type {wanted} in aggregation parameter, got {node.param.kind}"
        return message, node.param.span[0]
    return "", 0


def _binary(node: ast.Binary) -> tuple[str, int]:
    for side in (node.left, node.right):
        if side.kind not in _OPERANDS:
            return "binary expression must contain only scalar and instant vector types", side.span[0]
    vectors = node.left.kind == node.right.kind == "instant vector"
    if node.return_bool and node.op not in ast.COMPARISONS:
        return "bool modifier can only be used on comparison operators", -1
    if node.kind == "scalar" and node.op in ast.COMPARISONS and not node.return_bool:
        return "comparisons between scalars must use BOOL modifier", -1
    if node.op in ast.SET_OPERATORS and not vectors:
        return f'set operator "{node.op}" not allowed in binary scalar expression', node.span[0]
    if node.op in ast.SET_OPERATORS and node.matching.group:
        return f'no grouping allowed for "{node.op}" operation', node.span[0]
    if node.matching.labels and not vectors:
        return "vector matching only allowed between instant vectors", node.span[0]
    both = set(node.matching.labels) & set(node.matching.include)
    if node.matching.on and both:
        return f'label "{min(both)}" must not occur in ON and GROUP clause at once', -1
    return "", 0


def _operator_position(text: str, node: ast.Expr) -> int:
    assert isinstance(node, ast.Binary)
    position = node.left.span[1]
    while text[position].isspace():
        position += 1
    return position
