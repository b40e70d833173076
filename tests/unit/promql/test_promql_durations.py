"""Computed durations: how they parse, what they are worth in a query, and which are worth nothing."""

from __future__ import annotations

import pytest

from sentinel.errors import QueryError
from sentinel.promql import ast, parse, to_text
from sentinel.promql.durations import resolved

START, END, STEP = 1_000_000, 1_060_000, 5000
"""A range query of one minute, every five seconds."""

RANGES = [
    # range, ms known without a query, ms in that query
    ("5m", 300_000, 300_000),
    ("1h / 2", 1_800_000, 1_800_000),
    ("24m + ((1.5 * 2m) + 2m)", 1_740_000, 1_740_000),
    ("30m1s - 30m1s % 1m", 1_800_000, 1_800_000),
    ("-5m + 35m", 1_800_000, 1_800_000),
    ("2 ^ 3 ^ 2", 512_000, 512_000),
    ("10 - -2 ^ 2", 14_000, 14_000),
    ("10 - 4 - 3", 3000, 3000),
    ("(2.0005)", 2000, 2000),
    ("step()", 0, 5000),
    ("1 + (STep() - 4) * 2", 0, 3000),
    ("range() / 2", 0, 30_000),
    ("min_of(range(), 8s)", 0, 8000),
    ("max_of(min_of(2, 3), 1)", 2000, 2000),
    ("-(-step())", 0, 5000),
]


@pytest.mark.parametrize(("length", "known_ms", "query_ms"), RANGES)
def test_ranges(length: str, known_ms: int, query_ms: int) -> None:
    matrix = parse(
        f"a[{length}]",
    )
    assert isinstance(matrix, ast.Range)
    assert matrix.range_ms == known_ms
    assert in_query(matrix) == ast.Range(matrix.selector, query_ms)
    subquery = parse(f"sum(a)[{length}:{length}]")
    assert isinstance(subquery, ast.Subquery)
    assert (subquery.range_ms, subquery.step_ms) == (known_ms, known_ms)
    assert in_query(subquery) == ast.Subquery(subquery.expr, query_ms, query_ms)


OFFSETS = [
    # query, what it is, offset in the query
    ("a offset 100 + 2", "(a offset 1m40s) + 2", 100_000),
    ("a offset (100 + 2)", "a offset (100 + 2)", 102_000),
    ("a offset -2 ^ 2", "(a offset -2s) ^ 2", -2000),
    ("a offset (-2 ^ 2)", "a offset (-2 ^ 2)", -4000),
    ("a offset -step() * 2", "(a offset -step()) * 2", -5000),
    ("a offset (-step() * 2)", "a offset (-step() * 2)", -10_000),
    ("a offset -(1 + 1) - 3", "(a offset -(1 + 1)) - 3", -2000),
    ("a offset +(1) + 3", "(a offset (1)) + 3", 1000),
    ("a offset (1) + 3", "a offset (1) + 3", 4000),
    ("a offset - - 2 * 3", "a offset (2 * 3)", 6000),
    ("a offset - + step() ^ 0", "a offset (-step() ^ 0)", -1000),
    ("a offset - -step() ^ 0", "a offset --step() ^ 0", 1000),
    ("a offset -min_of(step(), 1s) ^ 0", "(a offset -min_of(step(), 1s)) ^ 0", -1000),
    ("a offset range()", "a offset range()", 60_000),
]


@pytest.mark.parametrize(("query", "meant", "offset_ms"), OFFSETS)
def test_where_an_offset_ends(query: str, meant: str, offset_ms: int) -> None:
    tree = parse(query)
    bound = ast.rebuilt(parse(meant), ast.bare)
    assert tree == bound
    (selector,) = (node for node in ast.walk(in_query(tree)) if isinstance(node, ast.Selector))
    assert (selector.offset_ms, selector.offset_expr) == (offset_ms, None)


WORTHLESS = [
    ("a[5m - 10m]", "2:10: duration must be greater than 0"),
    ("a[(5m - 10m)]", "3:11: duration must be greater than 0"),
    ("a[5m:step() - 10]", "5:16: duration must be greater than 0"),
    ("a[5m / (1 - 1)]", "2:14: division by zero"),
    ("a offset (5m % (step() - 5))", "10:27: modulo by zero"),
    ("a[0 ^ -1]", "2:8: duration is NaN or infinite"),
    ("a[(-1) ^ 0.5]", "2:12: duration is NaN or infinite"),
    ("a[10 ^ 500]", "2:10: duration is NaN or infinite"),
    ("a[max_of(1, (-1) ^ 0.5)]", "2:23: duration is NaN or infinite"),
    ("a offset (9e9 * 2)", "10:17: duration is out of range"),
]


@pytest.mark.parametrize(("query", "message"), WORTHLESS)
def test_worthless_durations_parse_and_fail_in_the_query(query: str, message: str) -> None:
    tree = parse(query)
    assert parse(to_text(tree)) == tree
    with pytest.raises(QueryError) as caught:
        in_query(tree)
    assert str(caught.value) == message
    assert caught.value.kind == "bad_data"


def test_an_instant_query_has_no_step_and_no_range() -> None:
    at = {"start_ms": END, "end_ms": END, "step_ms": 0}
    assert resolved(parse("a offset range()"), **at) == parse("a")
    with pytest.raises(QueryError, match="greater than 0"):
        resolved(parse("rate(a[step()])"), **at)


def test_every_place_is_computed_and_what_is_computed_stays() -> None:
    tree = parse(
        "topk(scalar(-x), sum(rate(a[step()] offset (1))) + b offset (step()))[1m:step()] offset (2)"
    )
    done = in_query(tree)
    assert done == parse("topk(scalar(-x), sum(rate(a[5s] offset 1)) + b offset 5)[1m:5] offset 2")
    assert in_query(done) is done
    assert [node.span for node in ast.walk(done)] == [node.span for node in ast.walk(tree)]


def in_query(tree: ast.Expr) -> ast.Expr:
    return resolved(tree, start_ms=START, end_ms=END, step_ms=STEP)
