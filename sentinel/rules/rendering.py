"""The texts of alerts: labels made once per series where no template is in them, annotations on demand."""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple

from sentinel.model import Floats, Histogram, Int64s, Labels
from sentinel.model.histogram import boxed
from sentinel.promql import Evaluator
from sentinel.rules.context import Context, instant_vector
from sentinel.rules.schema import Rule
from sentinel.template import RuleData
from sentinel.template.values import Record, function

NO_SERIES: Final = -1
"""The label set id of an element that no query gave."""


class Element(NamedTuple):
    """One element of an expression's result: its own labels, and its value. Of a histogram `value` is 0."""

    sample: Labels
    value: float
    histogram: Histogram | None = None


class _GoHistogram(Record):
    """A native histogram as a template sees it."""

    methods: ClassVar = {"String": function(lambda self: self.values["text"])}


class Rendering:
    """Fills in the labels and annotations of one rule's alerts."""

    def __init__(self, rule: Rule, context: Context) -> None:
        self._rule, self._context = rule, context
        self._labels_of: dict[int, Labels] = {}
        self._generation = context.evaluator.generation
        self._constant = all(text.constant is not None for text in rule.labels.values())

    def elements(self, ids: Int64s, values: Floats) -> list[tuple[int, Element]]:
        """(label set id, element) of a query's result, in its order."""
        return list(zip(ids.tolist(), _elements(self._context.evaluator, ids, values), strict=True))

    def labels(self, id: int, element: Element, at_ms: int) -> Labels:
        """The labels of an element's alert: the rule's over the sample's, without external labels."""
        if self._generation != self._context.evaluator.generation:
            self._generation, self._labels_of = self._context.evaluator.generation, {}
        known = self._labels_of.get(id) if self._constant else None
        if known is not None:
            return known
        data = self._data(element, at_ms)
        own = {name: text.render(data) for name, text in self._rule.labels.items()}
        labels = element.sample.with_({"__name__": "", **own, "alertname": self._rule.alert})
        if self._constant and id != NO_SERIES:
            self._labels_of[id] = labels
        return labels

    def annotations(self, element: Element, at_ms: int) -> dict[str, str]:
        """Queries in templates read what there is at `at_ms`, whatever the group's query offset."""
        data = self._data(element, at_ms)
        return {name: text.render(data) for name, text in self._rule.annotations.items()}

    def _data(self, element: Element, at_ms: int) -> RuleData:
        return RuleData(
            labels=element.sample.map,
            value=_go_value(element),
            external_labels=self._context.external_labels.map,
            external_url=self._context.external_url,
            query=lambda text: self._query(text, at_ms),
            now_ms=at_ms,
        )

    def _query(self, text: str, at_ms: int) -> list[tuple[Any, Any]]:
        evaluator = self._context.evaluator
        result = instant_vector(evaluator, evaluator.prepare(text), at_ms)
        return [(element.sample.map, _go_value(element)) for element in _elements(evaluator, *result)]


def _elements(evaluator: Evaluator, ids: Int64s, values: Floats) -> list[Element]:
    """All that ids and boxes stand for, looked up before another query can end them."""
    rows = zip(ids.tolist(), values.tolist(), strict=True)
    found = [Element(evaluator.labels(id), value) for id, value in rows]
    for row, histogram in _histograms(evaluator, values) if len(evaluator.histograms) else ():
        found[row] = Element(found[row].sample, 0.0, histogram)
    return found


def _histograms(evaluator: Evaluator, values: Floats) -> list[tuple[int, Histogram]]:
    marks = boxed(values)
    if not marks.any():
        return []
    return list(zip(marks.nonzero()[0].tolist(), evaluator.histograms.unbox(values[marks]), strict=True))


def _go_value(element: Element) -> Any:
    if element.histogram is None:
        return element.value
    from sentinel.promql.histograms import text

    histogram = element.histogram
    fields = {"Count": histogram.count, "Sum": histogram.sum, "text": text(histogram)}
    return _GoHistogram("*histogram.FloatHistogram", fields)
