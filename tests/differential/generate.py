"""Random expressions by seed, over all of the grammar; most of them right, a few of them ill-typed.

What Prometheus 2.42 and 3 answer differently, and is therefore not asked of 2.42:

- samples and steps exactly one range ago (see `selecting`);
- `holt_winters`, renamed; all functions that came later;
- sums of numbers of very different size, compensated in 3: operands are `tame`;
- the order of series that `topk` finds equal: it ranks a metric whose values all differ;
- `rate` and `increase` of what begins near zero, where 2.42 goes less far back: counters are high for it;
- `stddev` and `stdvar` of a single NaN, 0 in 2.42, and of large numbers, imprecise there: asked of `SMALL`;
- `avg_over_time` and the like of a mean of zero, where 2.42 leaves a rounding error: see `_plain`;
- `count_values by`, which in 2.42 loses labels from the second step on, and `count_values` of a sum of -0;
- `predict_linear` over a range with `@`, whose window 2.42 moves;
- `histogram_quantile` at ranks that are just the end of a bucket, where 2.42 answers by rounding errors;
- comparisons with several matches, an error in 3 even where all but one are filtered out;
- `absent` of two matchers for one label (of 3, only if `=` comes first: else it depends on the order in which
  the database has put them);
- subqueries shorter than their step, for which 2.42 takes a step after their end;
- `atan2`, after which 2.42 keeps the name;
- `.` in a regex and newlines: no label has one.

Of neither is asked what depends on the processor: what day NaN is, the logarithm of a subnormal number. Nor
what Prometheus gets wrong: `timestamp(x offset 5m @ 1)` passes over the offset, and `predict_linear` over a
subquery with `@` finds nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.differential import clauses, words
from tests.differential.selecting import ALL, COUNTERS, SMALL, TAME, Selecting, Want, quoted
from tests.differential.tree import Kind, Node, node

ANY: Final = Want()


class Generator:
    """Expressions for data that ends at `end_ms`; `modern`: for a Prometheus 3."""

    def __init__(self, seed: int, end_ms: int, *, modern: bool = False) -> None:
        self.chance = random.Random(f"expressions {seed}")
        self._select = Selecting(self.chance, end_ms, modern=modern)
        self._modern = modern

    def expression(self, depth: int = 4) -> Node:
        draw = self.chance.random()
        if draw < 0.06:
            return self.scalar(depth, ANY)
        if draw < 0.09:
            return self.matrix(depth, ANY)
        if draw < 0.1:
            return node("string", quoted(self.chance, self.chance.choice(("", "a\n", "é\\"))))
        return self.vector(depth, ANY)

    def vector(self, depth: int, want: Want) -> Node:
        if self.chance.random() < 0.01:
            return self._ill_typed(depth)
        if depth <= 0 or self.chance.random() < 0.15:
            return self._select.selector(self._select.names(want))
        makers: tuple[tuple[int, Callable[[int, Want], Node]], ...] = (
            (6, self._call),
            (8, self._over_range),
            (8, self._aggregation),
            (8, self._binary),
            (3, self._relabelled),
            (2, self._quantile),
            (2, self._small),
        )
        (make,) = self.chance.choices([each for _, each in makers], [weight for weight, _ in makers])
        return make(depth - 1, want)

    def scalar(self, depth: int, want: Want) -> Node:
        draw = self.chance.random()
        if depth <= 0 or draw < 0.6:
            odd = not want.tame and self.chance.random() < 0.15
            return node("scalar", self.chance.choice(words.ODD_NUMBERS if odd else words.NUMBERS))
        if draw < 0.7:
            return node("scalar", self.chance.choice(("time()", "(time() - 3)")))
        if draw < 0.8:
            return node("scalar", "scalar(", self.vector(depth - 1, want), ")")
        if draw < 0.85:
            return node("scalar", "-(", self.scalar(depth - 1, want), ")")
        operators = ("+", "-", "*") if want.exact or want.tame else ("+", "-", "*", "/", "%", "^")
        operator = self.chance.choice((*operators, "== bool", "< bool"))
        inner = want.jumps()
        left, right = self.scalar(depth - 1, inner), self.scalar(depth - 1, inner)
        return node("scalar", "(", left, f" {operator} ", right, ")")

    def matrix(self, depth: int, want: Want) -> Node:
        if depth > 0 and self.chance.random() < 0.25:
            return self._select.subquery(self.vector(depth - 1, want))
        return self._select.range(self._select.names(want))

    def _plain(self, depth: int, want: Want) -> Node:
        """A range of what is not below zero, for 2.42: there the mean of -1, 0 and 1 need not be 0."""
        if self._modern:
            return self.matrix(depth, want)
        if self.chance.random() < 0.7:
            return self._select.range(TAME)
        return self._select.subquery(clauses.grouped(self.chance, "sum", self._select.selector(TAME)))

    def _call(self, depth: int, want: Want) -> Node:
        """A function of a vector's values."""
        kinds = ("jump", "clamp", "round", "calendar", "minus")
        rough = ("timestamp", "smooth", "logarithm", "trigonometry")
        kind = self.chance.choice(kinds if want.exact else (*kinds, *rough))
        if kind in ("clamp", "round"):
            return self._with_scalars(kind, depth, want)
        if kind == "timestamp":
            selector = self._select.selector(ALL, modifiers=1)
            return node("vector", "timestamp(", self.chance.choice((selector, self._call(depth, ANY))), ")")
        if kind == "minus":
            return node("vector", "-(", self.vector(depth, want), ")")
        if kind == "calendar":
            return self._calendar()
        names = {
            "jump": words.JUMPING,
            "smooth": words.SMOOTH,
            "logarithm": words.LOGARITHMS,
            "trigonometry": words.TRIGONOMETRY,
        }
        inner = want if kind == "smooth" else want.jumps()
        if kind == "trigonometry":
            inner = inner.sums()
        return node("vector", self.chance.choice(names[kind]), "(", self.vector(depth, inner), ")")

    def _calendar(self) -> Node:
        """Of the evaluation's time or of plain numbers."""
        name, selector = self.chance.choice(words.CALENDAR), self._select.selector(("memory",), modifiers=1)
        day = node("vector", "(", selector, " * 1e3)")
        inner = self.chance.choice(
            (node("modifier", ""), selector, day, node("vector", "timestamp(", selector, ")"))
        )
        return node("vector", name, "(", inner, ")")

    def _with_scalars(self, kind: str, depth: int, want: Want) -> Node:
        if kind == "round":
            nearest = self.chance.choice(("", ", 5", ", 0.5", ", 10"))
            return node("vector", "round(", self.vector(depth, want.jumps().sums()), nearest, ")")
        name = self.chance.choice(("clamp", "clamp_min", "clamp_max"))
        limits = [self.scalar(depth - 1, want.jumps()) for _ in range(2 if name == "clamp" else 1)]
        parts = [part for limit in limits for part in (", ", limit)]
        return node("vector", name, "(", self.vector(depth, want.jumps()), *parts, ")")

    def _over_range(self, depth: int, want: Want) -> Node:
        """A function of a range's samples."""
        sums = want.sums()
        draw = self.chance.random()
        if draw < 0.05:
            return node("vector", "absent_over_time(", self.matrix(depth, ANY), ")")
        if not want.exact and draw < 0.5:
            name = self.chance.choice(words.ROUGH_RANGES)
            counted = name in ("rate", "increase") and (not self._modern or self.chance.random() < 0.5)
            inner = self._select.range(COUNTERS) if counted else self._plain(depth, sums.jumps())
            suffix = "_over_time" if name in ("avg", "stddev", "stdvar") else ""
            return node("vector", f"{name}{suffix}(", inner, ")")
        if not want.exact and draw < 0.6:
            if draw < 0.55:
                rank, inner = self.chance.choice(words.RANKS), self.matrix(depth, sums.jumps())
                return node("vector", f"quantile_over_time({rank}, ", inner, ")")
            inner = self._select.range(TAME, modifiers=2 if self._modern else 0)
            return node("vector", "predict_linear(", inner, f", {self.chance.choice(words.NUMBERS)})")
        name = self.chance.choice(words.EXACT_RANGES)
        suffix = "" if name in ("changes", "resets", "idelta") else "_over_time"
        return node("vector", f"{name}{suffix}(", self.matrix(depth, sums.jumps()), ")")

    def _aggregation(self, depth: int, want: Want) -> Node:
        sums, draw = want.sums(), self.chance.random()
        if draw < 0.1:
            inner = self._select.selector(("memory",))
            return clauses.grouped(
                self.chance, self.chance.choice(("topk", "bottomk")), inner, self.chance.choice(words.NUMBERS)
            )
        if draw < 0.17:
            inner = self.vector(depth, sums.jumps()) if self._modern else self._select.selector(TAME)
            label = quoted(self.chance, self.chance.choice(words.LABELS))
            return clauses.grouped(self.chance, "count_values", inner, label, without=not self._modern)
        if draw < 0.27 and not want.exact:
            return clauses.grouped(
                self.chance, "quantile", self.vector(depth, sums), self.chance.choice(words.RANKS)
            )
        exact, rough = ("sum", "sum", "min", "max", "count", "group"), ("avg", "avg", "stddev", "stdvar")
        name = self.chance.choice(exact if want.exact else (*exact, *rough))
        if name in ("stddev", "stdvar") and not self._modern:
            return clauses.grouped(self.chance, name, self._select.selector(SMALL))
        inner = self.vector(depth, sums.jumps() if name in rough else sums)
        return clauses.grouped(self.chance, name, inner)

    def _binary(self, depth: int, want: Want) -> Node:
        draw = self.chance.random()
        if draw < 0.2:
            operator = self.chance.choice(words.SETS)
            return clauses.between(self.chance, operator, self.vector(depth, want), self.vector(depth, want))
        if draw < 0.5:
            operator = self.chance.choice(words.COMPARISONS) + self.chance.choice(("", "", " bool"))
            inner = want.jumps()
            if operator in words.COMPARISONS and not self._modern:
                return self._filter(operator, depth, inner)
        else:
            rough = ("/", "%", "^", *(("atan2",) if self._modern else ()))
            steady = want.exact or want.tame
            operator = self.chance.choice(("+", "-", "*", *(() if steady else rough)))
            inner = want if operator in ("*", "/") else want.jumps()
        left, right = self.vector(depth, inner), self.vector(depth, inner)
        sided = self.chance.random()
        if sided < 0.2:
            right = self.scalar(depth - 1, inner)
        elif sided < 0.35:
            left = self.scalar(depth - 1, inner)
        else:
            return clauses.between(self.chance, operator, *self._pair(left, right))
        return node("vector", "(", left, f" {operator} ", right, ")")

    def _filter(self, operator: str, depth: int, want: Want) -> Node:
        """A comparison whose sides have each label set once."""
        labels = clauses.labels(self.chance)
        sides = [node("vector", f"max by ({labels}) (", self.vector(depth, want), ")") for _ in range(2)]
        return node("vector", "(", sides[0], f" {operator} on ({labels}) ", sides[1], ")")

    def _pair(self, left: Node, right: Node) -> tuple[Node, Node]:
        """Two sides; often metrics that have labels in common instead."""
        if self.chance.random() < 0.5:
            names = ("level", "limit", "target_info")
            left = self._select.selector(names)
            right = self._select.selector(names)
        return left, right

    def _relabelled(self, depth: int, want: Want) -> Node:
        return clauses.relabelled(self.chance, self.vector(depth, want))

    def _quantile(self, depth: int, want: Want) -> Node:
        """A quantile of a classic histogram."""
        if want.exact:
            return self._select.selector(TAME)
        buckets: Node = self._select.selector(("latency_bucket",))
        if self.chance.random() < 0.6:
            buckets = node("vector", "rate(", self._select.range(("latency_bucket",)), ")")
        if self.chance.random() < 0.5:
            kept = self.chance.choice(("le", "le, job", "job"))
            buckets = node("vector", f"sum by ({kept}) (", buckets, ")")
        rank = self.chance.choice(words.RANKS if self._modern else words.CLASSIC_RANKS)
        return node("vector", f"histogram_quantile({rank}, ", buckets, ")")

    def _small(self, depth: int, want: Want) -> Node:
        """The rest: made of a scalar, of nothing, or only put in another order."""
        kind = self.chance.choice(("vector", "absent", "sort", "sort_desc"))
        if kind == "vector":
            return node("vector", "vector(", self.scalar(depth, want), ")")
        return node("vector", kind, "(", self.vector(depth, ANY if kind == "absent" else want), ")")

    def _ill_typed(self, depth: int) -> Node:
        wrong: Kind = self.chance.choice(("scalar", "matrix", "string"))
        made = {
            "scalar": lambda: self.scalar(depth, ANY),
            "matrix": lambda: self.matrix(depth, ANY),
            "string": lambda: node("string", '"text"'),
        }[wrong]()
        return node("vector", made)
