"""The syntax tree. Nodes are immutable; where they stand in the text does not take part in equality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from sentinel.model import Matcher

Kind = Literal["scalar", "instant vector", "range vector", "string"]
"""What an expression evaluates to, in the words of Prometheus's error messages."""

At = int | Literal["start", "end"] | None
"""The `@` modifier: a time in ms, an end of the query's time range, or none."""

Extended = Literal["", "anchored", "smoothed"]
"""How a selector treats the borders of its range."""

COMPARISONS: Final = frozenset(("==", "!=", ">", "<", ">=", "<="))
TRIMS: Final = frozenset(("</", ">/"))
"""Operators that cut the observations above or below a bound off a native histogram."""
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
    """`name{matchers} extended @ at offset offset_ms`; `matchers` hold the name too, as the last.

    `offset_expr` is an offset written as a computation (see `Range`).
    """

    name: str
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: At = None
    extended: Extended = ""
    offset_expr: Expr | None = None

    @property
    def kind(self) -> Kind:
        return "instant vector"


@dataclass(frozen=True, slots=True)
class Range(Expr):
    """`selector[range_ms]`; `@`, `offset` and `anchored` are kept in the selector.

    A range written as a computation, `[2 * step()]`, is in `range_expr` too: a tree of numbers, parentheses,
    arithmetic and the calls `step`, `range`, `min_of` and `max_of`, in seconds. Then `range_ms` is its value
    if that is the same for every query, else 0; `durations.resolved` computes it for one query.
    """

    selector: Selector
    range_ms: int
    range_expr: Expr | None = None

    @property
    def kind(self) -> Kind:
        return "range vector"

    def children(self) -> Iterator[Expr]:
        yield self.selector


@dataclass(frozen=True, slots=True)
class Subquery(Expr):
    """`expr[range_ms:step_ms]`; step 0 is the evaluator's default. For `..._expr` see `Range`."""

    expr: Expr
    range_ms: int
    step_ms: int = 0
    offset_ms: int = 0
    at: At = None
    range_expr: Expr | None = None
    step_expr: Expr | None = None
    offset_expr: Expr | None = None

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
    fill_left: float | None = None
    """What stands for an element of the left side that a match lacks; None: there is no result then."""
    fill_right: float | None = None


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    op: str
    left: Expr
    right: Expr
    return_bool: bool = False
    matching: Matching = Matching()

    @property
    def kind(self) -> Kind:
        # The right side first: chains are deep on the left.
        return "scalar" if self.right.kind == "scalar" == self.left.kind else "instant vector"

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
    """The node and everything below it, parents first. Computed durations are no part of it."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(tuple(node.children())))


_PARTS: Final[dict[type[Expr], tuple[str, ...]]] = {
    Range: ("selector",),
    Subquery: ("expr",),
    Aggregation: ("param", "expr"),
    Binary: ("left", "right"),
    Unary: ("expr",),
    Paren: ("expr",),
}


def rebuilt(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The tree with each node, children first, replaced by what `change` makes of it.

    Where it gives back what it was given, the tree's own objects stay.
    """
    changed: dict[str, Any] = {}
    if isinstance(expr, Call):
        args = tuple([rebuilt(arg, change) for arg in expr.args])
        if any(new is not old for new, old in zip(args, expr.args, strict=True)):
            changed["args"] = args
    for part in _PARTS.get(type(expr), ()):
        old = getattr(expr, part)
        if old is not None and (new := rebuilt(old, change)) is not old:
            changed[part] = new
    return change(replace(expr, **changed) if changed else expr)


def bare(expr: Expr) -> Expr:
    """The expression without parentheses around it."""
    while isinstance(expr, Paren):
        expr = expr.expr
    return expr
