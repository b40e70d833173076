"""What holds during one evaluation: its times, its label sets, its limits, and the notes it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Bools, Int64s
from sentinel.promql import ast
from sentinel.promql.labelsets import LabelSets
from sentinel.promql.plan import Query
from sentinel.promql.syntax.lexer import line_column
from sentinel.promql.values import Vector
from sentinel.store.histograms import Histograms


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Budget:
    """What a query may take. `expired` says whether its time is over; the engine itself has no clock."""

    max_samples: int = 50_000_000
    expired: Callable[[], bool] = _never


class Run(msgspec.Struct, eq=False):
    """One instant or range query from start to end. `start_ms` equals `end_ms` in an instant query."""

    query: Query
    expr: ast.Expr
    """The query's, with all durations computed."""
    sets: LabelSets
    histograms: Histograms
    start_ms: int
    end_ms: int
    step_ms: int
    budget: Budget
    delayed_name_removal: bool
    native: bool = False
    """Whether a value may be a histogram's box: where none is known nobody need look."""
    counted: frozenset[int] = frozenset()
    """Selectors (by id) whose histograms' resets are found by comparing (see `native_hints`)."""
    samples: int = 0
    """How many have been read."""

    def spend(self, samples: int) -> None:
        """Counts samples read; raises QueryError when the query takes more than it may."""
        self.samples += samples
        if self.samples > self.budget.max_samples:
            message = "query processing would load too many samples into memory in query execution"
            raise QueryError(message, kind="execution")
        if self.budget.expired():
            raise QueryError("query timed out in expression evaluation", kind="timeout")

    def renamed(self, vector: Vector) -> Vector:
        """The vector without metric names: at once, or marked so that they go at the end."""
        if self.delayed_name_removal:
            return Vector(vector.ids, vector.values, np.ones(len(vector), np.bool_))
        return Vector(self.sets.renamed(vector.ids), vector.values)

    def named(self, ids: Int64s, drop_name: Bools | None) -> Int64s:
        """The ids at the end of an evaluation: marked rows have lost their names."""
        if drop_name is None or not drop_name.any():
            return ids
        dropped = self.sets.unmeasured(ids[drop_name])
        final = ids.copy()
        final[drop_name] = dropped
        return final


class Moment(msgspec.Struct, frozen=True, eq=False):
    """One time at which an expression is evaluated: the query's own, or a step of a subquery."""

    run: Run
    at_ms: int

    @property
    def is_only(self) -> bool:
        """Whether it is the one time that the query is asked for, and no step on the way there."""
        return self.run.start_ms == self.at_ms == self.run.end_ms

    def time_of(self, timed: ast.Selector | ast.Subquery) -> int:
        """When a selector or subquery looks, after its `@` and `offset`."""
        at = timed.at
        if at == "start":
            base = self.run.start_ms
        elif at == "end":
            base = self.run.end_ms
        else:
            base = self.at_ms if at is None else at
        return base - timed.offset_ms


class Invocation(msgspec.Struct, frozen=True, eq=False):
    """A function or aggregation being evaluated: what its implementation may ask besides its arguments."""

    moment: Moment
    node: ast.Expr
    args: tuple[ast.Expr, ...] = ()

    @property
    def run(self) -> Run:
        return self.moment.run

    @property
    def sets(self) -> LabelSets:
        return self.moment.run.sets

    @property
    def at_ms(self) -> int:
        return self.moment.at_ms

    def warn(self, message: str, node: ast.Expr) -> None:
        query = self.run.query
        query.warnings = self._noted(query.warnings, f"PromQL warning: {message}", node)

    def inform(self, message: str, node: ast.Expr) -> None:
        query = self.run.query
        query.infos = self._noted(query.infos, f"PromQL info: {message}", node)

    def _noted(self, notes: tuple[str, ...], message: str, node: ast.Expr) -> tuple[str, ...]:
        line, column = line_column(self.run.query.text, node.span[0])
        note = f"{message} ({line}:{column})"
        return notes if note in notes else (*notes, note)
