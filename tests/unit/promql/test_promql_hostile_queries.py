"""Queries made to hurt: they end soon, in a tree that everyone may walk or in a QueryError."""

from __future__ import annotations

import time

import pytest

from sentinel.errors import QueryError
from sentinel.model import Labels
from sentinel.promql import Evaluator, ast, parse, to_text
from sentinel.promql.durations import resolved
from sentinel.promql.plan import demands
from sentinel.promql.syntax.cursor import MAX_DEPTH, MAX_NESTING
from sentinel.promql.syntax.pretty import pretty
from sentinel.promql.syntax.tree import as_json
from sentinel.store.store import Store

MANY = 1 << 20
SECONDS = 5.0
"""What a megabyte may take; usually it is a tenth of that."""

REFUSED = {
    "open parentheses": "(" * MANY,
    "nested parentheses": "(" * 10_000 + "1" + ")" * 10_000,
    "nested calls": "abs(" * 10_000 + "a" + ")" * 10_000,
    "signs": "-" * MANY + "1",
    "sum of a million": "a" + "+a" * (MANY // 2),
    "power of a million": "2" + "^2" * (MANY // 2),
    "subqueries": "a" + "[5m:]" * 100_000,
    "modifiers": "a" + " anchored" * 100_000,
    "offsets": "a" + " offset 0s" * 100_000,
    "lengths": "a[1" + "+1" * (MANY // 2) + "]",
    "parentheses in a length": "a[" + "(" * MANY,
    "signs of a length": "a offset " + "-" * MANY + "1",
    "digits": "1" * MANY,
    "digits and a letter": "1" * MANY + "x",
    "digits apart": "1_" * MANY + "x",
    "hexadecimal": "0x" + "f" * MANY,
    "octal": "0" + "7" * MANY,
    "units": "1s" * MANY + "x",
    "a long duration": "1" * MANY + "s",
    "an open string": "'" + "x" * MANY,
    "escapes": "'" + "\\n" * MANY + "\\q'",
    "comments in a comment": "#" * MANY + "\n~",
    "comments": "#\n" * MANY + "~",
    "spaces": " " * MANY + "~",
    "words": "a " * MANY,
    "regex too large": "a{b=~'" + "x" * MANY + "'}",
    "regex repeated": "a{b=~'((((x{100}){100}){100}){100})'}",
    "regex of classes": "a{b=~'" + r"\\p{L}{1,50}" * 200 + "'}",
    "NUL": "\0",
    "no UTF-8": "a{b='\udcff'}",
    "half a surrogate pair": "\ud800",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_time(name: str) -> None:
    begin = time.process_time()
    with pytest.raises(QueryError) as caught:
        parse(REFUSED[name])
    assert time.process_time() - begin < SECONDS
    assert len(str(caught.value)) < 1000
    str(caught.value).encode()


WIDE = {
    "matchers": "a{" + ",".join(f"b{i}='{i}'" for i in range(50_000)) + "}",
    "labels": "sum by (" + ",".join(f"b{i}" for i in range(50_000)) + ") (a)",
    "arguments": "label_join(a" + ",'b'" * 50_000 + ")",
    "a string": "'" + "x" * MANY + "\0'",
    "a name": "a" * MANY,
    "nested groups": "a{b=~'" + "(" * 10_000 + ")" * 10_000 + "'}",
    "a forest": "+".join(["(" + "+".join(["a"] * 100) + ")"] * 100),
}


@pytest.mark.parametrize("name", WIDE)
def test_wide_is_not_deep(name: str) -> None:
    begin = time.process_time()
    tree = parse(WIDE[name])
    assert time.process_time() - begin < SECONDS
    assert parse(to_text(tree)) == tree


def chain(op: str, count: int) -> str:
    return f" {op} ".join(["a"] * count)


DEEPEST = {
    "or": chain("or", MAX_DEPTH),
    "sum": chain("+", MAX_DEPTH),
    "power": chain("^", MAX_NESTING),
    "parentheses": "(" * (MAX_NESTING - 1) + "a" + ")" * (MAX_NESTING - 1),
    "calls": "abs(" * (MAX_NESTING - 1) + "a" + ")" * (MAX_NESTING - 1),
    "aggregations": "sum(" * (MAX_NESTING - 1) + "a" + ")" * (MAX_NESTING - 1),
    "signs": "- " * (MAX_NESTING - 1) + "a",
    "subqueries": "sum_over_time(" * 60 + "a" + "[1s:1s])" * 60,
    "chain in calls": "abs(" * 100 + chain("+", MAX_DEPTH - 100) + ")" * 100,
    "lengths": f"sum_over_time(a[{'+'.join(['1'] * MAX_DEPTH)}])",
}


@pytest.mark.parametrize("name", DEEPEST)
def test_the_deepest_trees_are_good_for_everything(name: str) -> None:
    tree = parse(DEEPEST[name])
    assert parse(to_text(tree)) == tree
    assert hash(tree) == hash(parse(pretty(tree)))
    assert as_json(tree)["type"]
    assert repr(tree)
    assert demands(tree, 300_000)
    assert resolved(tree, start_ms=0, end_ms=1, step_ms=1).kind == "instant vector"
    store = Store(retention_ms=10**6)
    store.add(Labels({"__name__": "a"}), [9000], [1.0])
    evaluator = Evaluator(store)
    assert len(evaluator.instant(evaluator.prepare(tree), 10_000)) == 1


@pytest.mark.parametrize("op", ["or", "+", "^"])
def test_one_more_is_too_deep(op: str) -> None:
    with pytest.raises(QueryError, match="levels"):
        parse(chain(op, MAX_DEPTH + 1))


def test_walking_needs_no_stack() -> None:
    tree: ast.Expr = ast.Number(1)
    for _ in range(100_000):
        tree = ast.Unary("-", tree)
    assert sum(1 for _ in ast.walk(tree)) == 100_001
    while isinstance(tree, ast.Unary):
        tree = tree.expr
