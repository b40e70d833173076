"""Recording rules: the result of an expression, written as series. Native histograms stay in their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentinel.errors import RuleError
from sentinel.model import AlertEvent
from sentinel.promql import Query
from sentinel.rules.context import Context, Moment, instant_vector, source_mask
from sentinel.rules.load import Rule
from sentinel.rules.writer import SeriesWriter, bare
from sentinel.store.index import Demand
from sentinel.store.tracked import Tracked


class RecordingRule:
    def __init__(self, rule: Rule, limit: int, context: Context) -> None:
        self.name = rule.record
        self._limit = limit
        self.query = context.evaluator.prepare(rule.expr)
        self.queries: tuple[Query, ...] = (self.query,)
        self.problem: RuleError | None = None
        self._context = context
        self._labels = rule.static_labels()
        self._writer = SeriesWriter(context.store, context.evaluator, rule.record, self._labels)

    def demands(self) -> Sequence[Demand]:
        return self.query.demands

    def evaluate(self, moment: Moment) -> list[AlertEvent]:
        ids, values = instant_vector(self._context.evaluator, self.query, moment.sample_ms)
        sets = bare(self._context.evaluator, ids, self._labels)
        if 0 < self._limit < len(sets):
            raise RuleError(f"exceeded limit of {self._limit} with {len(sets)} series")
        mask = source_mask(self._context.store, self.query)
        self._writer.write(sets, values, moment.sample_ms, mask)
        return []

    def snapshot(self) -> dict[str, Any]:
        return {"series": self._writer.written.dump(self._context.store)}

    def restore(self, state: dict[str, Any]) -> None:
        self._writer.written = Tracked.load(state["series"], self._context.store)
