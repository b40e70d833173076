"""The parser: what it makes of queries."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import promql_parser
import pytest

from sentinel.errors import QueryError
from sentinel.model import Matcher
from sentinel.promql import ast, parse, to_text


def named(name: str) -> ast.Selector:
    return ast.Selector(name, (Matcher("__name__", "=", name),))


A, B, C, D = map(named, "abcd")

TREES = [
    ("1_000 + 0x1F", ast.Binary("+", ast.Number(1000), ast.Number(31))),
    ("-1 ^ 2", ast.Unary("-", ast.Binary("^", ast.Number(1), ast.Number(2)))),
    ("2 ^ 3 ^ 2", ast.Binary("^", ast.Number(2), ast.Binary("^", ast.Number(3), ast.Number(2)))),
    ("1 - 2 - 3", ast.Binary("-", ast.Binary("-", ast.Number(1), ast.Number(2)), ast.Number(3))),
    ("5m", ast.Number(300, duration=True)),
    ("INF", ast.Number(float("inf"))),
    ("offset", ast.Selector("offset", (Matcher("__name__", "=", "offset"),))),
    ('{"a b"}', ast.Selector("", (Matcher("__name__", "=", "a b"),))),
    ('a{"x y"="z"}', ast.Selector("a", (Matcher("x y", "=", "z"), Matcher("__name__", "=", "a")))),
    (r'"\x41é\n"', ast.Text("Aé\n")),
    (r"`\n`", ast.Text(r"\n")),
    ("a </ 1", ast.Binary("</", A, ast.Number(1))),
    ("a > b >/ c == d", ast.Binary("==", ast.Binary(">/", ast.Binary(">", A, B), C), D)),
    ("fill + fill_left", ast.Binary("+", named("fill"), named("fill_left"))),
    ("a anchored", replace(A, extended="anchored")),
    ("a[5m] SMOOTHED @ 1", ast.Range(replace(A, extended="smoothed", at=1000), 300_000)),
    ("a[90]", ast.Range(A, 90_000)),
    ("a offset -0.0019", replace(A, offset_ms=-1)),
    ("a @ -0.0006", replace(A, at=-1)),
    ("1 + on () a", ast.Binary("+", ast.Number(1), A)),
    ("sum by (by, on, 'in f') (a)", ast.Aggregation("sum", A, None, ("by", "on", "in f"))),
    ("limitk(1, a)", ast.Aggregation("limitk", A, ast.Number(1))),
    ("0777 + 08 + .5e1", ast.Binary("+", ast.Binary("+", ast.Number(511), ast.Number(8)), ast.Number(5))),
]

FILLS = [
    ("fill (1)", 1, 1),
    ("fill_left(-1m)", -60, None),
    ("fill_right (+2)", None, 2),
    ("fill_right(inf) fill_left(0)", 0, float("inf")),
]


@pytest.mark.parametrize(("text", "left", "right"), FILLS)
def test_fills(text: str, left: float | None, right: float | None) -> None:
    matching = ast.Matching(True, ("x",), "left", (), left, right)
    assert parse(f"a + on (x) group_left {text} b") == ast.Binary("+", A, B, matching=matching)


@pytest.mark.parametrize(("query", "tree"), TREES, ids=[row[0] for row in TREES])
def test_trees(query: str, tree: ast.Expr) -> None:
    assert parse(query) == tree


def test_spans_cover_the_text() -> None:
    query = "sum by (a) (rate(b{c='d'}[5m] offset 1m)) > 2"
    found = {type(node).__name__: query[slice(*node.span)] for node in ast.walk(parse(query))}
    assert found == {
        "Binary": query,
        "Aggregation": "sum by (a) (rate(b{c='d'}[5m] offset 1m))",
        "Call": "rate(b{c='d'}[5m] offset 1m)",
        "Range": "b{c='d'}[5m] offset 1m",
        "Selector": "b{c='d'}",
        "Number": "2",
    }


def test_published_rules(conformance: Callable[[str], Path]) -> None:
    """Of all rules of 16 public sources exactly those are accepted that another parser accepts."""
    rules = json.loads(conformance("rules-corpus/index.json").read_text())
    verdicts = {rule["expr"]: rule["accepted_by_prometheus"] for rule in rules}
    assert len(rules) > 4000
    for query, accepted in verdicts.items():
        assert _accepts(parse, query) == _accepts(promql_parser.parse, query) == accepted, query
        if accepted:
            assert _accepts(promql_parser.parse, to_text(parse(query))), query


def _accepts(parser: Callable[[str], object], query: str) -> bool:
    try:
        parser(query)
    except (QueryError, ValueError):
        return False
    return True


def test_parsing_compiles_nothing() -> None:
    code = "import sys, sentinel.promql as p; p.parse('rate(a[5m])'); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
