"""Random syntax trees, such as the parser makes them: for properties of printers and of the parser."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sentinel.model import Matcher
from sentinel.promql import ast

NAMES = st.sampled_from(("a", "up", "sum", "by", "fill", "offset", "and", "start", "step", "job:x:rate5m"))
LABELS = st.sampled_from(("job", "on", "without", "inf", "a b", "é", "le", "__type__"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=5)
NUMBERS = st.floats(allow_nan=False) | st.integers(-100, 100).map(float)
SECONDS = st.integers(1, 10**6)


@st.composite
def selectors(draw: st.DrawFn) -> ast.Selector:
    name, free = (
        draw(NAMES),
        draw(st.lists(st.tuples(LABELS, st.sampled_from(("=", "!=")), TEXTS), max_size=2)),
    )
    return ast.Selector(
        name,
        (*(Matcher(*each) for each in free), Matcher("__name__", "=", name)),
        at=draw(st.sampled_from((None, "start", "end", 1500, -1, 2**40 + 1))),
        extended=draw(st.sampled_from(("", "anchored", "smoothed"))),
        **draw(lengths("offset", negative=True)),
    )


def lengths(name: str, *, negative: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """A length that is a number, or one that is computed and depends on the query."""
    numbers = st.integers(-(10**9), 10**9) if negative else st.integers(1, 10**9)
    computed = st.recursive(
        st.just(ast.Call("step", (), "scalar")) | st.just(ast.Call("range", (), "scalar")),
        lambda inner: (
            st.builds(ast.Binary, st.sampled_from("+-*/%^"), enclosed(inner), enclosed(inner))
            | st.builds(lambda x: ast.Unary("-", x), enclosed(inner))
            | st.builds(lambda x, y: ast.Call("min_of", (x, y), "scalar"), inner, inner)
        ),
        max_leaves=3,
    )
    return st.builds(lambda ms: {f"{name}_ms": ms}, numbers) | st.builds(
        lambda expr: {f"{name}_ms": 0, f"{name}_expr": expr}, enclosed(computed)
    )


def enclosed(inner: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
    """In parentheses, where operators around it would change its meaning: a computed offset takes them in."""
    return inner.map(lambda expr: expr if _is_firm(expr) else ast.Paren(expr))


def _is_firm(expr: ast.Expr) -> bool:
    return isinstance(expr, ast.Call) or (isinstance(expr, ast.Selector) and expr.offset_expr is None)


def ranges(inner: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
    of_selector = st.builds(lambda s, r: ast.Range(s, **r), selectors(), lengths("range"))
    parts = st.tuples(*(lengths(name, negative=name == "offset") for name in ("range", "step", "offset")))
    of_vector = st.builds(lambda e, p: ast.Subquery(e, **p[0], **p[1], **p[2]), enclosed(inner), parts)
    return st.builds(lambda arg: ast.Call("rate", (arg,), "instant vector"), of_selector | of_vector)


@st.composite
def binaries(draw: st.DrawFn, inner: st.SearchStrategy[ast.Expr]) -> ast.Binary:
    op = draw(st.sampled_from(("+", "/", "^", "atan2", ">", "</", ">/", "or")))
    labels = draw(st.lists(LABELS, unique=True, max_size=2).map(tuple))
    fill = st.none() | NUMBERS if op != "or" else st.none()
    group = draw(st.sampled_from(("", "left", "right"))) if op != "or" else ""
    on = draw(st.booleans())
    include = ("x",) if group and draw(st.booleans()) else ()
    matching = ast.Matching(on, labels, group, include, draw(fill), draw(fill))
    left, right = draw(enclosed(inner)), draw(enclosed(inner))
    return ast.Binary(op, left, right, op == ">" and draw(st.booleans()), matching)


def vectors(inner: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
    by = st.lists(LABELS, max_size=2).map(tuple)
    topk = st.builds(lambda k, e, by: ast.Aggregation("topk", e, ast.Number(k), by, True), NUMBERS, inner, by)
    counted = st.builds(lambda t, e: ast.Aggregation("count_values", e, ast.Text(t)), TEXTS, inner)
    negated = enclosed(inner).map(lambda expr: ast.Unary("-", expr))
    scaled = st.builds(lambda k, e: ast.Binary("*", ast.Number(k), e), NUMBERS, enclosed(inner))
    return topk | counted | negated | scaled | binaries(inner) | ranges(inner)


def expressions() -> st.SearchStrategy[ast.Expr]:
    return st.recursive(selectors(), vectors, max_leaves=6)
