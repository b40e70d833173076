"""Detector rules: recording rules with a model. They write the score, and its band if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentinel.detect.detector import Detector
from sentinel.errors import RuleError
from sentinel.model import AlertEvent
from sentinel.promql import Query
from sentinel.rules.bands import BANDS, Band, Bands
from sentinel.rules.context import Context, Moment, instant_vector, source_mask
from sentinel.rules.load import Rule
from sentinel.rules.rows import Rows
from sentinel.rules.writer import SeriesWriter, bare
from sentinel.store import tracked
from sentinel.store.index import Demand


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
        self._labels = rule.static_labels()
        self._score = SeriesWriter(context.store, context.evaluator, rule.record, self._labels)
        self._rows = Rows(context.evaluator, self._detector)
        self._bands = Bands(rule.record, self._labels, self.query, self._rows, context)
        self._writers = {"score": self._score, **(self._bands.writers if self._detector.has_band else {})}

    def demands(self) -> Sequence[Demand]:
        return self.query.demands

    def evaluate(self, moment: Moment) -> list[AlertEvent]:
        ids, values = instant_vector(self._context.evaluator, self.query, moment.sample_ms)
        if 0 < self._limit < len(ids):
            raise RuleError(f"exceeded limit of {self._limit} with {len(ids)} series")
        sets = bare(self._context.evaluator, ids, self._labels)
        rows = self._rows.of(ids, moment.sample_ms)
        scores = self._detector.update(rows, moment.sample_ms, values)
        mask = source_mask(self._context.store, self.query)
        self._score.write_known(sets, scores.score, moment.sample_ms, mask)
        if self._detector.has_band:
            bands = {band: getattr(scores, band) for band in BANDS}
            self._bands.write(Band(rows, bands, moment.sample_ms), sets)
        return []

    def snapshot(self) -> dict[str, Any]:
        groups = (writer.written for writer in self._writers.values())
        series, counts = tracked.dump(groups, self._context.store)
        return {
            "series": series,
            "written": dict(zip(self._writers, counts, strict=True)),
            **self._rows.snapshot(),
            **self._bands.snapshot(),
            "detector": self._detector.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        written = state["written"]
        groups = tracked.load(state["series"], written.values(), self._context.store)
        for name, group in zip(written, groups, strict=True):
            self._writers[name].written = group
        self._rows.restore(state)
        self._detector.restore(state["detector"])
        self._bands.restore(state)
