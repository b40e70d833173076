"""Detector rules: recording rules with a model. They write the score, and its band if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any, Final

import numpy as np

from sentinel.detect.detector import Detector
from sentinel.errors import RuleError
from sentinel.model import AlertEvent, Floats, Int64s, Labels
from sentinel.promql import Query
from sentinel.rules.context import Context, Moment, instant_vector, source_mask
from sentinel.rules.load import Rule
from sentinel.rules.writer import SeriesWriter
from sentinel.store.index import Demand

FORGET_MS: Final = 86_400_000
"""A series that has been away for a day starts its model anew, and its place is free."""


class DetectorRule:
    """Keeps a row of the detector's state for each series of the expression."""

    def __init__(self, rule: Rule, limit: int, context: Context) -> None:
        self.name = rule.record
        self._limit = limit
        self.query = context.evaluator.prepare(rule.expr)
        self.queries: tuple[Query, ...] = (self.query,)
        self.problem: RuleError | None = None
        self._context = context
        self._detector: Detector = rule.make_detector()
        names = ("score", "expected", "lower", "upper") if self._detector.has_band else ("score",)
        self._writers = {
            name: SeriesWriter(
                context.store,
                context.evaluator,
                rule.record if name == "score" else f"{rule.record}:{name}",
                rule.static_labels(),
            )
            for name in names
        }
        self._row_of: dict[Labels, int] = {}
        self._free: list[int] = []
        self._seen_ms = np.zeros(0, np.int64)

    def demands(self) -> Sequence[Demand]:
        return self.query.demands

    def evaluate(self, moment: Moment) -> list[AlertEvent]:
        ids, values = instant_vector(self._context.evaluator, self.query, moment.sample_ms)
        if 0 < self._limit < len(ids):
            raise RuleError(f"exceeded limit of {self._limit} with {len(ids)} series")
        series = {name: writer.series(ids) for name, writer in self._writers.items()}
        rows = self._rows(ids, moment.sample_ms)
        scores = self._detector.update(rows, moment.sample_ms, values)
        mask = source_mask(self._context.store, self.query)
        for name, writer in self._writers.items():
            column: Floats = getattr(scores, name)
            told = ~np.isnan(column)
            writer.write(list(compress(series[name], told.tolist())), column[told], moment.sample_ms, mask)
        return []

    def snapshot(self) -> dict[str, Any]:
        written = {name: writer.snapshot() for name, writer in self._writers.items()}
        return {
            "series": [labels for each in written.values() for labels in each],
            "written": written,
            "inputs": list(self._row_of),
            "rows": np.array(list(self._row_of.values()), np.int64),
            "seen_ms": self._seen_ms.copy(),
            "detector": self._detector.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        for name, writer in self._writers.items():
            writer.restore(state["written"][name])
        self._row_of = dict(zip(state["inputs"], state["rows"].tolist(), strict=True))
        self._seen_ms = state["seen_ms"]
        taken = set(self._row_of.values())
        self._free = [row for row in range(len(self._seen_ms)) if row not in taken]
        self._detector.restore(state["detector"])

    def _rows(self, ids: Int64s, at_ms: int) -> Int64s:
        labels = [self._context.evaluator.labels(id) for id in ids.tolist()]
        new = [each for each in labels if each not in self._row_of]
        if new:
            self._forget_silent(at_ms)
            self._give_rows(new)
        rows = np.array([self._row_of[each] for each in labels], np.int64)
        self._seen_ms[rows] = at_ms
        return rows

    def _give_rows(self, series: list[Labels]) -> None:
        missing = len(series) - len(self._free)
        if missing > 0:
            known = len(self._seen_ms)
            size = max(known + missing, 2 * known)
            self._seen_ms = np.concatenate([self._seen_ms, np.zeros(size - known, np.int64)])
            self._free.extend(range(known, size))
            self._detector.resize(size)
        rows = [self._free.pop() for _ in series]
        self._detector.reset(np.array(rows, np.int64))
        self._row_of.update(zip(series, rows, strict=True))

    def _forget_silent(self, at_ms: int) -> None:
        gone = [s for s, row in self._row_of.items() if self._seen_ms[row] < at_ms - FORGET_MS]
        self._free.extend(self._row_of.pop(series) for series in gone)
