"""The printer: what it prints parses to the same tree."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from syntax_trees import expressions

from sentinel.errors import QueryError
from sentinel.promql import ast, parse, to_text
from sentinel.promql.syntax.pretty import pretty
from sentinel.promql.syntax.tree import as_json

PRINTED = [
    # query, as it is printed
    ("a[5m]@1.5 offset -90m", "a[5m] @ 1.500 offset -1h30m"),
    ("rate(a[300:])[1h:30s] @ END() OFFSET 5", "rate(a[5m:])[1h:30s] @ end() offset 5s"),
    ("a offset 5m anchored @ 2", "a @ 2.000 anchored offset 5m"),
    ("a[5m] smoothed @ 2", "a[5m] smoothed @ 2.000"),
    ("a[ (2 *STEP()) ] offset - ( 1h )", "a[(2 * step())] offset -(1h)"),
    ("a[((1m)):max_of(1,+2m)]", "a[(1m):max_of(1, 2m)]"),
    ("a offset --step() ^ 2", "a offset --step() ^ 2"),
    ("a > bool ignoring () group_right () b", "a > bool ignoring () group_right () b"),
    ("a + fill_right(2) fill_left(2) b", "a + fill (2) b"),
    ("a + on() fill_left(1e30) b", "a + on () fill_left (1e+30) b"),
    ("1 + on () a", "1 + a"),
    ("sum by ('without', \"a b\", c) (x)", 'sum by ("without", "a b", c) (x)'),
    ("inf ^ a * +inf", "Inf ^ a * +Inf"),
    ("NAN + 1_000 + 0x1f + 1e-7", "NaN + 1000 + 31 + 0.0000001"),
    ("1w + 8d + 90m", "1w + 8d + 1h30m"),
    ("{'a b', c!=\"\"}", '{__name__="a b",c!=""}'),
    ("a{'x.y'=~'\\\\d'}", 'a{"x.y"=~"\\\\d"}'),
    ("'\\xff\\000\\u00a0é`\"'", '"\\xff\\x00\\u00a0é`\\""'),
]


@pytest.mark.parametrize(("query", "text"), PRINTED)
def test_one_line(query: str, text: str) -> None:
    assert to_text(parse(query)) == text


@given(expressions())
@settings(max_examples=150, deadline=None)
def test_what_is_printed_parses_to_the_same(expr: ast.Expr) -> None:
    assert parse(to_text(expr)) == expr
    assert in_order(parse(pretty(expr))) == in_order(expr)
    json.dumps(as_json(expr))


def test_published_expressions_round_trip(conformance: Callable[[str], Path]) -> None:
    rules = json.loads(conformance("rules-corpus/index.json").read_text())
    for query in {rule["expr"] for rule in rules if rule["accepted_by_prometheus"]}:
        same(query)


def test_conformance_scripts_round_trip(conformance: Callable[[str], Path]) -> None:
    """Every expression of all scripts is PromQL; only functions may be unknown."""
    cases = json.loads(conformance("conformance/promqltest/index.json").read_text())["cases"]
    parsed = 0
    for query in {case["expr"] for case in cases}:
        try:
            same(query)
            parsed += 1
        except QueryError as error:
            assert "unknown function with name" in str(error), query
    assert parsed > 1700


def same(query: str) -> None:
    """Text and lines of a query parse to its tree; NaN is not equal to itself."""
    tree = parse(query)
    text = to_text(tree)
    if "NaN" in text:
        assert to_text(parse(text)) == text
    else:
        assert parse(text) == tree, query
        assert in_order(parse(pretty(tree))) == in_order(tree), query


def in_order(expr: ast.Expr) -> ast.Expr:
    """The tree with matchers in one order."""

    def change(node: ast.Expr) -> ast.Expr:
        return (
            replace(node, matchers=tuple(sorted(node.matchers))) if isinstance(node, ast.Selector) else node
        )

    return ast.rebuilt(expr, change)
