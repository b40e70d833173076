"""The evaluator: a walk over the syntax tree that computes each node's columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import msgspec
import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Int64s, Labels
from sentinel.model.histogram import boxed
from sentinel.promql import ast, smoothed
from sentinel.promql.aggregations import aggregate
from sentinel.promql.binary import binary
from sentinel.promql.durations import as_instant, resolved
from sentinel.promql.functions import FUNCTIONS, extended
from sentinel.promql.functions.info import with_info_selectors
from sentinel.promql.labelsets import LabelSets
from sentinel.promql.moment import Budget, Invocation, Moment, Run
from sentinel.promql.native import scaled, without_histograms
from sentinel.promql.native_hints import counted, detected, unknown
from sentinel.promql.plan import Query, Shared, demands, is_computed, strict
from sentinel.promql.sources import Sources
from sentinel.promql.steps import gather, merged
from sentinel.promql.syntax.parser import parse
from sentinel.promql.syntax.printer import to_text
from sentinel.promql.values import Matrix, Scalar, String, Value, Vector
from sentinel.promql.windows import tidied
from sentinel.store.histograms import Histograms
from sentinel.store.label_rows import LabelRows
from sentinel.store.store import Store

_RUNS_BETWEEN_LOOKS: Final = 256


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
        budget: Budget | None = None,
        delayed_name_removal: bool = False,
        subquery_step_ms: int = 60_000,
        forgetful: bool = False,
    ) -> None:
        self.generation = self._runs = self._sweeps = 0
        self._forgetful = forgetful
        self._store = store
        self._lookback_ms, self._budget = lookback_ms, budget or Budget()
        self._delayed_name_removal, self._subquery_step_ms = delayed_name_removal, subquery_step_ms
        self._begin()

    def prepare(self, expr: ast.Expr | str, lookback_ms: int | None = None) -> Query:
        """Resolves what a query reads. Raises QueryError if a text does not parse.

        `lookback_ms` is how old a sample a selector still takes, if it is not to be as usual.
        """
        tree = parse(expr) if isinstance(expr, str) else expr
        text = expr if isinstance(expr, str) else to_text(expr)
        extended.check(tree)
        lookback_ms = self._lookback_ms if lookback_ms is None else lookback_ms
        tree = with_info_selectors(tree)
        asked = demands(as_instant(tree), lookback_ms)
        chosen = {demand.matchers: self._store.selection(demand.matchers) for demand in asked}
        selectors = (node for node in ast.walk(tree) if isinstance(node, ast.Selector))
        selected = {id(node.matchers): chosen[node.matchers] for node in selectors}
        selections, computed = tuple(chosen.values()), is_computed(tree)
        return Query(tree, text, asked, selections, lookback_ms, strict(tree), computed, selected=selected)

    @property
    def histograms(self) -> Histograms:
        """What boxes in results stand for; a result's boxes are valid until the next query or batch."""
        return self._store.histograms

    @np.errstate(all="ignore")
    def instant(self, query: Query, at_ms: int, budget: Budget | None = None) -> Value:
        """The query's value at one time, in a deterministic order.

        Raises QueryError of kind `execution`, or of kind `timeout` once the budget's time is over.
        """
        run = self._run(query, (at_ms, at_ms, 0), budget)
        value = self._value(Moment(run, at_ms), run.expr)
        if isinstance(value, Vector):
            ids = run.named(value.ids, value.drop_name)
            self.sets.require_distinct(ids)
            return Vector(ids, value.values, timestamp_ms=value.timestamp_ms)
        if isinstance(value, Matrix):
            kind = extended.extension(query.expr)
            if kind:
                value = smoothed.with_ends(Invocation(Moment(run, at_ms), query.expr), value, kind)
            return self._final(run, value)
        return value

    @np.errstate(all="ignore")
    def range(
        self, query: Query, start_ms: int, end_ms: int, step_ms: int, budget: Budget | None = None
    ) -> Matrix:
        """The query's value at every step from start to end. Raises as `instant`."""
        if query.expr.kind not in ("scalar", "instant vector"):
            message = "invalid expression type {} for range query, must be Scalar or instant Vector"
            raise QueryError(message.format(f'"{query.expr.kind}"'))
        run = self._run(query, (start_ms, end_ms, step_ms), budget)
        return self._final(run, self._steps(run, run.expr, start_ms, end_ms, step_ms))

    def in_order(self, matrix: Matrix) -> Matrix:
        """The matrix with its series sorted by labels, as people get to see it."""
        pairs = [self.sets[id].pairs for id in matrix.ids.tolist()]
        return matrix.take(np.array(sorted(range(len(pairs)), key=pairs.__getitem__), np.int64))

    def labels(self, id: int) -> Labels:
        return self.sets[id]

    def rows(self, ids: Int64s) -> LabelRows:
        """Many label sets at once, apart from the evaluator: for another thread to make objects of."""
        return LabelRows.of(self.sets.pool, ids)

    def intern(self, labels: Labels) -> int:
        return self.sets.intern(labels)

    def _begin(self) -> None:
        if self.generation:
            self.sets.clear()
        self.sets: LabelSets = LabelSets()
        self.sources = Sources(self._store, self.sets)
        self._known: dict[Shared, tuple[tuple[int, ...], Value]] = {}
        self._known_ms = 0
        """When the values in `_known` hold."""
        self.generation += 1

    def _run(self, query: Query, times: tuple[int, int, int], budget: Budget | None) -> Run:
        """A run over (start, end, step)."""
        self._runs += 1
        look = self._forgetful or self._runs % _RUNS_BETWEEN_LOOKS == 0
        if look and self.sources.outgrown(forgetful=self._forgetful):
            self._begin()
        native = len(self._store.histograms) > 0
        if native:
            self._store.sweep_histograms()
        if self._sweeps != self._store.histograms.sweeps:
            self._sweeps, self._known = self._store.histograms.sweeps, {}
        budget = budget or self._budget
        self.sets.expired = budget.expired
        query.warnings = query.infos = ()
        expr = query.expr
        if query.computed:
            start_ms, end_ms, step_ms = times
            expr = resolved(expr, start_ms=start_ms, end_ms=end_ms, step_ms=step_ms)
        hints = frozenset(counted(expr)) if native else frozenset()
        limits = (budget, self._delayed_name_removal)
        return Run(query, expr, self.sets, self._store.histograms, *times, *limits, native, hints)

    def _final(self, run: Run, matrix: Matrix) -> Matrix:
        """The matrix with the names it ends with."""
        ids = run.named(matrix.ids, matrix.drop_name)
        return merged(self.sets, msgspec.structs.replace(matrix, ids=ids, drop_name=None))

    def _steps(self, run: Run, expr: ast.Expr, start_ms: int, end_ms: int, step_ms: int) -> Matrix:
        steps = []
        for at_ms in range(start_ms, end_ms + 1, step_ms):
            value = self._value(Moment(run, at_ms), expr)
            if isinstance(value, Scalar):
                value = Vector(np.array([self.sets.intern(Labels())]), np.array([value.value]))
            steps.append((at_ms, cast(Vector, value)))
            run.spend(len(steps[-1][1]))
        return gather(self.sets, steps, start_ms, end_ms)

    def _value(self, moment: Moment, node: ast.Expr) -> Value:
        shared = moment.run.query.shared
        if not shared or id(node) not in shared or moment.run.counted or not moment.is_only:
            return _NODES[type(node)](self, moment, node)  # `counted` histograms have hints
        return self._once(moment, node, shared[id(node)])

    def _once(self, moment: Moment, node: ast.Expr, shared: Shared) -> Value:
        """The value of what others evaluate too: it is computed by the first."""
        stamp = self._store.stamp(shared.names)
        known = self._known.get(shared)
        if known is not None and known[0] == stamp and self._known_ms == moment.at_ms:
            return known[1]
        if self._known_ms != moment.at_ms:
            self._known_ms, self._known = moment.at_ms, {}
        value = _NODES[type(node)](self, moment, node)
        self._known[shared] = (stamp, value)
        return value

    def _number(self, moment: Moment, node: ast.Number) -> Scalar:
        return Scalar(node.value)

    def _text(self, moment: Moment, node: ast.Text) -> String:
        return String(node.value)

    def _paren(self, moment: Moment, node: ast.Paren) -> Value:
        return self._value(moment, node.expr)

    def _selector(self, moment: Moment, node: ast.Selector) -> Vector:
        if node.extended:
            invocation, at_ms = Invocation(moment, node), moment.time_of(node)
            return smoothed.at(invocation, self._range(moment, ast.Range(node, 0)), at_ms)
        rows = self.sources.resolve(moment.run.query.selected[id(node.matchers)])
        present, values, timestamp_ms = self._store.latest(
            rows.slots, moment.time_of(node), moment.run.query.lookback_ms
        )
        ids, where = rows.ids, rows.where
        if np.count_nonzero(present) < len(present):  # quicker than all()
            shown = present if where is None else present[where]
            ids, where = ids[shown], np.flatnonzero(shown) if where is None else where[shown]
        moment.run.spend(len(ids))
        if where is not None:
            values, timestamp_ms = values[where], timestamp_ms[where]
        vector = Vector(ids, values, timestamp_ms=timestamp_ms)
        return self._with_hints(moment, node, vector) if id(node) in moment.run.counted else vector

    def _with_hints(self, moment: Moment, node: ast.Selector, vector: Vector) -> Vector:
        """The same samples, seen as the last of those before them."""
        marks = boxed(vector.values)
        if marks.any():
            matrix = detected(moment.run, self._range(moment, ast.Range(node, moment.run.query.lookback_ms)))
            last = dict(zip(matrix.ids.tolist(), matrix.value[matrix.last - 1].tolist(), strict=True))
            vector.values[marks] = [last[id] for id in vector.ids[marks].tolist()]
        return vector

    def _range(self, moment: Moment, node: ast.Range) -> Matrix:
        windows = self._store.windows
        rows = self.sources.resolve(moment.run.query.selected[id(node.selector.matchers)])
        end_ms = moment.time_of(node.selector)
        start_ms = end_ms - node.range_ms
        before_ms, after_ms = extended.reach(node.selector, moment.run.query.lookback_ms)
        span = (start_ms - before_ms, end_ms + after_ms)
        found, where = windows.survey(rows.slots, *span), rows.where
        moment.run.spend(found.total)
        found = windows.unpacked(found)
        columns = (found.first, found.last, found.timestamp_ms, found.value)
        matrix = Matrix(rows.ids, *columns, start_ms, end_ms, least=found.least)
        if where is not None or found.marked or not found.least:
            matrix = tidied(matrix, where, found.marked)
        return detected(moment.run, matrix) if id(node.selector) in moment.run.counted else matrix

    def _subquery(self, moment: Moment, node: ast.Subquery) -> Matrix:
        """Steps are multiples of the step width, so that repeated evaluations see the same times."""
        end_ms = moment.time_of(node)
        start_ms = end_ms - node.range_ms
        if moment.run.query.reads_nothing(node):
            return gather(self.sets, [], start_ms, end_ms)
        step_ms = node.step_ms or self._subquery_step_ms
        first_ms = (start_ms // step_ms + 1) * step_ms
        moment.run.spend((end_ms - first_ms) // step_ms + 1)  # a step without a sample is work, too
        matrix = self._steps(moment.run, node.expr, first_ms, end_ms, step_ms)
        matrix = msgspec.structs.replace(matrix, start_ms=start_ms, end_ms=end_ms)
        return unknown(moment.run, matrix) if moment.run.native else matrix

    def _call(self, moment: Moment, node: ast.Call) -> Value:
        args = [self._value(moment, arg) for arg in node.args]
        function, invocation = FUNCTIONS[node.function], Invocation(moment, node, node.args)
        if moment.run.native and not function.native:
            args = [without_histograms(invocation, arg) for arg in args]
        result: Value = function.evaluate(invocation, *args)
        return result

    def _aggregation(self, moment: Moment, node: ast.Aggregation) -> Vector:
        param = None if node.param is None else self._value(moment, node.param)
        vector = self._value(moment, node.expr)
        return aggregate(Invocation(moment, node, (node.expr,)), node, cast(Vector, vector), param)

    def _binary(self, moment: Moment, node: ast.Binary) -> Value:
        left, right = self._value(moment, node.left), self._value(moment, node.right)
        return binary(Invocation(moment, node), node, left, right)

    def _unary(self, moment: Moment, node: ast.Unary) -> Value:
        value = self._value(moment, node.expr)
        if node.op == "+":
            return value
        if isinstance(value, Vector):
            negated = -value.values
            return moment.run.renamed(value.with_values(scaled(moment.run, value.values, negated, -1.0)))
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
