"""Alerting rules: the state machine pending -> firing -> resolved, as Prometheus has it.

Only changes leave this module, as `AlertEvent`s; labels that hold no template are made once per series, and
annotations are rendered only for an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

import msgspec

from sentinel.errors import RuleError
from sentinel.model import AlertEvent, AlertState, Labels
from sentinel.promql import Query
from sentinel.rules.active import ActiveAlert, event_id, resolved
from sentinel.rules.alert_series import AlertSeries
from sentinel.rules.context import Context, Moment, instant_vector, source_mask
from sentinel.rules.keeping import Keeping, Look
from sentinel.rules.load import Rule, RuleGroup
from sentinel.rules.no_data import STAND_IN
from sentinel.rules.rendering import NO_SERIES, Element, Rendering
from sentinel.store.index import Demand

Change = tuple[ActiveAlert, AlertState]


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
        self._series = AlertSeries(rule, context.store)
        self._rendering = Rendering(rule, context)
        self._keeping = Keeping(rule, context)
        self.queries = (self.query, *self._keeping.queries)
        self._wording = self._told_as = _wording(rule, self.query)
        self._at_rest = False
        """Whether nothing changes while the expression gives nothing: so are most rules most of the time."""

    def demands(self) -> Sequence[Demand]:
        return [demand for query in self.queries for demand in query.demands]

    def evaluate(self, moment: Moment) -> list[AlertEvent]:
        present = self._present(moment)
        if self._at_rest and not present:
            return []
        self._at_rest = False  # whatever may be raised
        events = self._judge(present, moment)
        remembers = self.active or self._series.written or self.problem or not self._keeping.at_rest
        self._at_rest = not remembers
        return events

    def _judge(self, present: dict[Labels, Element], moment: Moment) -> list[AlertEvent]:
        """Moves all alerts on; returns what others must hear of."""
        absent = [alert for labels, alert in self.active.items() if labels not in present]
        look = self._keeping.look(absent, not present, moment)
        if not present and self._keeping.lacks_all(look, moment):
            present[self._rendering.labels(NO_SERIES, STAND_IN, moment.at_ms)] = STAND_IN
        # Until here, where something may be raised, nothing has changed.
        for labels, element in present.items():
            alert = self.active.get(labels)
            if alert is None:
                alert = self.active[labels] = ActiveAlert(labels, element.sample, moment.at_ms)
            alert.see(element, moment.at_ms)
        self.problem = look.problem
        changes = self._step(present, look, moment)
        if self._over_limit():
            return self._drop(changes, moment)
        events = [self._tell(alert, change, moment) for alert, change in changes]
        events += self._tell_anew(moment)
        if self.active or self._series.written:
            mask = source_mask(self._context.store, self.query)
            self._series.write(self.active.values(), moment.sample_ms, mask)
        self._keeping.flapping.forget(moment.at_ms)
        return events

    def annotations(self, alert: ActiveAlert, sample_ms: int) -> dict[str, str]:
        """The annotations of an active alert after the evaluation that read at `sample_ms`.

        Of one that is only kept, those of when the expression gave it last, as in Prometheus.
        """
        at_ms = sample_ms + self.group.query_offset_ms
        return self._rendering.annotations(alert.element, min(at_ms, alert.seen_ms or at_ms))

    def renewed(self, event: AlertEvent, at_ms: int) -> AlertEvent | None:
        """An event with value and annotations after an evaluation, if its alert fires.

        None if it tells of the end of an alert that is pending again; others as they are.
        """
        external = self._context.external_labels
        own = Labels([pair for pair in event.labels if pair not in external.pairs])
        alert = self.active.get(own) or self.active.get(event.labels)
        if event.state == "resolved" and alert is not None and alert.told is None:
            return None
        if (
            alert is None
            or alert.told is None
            or event.state == "resolved"
            or alert.told.labels != event.labels
        ):
            return event
        annotations = self.annotations(alert, at_ms - self.group.query_offset_ms)
        return msgspec.structs.replace(alert.told, annotations=annotations, value=alert.value)

    def snapshot(self) -> dict[str, Any]:
        return {
            "active": [alert.dump() for alert in self.active.values()],
            "series": self._series.snapshot(),
            "told_as": self._told_as,
            **self._keeping.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        alerts = [ActiveAlert.load(each) for each in state["active"]]
        self.active = {alert.labels: alert for alert in alerts}
        self._series.restore(state["series"])
        self._told_as = state.get("told_as", self._wording)
        self._keeping.restore(state)
        self._at_rest = False

    def _present(self, moment: Moment) -> dict[Labels, Element]:
        """What the expression gives by the labels of its alert, in the order of the result."""
        present: dict[Labels, Element] = {}
        ids, values = instant_vector(self._context.evaluator, self.query, moment.sample_ms)
        if not len(ids):
            return present
        for id, element in self._rendering.elements(ids, values):
            labels = self._rendering.labels(id, element, moment.at_ms)
            if labels in present:
                raise RuleError("vector contains metrics with the same labelset after applying alert labels")
            present[labels] = element
        return present

    def _step(self, present: dict[Labels, Element], look: Look, moment: Moment) -> list[Change]:
        """Moves every alert on; those that are over leave. Returns what others must hear of."""
        changes: list[Change] = []
        for labels, alert in list(self.active.items()):
            fate = "holds" if labels in present else self._keeping.fate(alert, look, moment)
            if fate == "frozen":
                continue
            change = alert.step(fate != "over", moment.at_ms, self.rule.for_ms)
            if fate == "over":
                del self.active[labels]
            if change is not None:
                changes.append((alert, change))
        return changes

    def _over_limit(self) -> bool:
        count, limit = len(self.active), self.group.limit
        if limit <= 0 or count <= limit:
            return False
        self.problem = RuleError(f"exceeded limit of {limit} with {count} alerts")
        return True

    def _drop(self, changes: list[Change], moment: Moment) -> list[AlertEvent]:
        """Too many alerts: all are dropped and no series written, as in Prometheus; what fired resolves."""
        alerts = {id(alert): alert for alert in (*self.active.values(), *(alert for alert, _ in changes))}
        self.active = {}
        for alert in alerts.values():
            if alert.told:
                self._keeping.flapping.note(alert.labels, moment.at_ms)
        return [resolved(alert.told, moment.at_ms) for alert in alerts.values() if alert.told]

    def _tell(self, alert: ActiveAlert, change: AlertState, moment: Moment) -> AlertEvent:
        """The event of a change; the alert remembers what it has told."""
        self._keeping.flapping.note(alert.labels, moment.at_ms)
        if alert.told is not None:
            annotations = self._rendering.annotations(alert.element, moment.at_ms)
            told, alert.told, alert.keep_since_ms = alert.told, None, 0
            return resolved(told, moment.at_ms, annotations=annotations, value=alert.value)
        labels = Labels({**self._context.external_labels.map, **alert.labels.map})
        alert.told = self._firing(alert, labels, moment.at_ms, moment)
        return alert.told

    def _tell_anew(self, moment: Moment) -> list[AlertEvent]:
        """After the rule was rewritten: what fires on fires with the new texts."""
        if self._told_as == self._wording:
            return []
        self._told_as = self._wording
        events = []
        for alert in self.active.values():
            if alert.told and alert.told.evaluated_at_ms < moment.at_ms:
                told = alert.told
                alert.told = self._firing(alert, told.labels, told.starts_at_ms, moment)
                events.append(alert.told)
        return events

    def _firing(self, alert: ActiveAlert, labels: Labels, since_ms: int, moment: Moment) -> AlertEvent:
        return AlertEvent(
            id=event_id(self.key, labels, "firing", moment.at_ms),
            rule=self.key,
            labels=labels,
            annotations=self._rendering.annotations(alert.element, moment.at_ms),
            state="firing",
            starts_at_ms=since_ms,
            ends_at_ms=0,
            value=alert.value,
            evaluated_at_ms=moment.at_ms,
            generator_url=f"{self._context.external_url}/graph?g0.expr={quote_plus(self.query.text)}&g0.tab=1",
            incomplete=moment.incomplete,
        )


def _wording(rule: Rule, query: Query) -> list[str]:
    """Of what a firing event tells, all that depends on how the rule is written."""
    return [query.text, *(f"{name}={each.text}" for name, each in sorted(rule.annotations.items()))]
