"""The syntax tree. Nodes are immutable; where they stand in the text does not take part in equality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from sentinel.model import Matcher

Kind = Literal["scalar", "instant vector", "range vector", "string"]
"""What an expression evaluates to, in the words of Prometheus's error messages."""

At = int | Literal["start", "end"] | None
"""The `@` modifier: a time in ms, an end of the query's time range, or none."""

COMPARISONS: Final = frozenset(("==", "!=", ">", "<", ">=", "<="))
SET_OPERATORS: Final = frozenset(("and", "or", "unless"))
PARAMETRIC: Final = frozenset(("topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"))
AGGREGATORS: Final = PARAMETRIC | {"sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"}


@dataclass(frozen=True, slots=True)
class Expr:
    """Base of all nodes. `span` is the half-open range of character offsets the node covers."""

    span: tuple[int, int] = field(default=(0, 0), compare=False, kw_only=True)

    @property
    def kind(self) -> Kind:
        raise NotImplementedError

    def children(self) -> Iterator[Expr]:
        yield from ()


@dataclass(frozen=True, slots=True)
class Number(Expr):
    value: float
    duration: bool = False
    """Written as a duration (`5m`), which stands for seconds."""

    @property
    def kind(self) -> Kind:
        return "scalar"


@dataclass(frozen=True, slots=True)
class Text(Expr):
    value: str

    @property
    def kind(self) -> Kind:
        return "string"


@dataclass(frozen=True, slots=True)
class Selector(Expr):
    """`name{matchers} @ at offset offset_ms`; `matchers` hold the name too."""

    name: str
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: At = None

    @property
    def kind(self) -> Kind:
        return "instant vector"


@dataclass(frozen=True, slots=True)
class Range(Expr):
    """`selector[range_ms]`; `@` and `offset` are kept in the selector."""

    selector: Selector
    range_ms: int

    @property
    def kind(self) -> Kind:
        return "range vector"

    def children(self) -> Iterator[Expr]:
        yield self.selector


@dataclass(frozen=True, slots=True)
class Subquery(Expr):
    """`expr[range_ms:step_ms]`; a step of 0 stands for the evaluator's default."""

    expr: Expr
    range_ms: int
    step_ms: int = 0
    offset_ms: int = 0
    at: At = None

    @property
    def kind(self) -> Kind:
        return "range vector"

    def children(self) -> Iterator[Expr]:
        yield self.expr


@dataclass(frozen=True, slots=True)
class Call(Expr):
    function: str
    args: tuple[Expr, ...]
    returns: Kind

    @property
    def kind(self) -> Kind:
        return self.returns

    def children(self) -> Iterator[Expr]:
        yield from self.args


@dataclass(frozen=True, slots=True)
class Aggregation(Expr):
    """`op by|without (labels) (param, expr)`; `param` is None for operators that take none."""

    op: str
    expr: Expr
    param: Expr | None = None
    labels: tuple[str, ...] = ()
    without: bool = False

    @property
    def kind(self) -> Kind:
        return "instant vector"

    def children(self) -> Iterator[Expr]:
        if self.param is not None:
            yield self.param
        yield self.expr


@dataclass(frozen=True, slots=True)
class Matching:
    """How the elements of two vectors find each other."""

    on: bool = False
    labels: tuple[str, ...] = ()
    group: Literal["", "left", "right"] = ""
    """Which side may have many elements per match; empty: neither."""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    op: str
    left: Expr
    right: Expr
    return_bool: bool = False
    matching: Matching = Matching()

    @property
    def kind(self) -> Kind:
        return "scalar" if self.left.kind == self.right.kind == "scalar" else "instant vector"

    def children(self) -> Iterator[Expr]:
        yield self.left
        yield self.right


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    op: Literal["+", "-"]
    expr: Expr

    @property
    def kind(self) -> Kind:
        return self.expr.kind

    def children(self) -> Iterator[Expr]:
        yield self.expr


@dataclass(frozen=True, slots=True)
class Paren(Expr):
    expr: Expr

    @property
    def kind(self) -> Kind:
        return self.expr.kind

    def children(self) -> Iterator[Expr]:
        yield self.expr


def walk(expr: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    yield expr
    for child in expr.children():
        yield from walk(child)


def bare(expr: Expr) -> Expr:
    """The expression without parentheses around it."""
    while isinstance(expr, Paren):
        expr = expr.expr
    return expr
