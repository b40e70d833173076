"""Rules on a stage of their own: groups over a store that forgets nothing, evaluated when they are told."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sentinel.model import AlertEvent, Histogram, Labels
from sentinel.model.histogram import boxed
from sentinel.promql import Budget, Evaluator
from sentinel.promql.plan import FOREVER_MS
from sentinel.rules.context import Context, instant_vector
from sentinel.rules.group import RunningGroup
from sentinel.rules.load import RuleGroup
from sentinel.store.store import Store

MAX_SAMPLES: Final = 2_000_000
"""What one evaluation of an expression may read; promtool's limit is 10,000 at once."""
PATIENCE_S: Final = 60.0
"""How long the evaluations of one step may take, and one query: what needs longer is no good as a rule."""


class FiringAlert(NamedTuple):
    """`labels` without external labels; annotations as they are rendered now."""

    labels: dict[str, str]
    annotations: dict[str, str]


class Sample(NamedTuple):
    labels: Labels
    value: float | Histogram


class Problem(NamedTuple):
    """What was wrong with the last evaluation of a rule."""

    rule: str
    message: str


class Rehearsal:
    """All groups are evaluated together, in the order that they are given in; groups of one key once."""

    def __init__(
        self,
        groups: Sequence[RuleGroup],
        *,
        external_labels: Labels | None = None,
        external_url: str = "",
        subquery_step_ms: int = 60_000,
    ) -> None:
        self.store = Store(retention_ms=FOREVER_MS)
        self._ends_s = 0.0
        budget = Budget(MAX_SAMPLES, expired=lambda: time.monotonic() > self._ends_s)
        self.evaluator = Evaluator(self.store, budget=budget, subquery_step_ms=subquery_step_ms)
        context = Context(
            store=self.store,
            evaluator=self.evaluator,
            external_labels=external_labels or Labels(),
            external_url=external_url,
        )
        by_key = {group.key: group for group in groups}
        self.groups = [RunningGroup(group, context) for group in by_key.values()]

    def evaluate(self, at_ms: int) -> list[AlertEvent]:
        """Every rule of every group. `problems` says what went wrong."""
        self._ends_s = time.monotonic() + PATIENCE_S
        return [event for group in self.groups for event in group.evaluate(at_ms, 0, incomplete=False)]

    def problems(self) -> Iterator[Problem]:
        for group in self.groups:
            for number, message in group.health.items():
                yield Problem(group.rules[number].name, message)

    def firing(self, alertname: str, at_ms: int) -> list[FiringAlert]:
        """The alerts of this name that fire since the evaluation at `at_ms`, of all groups together."""
        self._ends_s = time.monotonic() + PATIENCE_S
        return [
            FiringAlert(dict(labels), rule.annotations(alert, at_ms - group.spec.query_offset_ms))
            for group in self.groups
            for rule in group.alerting()
            if rule.name == alertname
            for labels, alert in rule.active.items()
            if alert.state == "firing"
        ]

    def query(self, text: str, at_ms: int) -> list[Sample]:
        """The samples that an expression gives. Raises QueryError or RuleError."""
        self._ends_s = time.monotonic() + PATIENCE_S
        ids, values = instant_vector(self.evaluator, self.evaluator.prepare(text), at_ms)
        found: list[float | Histogram] = values.tolist()
        marks = boxed(values)
        for row, histogram in zip(
            marks.nonzero()[0].tolist(), self.evaluator.histograms.unbox(values[marks]), strict=True
        ):
            found[row] = histogram
        return [
            Sample(self.evaluator.labels(id), value) for id, value in zip(ids.tolist(), found, strict=True)
        ]
