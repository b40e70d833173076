"""The evaluator: a walk over the syntax tree that computes each node's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Labels
from sentinel.promql import ast
from sentinel.promql.aggregations import aggregate
from sentinel.promql.binary import binary
from sentinel.promql.functions import FUNCTIONS
from sentinel.promql.labelsets import LabelSets
from sentinel.promql.moment import Invocation, Moment, Run
from sentinel.promql.plan import Query, demands
from sentinel.promql.sources import Sources
from sentinel.promql.steps import gather, merged
from sentinel.promql.syntax.parser import parse
from sentinel.promql.syntax.printer import to_text
from sentinel.promql.values import Matrix, Scalar, String, Value, Vector
from sentinel.promql.windows import without_stale
from sentinel.store.store import Store

_SPARE_IDS: Final = 1 << 16


class Evaluator:
    """Evaluates prepared queries over one store.

    Ids of label sets stay valid while `generation` stays the same: when churn has left the interner with far
    more label sets than series are alive, the next evaluation begins with a new one.
    """

    def __init__(
        self,
        store: Store,
        *,
        lookback_ms: int = 300_000,
        max_samples: int = 50_000_000,
        delayed_name_removal: bool = False,
        subquery_step_ms: int = 60_000,
    ) -> None:
        self.generation = 0
        self._store = store
        self._lookback_ms, self._max_samples = lookback_ms, max_samples
        self._delayed_name_removal, self._subquery_step_ms = delayed_name_removal, subquery_step_ms
        self._begin()

    def prepare(self, expr: ast.Expr | str) -> Query:
        """Resolves what a query reads. Raises QueryError if a text does not parse."""
        tree = parse(expr) if isinstance(expr, str) else expr
        text = expr if isinstance(expr, str) else to_text(expr)
        asked = demands(tree, self._lookback_ms)
        chosen = {demand.matchers: self._store.selection(demand.matchers) for demand in asked}
        return Query(tree, text, asked, tuple(chosen.values()), by_matchers=chosen)

    def instant(self, query: Query, at_ms: int) -> Value:
        """The query's value at one time, in a deterministic order. Raises QueryError of kind `execution`."""
        run = self._run(query, at_ms, at_ms, 1)
        with np.errstate(all="ignore"):
            value = self._value(Moment(run, at_ms), query.expr)
            if isinstance(value, Vector):
                ids = run.named(value.ids, value.drop_name)
                self._sets.require_distinct(ids)
                return replace(value, ids=ids, drop_name=None)
            return self._final(run, value) if isinstance(value, Matrix) else value

    def range(self, query: Query, start_ms: int, end_ms: int, step_ms: int) -> Matrix:
        """The query's value at every step from start to end. Raises QueryError of kind `execution`."""
        if query.expr.kind not in ("scalar", "instant vector"):
            message = "invalid expression type {} for range query, must be Scalar or instant Vector"
            raise QueryError(message.format(f'"{query.expr.kind}"'))
        run = self._run(query, start_ms, end_ms, step_ms)
        with np.errstate(all="ignore"):
            return self._final(run, self._steps(run, query.expr, start_ms, end_ms, step_ms))

    def labels(self, id: int) -> Labels:
        return self._sets[id]

    def intern(self, labels: Labels) -> int:
        return self._sets.intern(labels)

    def _begin(self) -> None:
        self._sets = LabelSets()
        self._sources = Sources(self._store, self._sets)
        self.generation += 1

    def _run(self, query: Query, start_ms: int, end_ms: int, step_ms: int) -> Run:
        # A series alive has its own id and at most one for each memoised change of labels.
        wanted = len(self._sources) * (1 + self._sets.transforms())
        if len(self._sets) > 2 * wanted + _SPARE_IDS:
            self._begin()
        query.warnings, query.infos = [], []
        return Run(
            query, self._sets, start_ms, end_ms, step_ms, self._max_samples, self._delayed_name_removal
        )

    def _final(self, run: Run, matrix: Matrix) -> Matrix:
        ids = run.named(matrix.ids, matrix.drop_name)
        return merged(self._sets, replace(matrix, ids=ids, drop_name=None))

    def _steps(self, run: Run, expr: ast.Expr, start_ms: int, end_ms: int, step_ms: int) -> Matrix:
        steps = []
        for at_ms in range(start_ms, end_ms + 1, step_ms):
            value = self._value(Moment(run, at_ms), expr)
            if isinstance(value, Scalar):
                value = Vector(np.array([self._sets.intern(Labels())]), np.array([value.value]))
            steps.append((at_ms, cast(Vector, value)))
            run.spend(len(steps[-1][1]))
        return gather(self._sets, steps, start_ms, end_ms)

    def _value(self, moment: Moment, node: ast.Expr) -> Value:
        compute = cast(Callable[[Evaluator, Moment, Any], Value], _NODES[type(node)])
        return compute(self, moment, node)

    def _number(self, moment: Moment, node: ast.Number) -> Scalar:
        return Scalar(node.value)

    def _text(self, moment: Moment, node: ast.Text) -> String:
        return String(node.value)

    def _paren(self, moment: Moment, node: ast.Paren) -> Value:
        return self._value(moment, node.expr)

    def _selector(self, moment: Moment, node: ast.Selector) -> Vector:
        rows = self._sources.resolve(moment.run.query.by_matchers[node.matchers])
        present, values, timestamp_ms = self._store.latest(
            rows.slots, moment.time_of(node), self._lookback_ms
        )
        ids, where = rows.ids, rows.where
        if not present.all():
            shown = present[where]
            ids, where = ids[shown], where[shown]
        moment.run.spend(len(ids))
        return Vector(ids, values[where], timestamp_ms=timestamp_ms[where])

    def _range(self, moment: Moment, node: ast.Range) -> Matrix:
        store, rows = self._store, self._sources.resolve(moment.run.query.by_matchers[node.selector.matchers])
        end_ms = moment.time_of(node.selector)
        start_ms = end_ms - node.range_ms
        first, last = store.spans(rows.slots, start_ms, end_ms)
        matrix = Matrix(rows.ids, first, last, store.timestamp_ms, store.value, start_ms, end_ms)
        moment.run.spend(int(matrix.count.sum()))
        return without_stale(matrix, rows.where)

    def _subquery(self, moment: Moment, node: ast.Subquery) -> Matrix:
        """Steps are multiples of the step width, so that repeated evaluations see the same times."""
        end_ms = moment.time_of(node)
        start_ms = end_ms - node.range_ms
        step_ms = node.step_ms or self._subquery_step_ms
        first_ms = (start_ms // step_ms + 1) * step_ms
        matrix = self._steps(moment.run, node.expr, first_ms, end_ms, step_ms)
        return replace(matrix, start_ms=start_ms, end_ms=end_ms)

    def _call(self, moment: Moment, node: ast.Call) -> Value:
        args = [self._value(moment, arg) for arg in node.args]
        result: Value = FUNCTIONS[node.function].evaluate(Invocation(moment, node, node.args), *args)
        return result

    def _aggregation(self, moment: Moment, node: ast.Aggregation) -> Vector:
        param = None if node.param is None else self._value(moment, node.param)
        vector = self._value(moment, node.expr)
        return aggregate(Invocation(moment, node), node, cast(Vector, vector), param)

    def _binary(self, moment: Moment, node: ast.Binary) -> Value:
        left, right = self._value(moment, node.left), self._value(moment, node.right)
        return binary(moment.run, node, left, right)

    def _unary(self, moment: Moment, node: ast.Unary) -> Value:
        value = self._value(moment, node.expr)
        if node.op == "+":
            return value
        if isinstance(value, Vector):
            return moment.run.renamed(value.with_values(-value.values))
        assert isinstance(value, Scalar)
        return Scalar(-value.value)


_NODES: Final[dict[type[ast.Expr], Callable[..., Value]]] = {
    ast.Number: Evaluator._number,
    ast.Text: Evaluator._text,
    ast.Paren: Evaluator._paren,
    ast.Selector: Evaluator._selector,
    ast.Range: Evaluator._range,
    ast.Subquery: Evaluator._subquery,
    ast.Call: Evaluator._call,
    ast.Aggregation: Evaluator._aggregation,
    ast.Binary: Evaluator._binary,
    ast.Unary: Evaluator._unary,
}
