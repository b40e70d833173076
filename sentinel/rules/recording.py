"""Recording rules: the result of an expression, written as series. Native histograms stay in their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentinel.errors import RuleError
from sentinel.model import AlertEvent
from sentinel.promql import Query
from sentinel.rules.context import Context, Moment, instant_vector, source_mask
from sentinel.rules.load import Rule
from sentinel.rules.writer import SeriesWriter
from sentinel.store.index import Demand


class RecordingRule:
    def __init__(self, rule: Rule, limit: int, context: Context) -> None:
        self.name = rule.record
        self._limit = limit
        self.query = context.evaluator.prepare(rule.expr)
        self.queries: tuple[Query, ...] = (self.query,)
        self.problem: RuleError | None = None
        self._context = context
        self._writer = SeriesWriter(context.store, context.evaluator, rule.record, rule.static_labels())

    def demands(self) -> Sequence[Demand]:
        return self.query.demands

    def evaluate(self, moment: Moment) -> list[AlertEvent]:
        ids, values = instant_vector(self._context.evaluator, self.query, moment.sample_ms)
        series = self._writer.series(ids)
        if 0 < self._limit < len(series):
            raise RuleError(f"exceeded limit of {self._limit} with {len(series)} series")
        mask = source_mask(self._context.store, self.query)
        self._writer.write(series, values, moment.sample_ms, mask)
        return []

    def snapshot(self) -> dict[str, Any]:
        return {"series": self._writer.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        self._writer.restore(state["series"])
