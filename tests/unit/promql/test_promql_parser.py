"""The parser: what it makes of queries, what it refuses, where and in which words; and the printer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import promql_parser
import pytest

from sentinel.errors import QueryError
from sentinel.model import Matcher
from sentinel.promql import ast, parse, to_text

REFUSED = [
    # query, position, message
    ("", 0, "1:1: parse error: no expression found in input"),
    (
        "rate(x)",
        5,
        '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
    ),
    ("foo(x)", 0, '1:1: parse error: unknown function with name "foo"'),
    (
        "sum(x[5m])",
        4,
        "1:5: parse error: expected type instant vector in aggregation expression, got range vector",
    ),
    ("1 == 1", 2, "1:3: parse error: comparisons between scalars must use BOOL modifier"),
    ("a + bool b", 2, "1:3: parse error: bool modifier can only be used on comparison operators"),
    ("a and 1", 0, '1:1: parse error: set operator "and" not allowed in binary scalar expression'),
    ("a and on(x) group_left b", 0, '1:1: parse error: no grouping allowed for "and" operation'),
    (
        "a + on(x) group_left(x) b",
        2,
        '1:3: parse error: label "x" must not occur in ON and GROUP clause at once',
    ),
    ("{}", 0, "1:1: parse error: vector selector must contain at least one non-empty matcher"),
    ('a{__name__="b"}', 0, '1:1: parse error: metric name must not be set twice: "a" or "b"'),
    ("a offset 5m offset 1m", 0, "1:1: parse error: offset may not be set multiple times"),
    ("sum(x)[5m]", 6, "1:7: parse error: ranges only allowed for vector selectors"),
    ("a offset 1m[5m]", 11, "1:12: parse error: no offset modifiers allowed before range"),
    ("a[0]", 2, "1:3: parse error: duration must be greater than 0"),
    ("a[5m", 4, '1:5: parse error: unexpected end of input in subquery or range, expected ":" or "]"'),
    ("sum(\n  a b)", 9, '2:5: parse error: unexpected identifier "b"'),
    ("(a", 2, "1:3: parse error: unclosed left parenthesis"),
    ("a)", 1, "1:2: parse error: unexpected right parenthesis ')'"),
    (
        "topk(a)",
        0,
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
    ),
    ("clamp(a, 1)", 0, '1:1: parse error: expected 3 argument(s) in call to "clamp", got 2'),
    ("round(a, 1, 2)", 0, '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'),
    (
        'label_join(a, "b")',
        0,
        '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 2',
    ),
    ("abs(a,)", 5, "1:6: parse error: trailing commas not allowed in function call args"),
    ('a{b=~"("}', 2, "1:3: parse error: "),
    ('a{b="c}', 4, "1:5: parse error: unterminated quoted string"),
    ("1x", 0, '1:1: parse error: bad number or duration syntax: "1x"'),
    ("a[1d400000000h]", 2, "1:3: parse error: duration out of range"),
    ("-" * 500 + "1", -1, ""),
    ("(" * 500 + "1" + ")" * 500, -1, ""),
    ("a ~ b", 2, "1:3: parse error: unexpected character: '~'"),
]


@pytest.mark.parametrize(("query", "position", "message"), REFUSED, ids=[row[0][:20] for row in REFUSED])
def test_refused(query: str, position: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert caught.value.kind == "bad_data"
    assert str(caught.value).startswith(message)
    assert position in (-1, caught.value.position)


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
]


@pytest.mark.parametrize(("query", "tree"), TREES, ids=[row[0] for row in TREES])
def test_trees(query: str, tree: ast.Expr) -> None:
    assert parse(query) == tree


PRINTED = [
    "a[5m] @ 1.500 offset -1h30m",
    "rate(a[5m:])[1h:30s] @ end() offset 5m",
    'sum without (b) (a) / on (c) group_left (d, "e f") b',
    "a > bool ignoring () group_right () b",
    'count_values("v", a) or -(b + 1) unless c',
    'a{b=~"c\\\\d",e!="\\"\\n"}',
    "quantile by (a) (0.00000001, b) ^ -1e30",
    'label_replace(a, "\\xff", "", "", "")',
    "NaN + -Inf + +Inf * 1234567890123456789012345",
]


@pytest.mark.parametrize("query", PRINTED)
def test_print_round_trip(query: str) -> None:
    once = to_text(parse(query))
    assert to_text(parse(once)) == once
    if "NaN" not in query:
        assert parse(once) == parse(query)


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
            tree = parse(query)
            assert parse(to_text(tree)) == tree, query
            assert _accepts(promql_parser.parse, to_text(tree)), to_text(tree)


def test_refusals_in_prometheus_words(conformance: Callable[[str], Path]) -> None:
    for rule in json.loads(conformance("rules-corpus/rejected_by_prometheus.json").read_text()):
        with pytest.raises(QueryError) as caught:
            parse(rule["expr"])
        assert str(caught.value) == rule["prometheus_error"]


def _accepts(parser: Callable[[str], object], query: str) -> bool:
    try:
        parser(query)
    except (QueryError, ValueError):
        return False
    return True


def test_parsing_compiles_nothing() -> None:
    code = "import sys, sentinel.promql as p; p.parse('rate(a[5m])'); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
