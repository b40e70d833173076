"""Alerting rules: the state machine pending -> firing -> resolved, as Prometheus has it.

Only changes leave this module, as `AlertEvent`s; labels that hold no template are made once per series, and
annotations are rendered only for an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

from sentinel.errors import RuleError
from sentinel.model import AlertEvent, AlertState, Labels
from sentinel.rules.active import ActiveAlert, event_id, resolved
from sentinel.rules.alert_series import AlertSeries
from sentinel.rules.context import Context, Moment, instant_vector, source_mask
from sentinel.rules.load import Rule, RuleGroup
from sentinel.store.index import Demand
from sentinel.template import RuleData


class AlertingRule:
    """`active` holds pending and firing alerts by their labels (without external labels)."""

    def __init__(self, rule: Rule, group: RuleGroup, context: Context) -> None:
        self.name = rule.alert
        self.rule, self.group = rule, group
        self.key = f"{group.key};{rule.alert}"
        self.query = context.evaluator.prepare(rule.expr)
        self.active: dict[Labels, ActiveAlert] = {}
        self.problem: RuleError | None = None
        self._context = context
        self._series = AlertSeries(context.store)
        self._labels_of: dict[int, Labels] = {}
        self._generation = context.evaluator.generation
        self._constant = all(template.constant is not None for template in rule.labels.values())

    def demands(self) -> Sequence[Demand]:
        return self.query.demands

    def evaluate(self, moment: Moment) -> list[AlertEvent]:
        present = self._present(moment)
        events: list[AlertEvent] = []
        for labels, (sample, value) in present.items():
            alert = self.active.get(labels)
            if alert is None:
                alert = self.active[labels] = ActiveAlert(labels, sample, moment.at_ms)
            alert.value, alert.sample, alert.keep_since_ms = value, sample, 0
        for labels, alert in list(self.active.items()):
            kept = labels in present or self._kept(alert, moment)
            change = alert.step(kept, moment.at_ms, self.rule.for_ms)
            if not kept:
                del self.active[labels]
            if change is not None:
                events.append(self._tell(alert, change, moment))
        events += self._limit(moment)
        self._series.write(
            self.active.values(), moment.sample_ms, source_mask(self._context.store, self.query)
        )
        return events

    def snapshot(self) -> dict[str, Any]:
        return {"active": [alert.dump() for alert in self.active.values()], "series": self._series.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        alerts = [ActiveAlert.load(each) for each in state["active"]]
        self.active = {alert.labels: alert for alert in alerts}
        self._series.restore(state["series"])

    def _present(self, moment: Moment) -> dict[Labels, tuple[Labels, float]]:
        """Alert labels -> (labels of the sample, value), in the order of the result."""
        evaluator = self._context.evaluator
        ids, values = instant_vector(evaluator, self.query, moment.sample_ms)
        if self._generation != evaluator.generation:
            self._generation, self._labels_of = evaluator.generation, {}
        present: dict[Labels, tuple[Labels, float]] = {}
        samples = [evaluator.labels(id) for id in ids.tolist()]  # a template may query, and that may end ids
        for id, sample, value in zip(ids.tolist(), samples, values.tolist(), strict=True):
            labels = self._alert_labels(id, sample, value, moment)
            if labels in present:
                raise RuleError("vector contains metrics with the same labelset after applying alert labels")
            present[labels] = (sample, value)
        return present

    def _alert_labels(self, id: int, sample: Labels, value: float, moment: Moment) -> Labels:
        known = self._labels_of.get(id) if self._constant else None
        if known is not None:
            return known
        data = self._data(sample, value, moment)
        own = {name: template.render(data) for name, template in self.rule.labels.items()}
        labels = sample.with_({"__name__": "", **own, "alertname": self.name})
        if self._constant:
            self._labels_of[id] = labels
        return labels

    def _kept(self, alert: ActiveAlert, moment: Moment) -> bool:
        """Absent now, but `keep_firing_for` holds it, or its source may just be away."""
        if alert.told is None:
            return False
        if moment.may_be_away(alert.sample):
            return True
        if not self.rule.keep_firing_for_ms:
            return False
        alert.keep_since_ms = alert.keep_since_ms or moment.at_ms
        return moment.at_ms - alert.keep_since_ms < self.rule.keep_firing_for_ms

    def _limit(self, moment: Moment) -> list[AlertEvent]:
        """Too many alerts: all are dropped, as in Prometheus, but the firing ones resolve."""
        count, limit = len(self.active), self.group.limit
        self.problem = None
        if not limit or count <= limit:
            return []
        self.problem = RuleError(f"exceeded limit of {limit} with {count} alerts", rule=self.name)
        firing = [alert.told for alert in self.active.values() if alert.told]
        self.active = {}
        return [resolved(told, moment.at_ms) for told in firing]

    def _tell(self, alert: ActiveAlert, change: AlertState, moment: Moment) -> AlertEvent:
        """The event of a change; the alert remembers what it has told."""
        data = self._data(alert.sample, alert.value, moment)
        annotations = {name: each.render(data) for name, each in self.rule.annotations.items()}
        if alert.told is not None:
            told, alert.told, alert.keep_since_ms = alert.told, None, 0
            return resolved(told, moment.at_ms, annotations=annotations, value=alert.value)
        labels = Labels({**self._context.external_labels.map, **alert.labels.map})
        alert.told = AlertEvent(
            id=event_id(self.key, labels, change, moment.at_ms),
            rule=self.key,
            labels=labels,
            annotations=annotations,
            state=change,
            starts_at_ms=moment.at_ms,
            ends_at_ms=0,
            value=alert.value,
            evaluated_at_ms=moment.at_ms,
            generator_url=f"{self._context.external_url}/graph?g0.expr={quote_plus(self.rule.text)}&g0.tab=1",
            incomplete=moment.incomplete,
        )
        return alert.told

    def _data(self, sample: Labels, value: float, moment: Moment) -> RuleData:
        return RuleData(
            labels=sample.map,
            value=value,
            external_labels=self._context.external_labels.map,
            external_url=self._context.external_url,
            query=lambda text: self._query(text, moment.sample_ms),
            now_ms=moment.at_ms,
        )

    def _query(self, text: str, at_ms: int) -> list[tuple[Any, float]]:
        evaluator = self._context.evaluator
        ids, values = instant_vector(evaluator, evaluator.prepare(text), at_ms)
        return [
            (evaluator.labels(id).map, value) for id, value in zip(ids.tolist(), values.tolist(), strict=True)
        ]
