"""What every rule needs while it runs, and what it gives back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from sentinel.errors import RuleError
from sentinel.model import AlertEvent, Floats, Int64s, Labels
from sentinel.promql import Evaluator, Query, Scalar, Vector
from sentinel.store.index import Demand
from sentinel.store.store import Store


class Guard:
    """Told what is about to be evaluated, in case nobody lives to tell. This one does not care."""

    def rules(self) -> frozenset[tuple[str, str]]:
        """(group key, identity) of rules that are set aside: they are not evaluated."""
        return frozenset()

    def loaded(self, rules: Collection[tuple[str, str]]) -> None:
        """These are all the rules there are now."""

    def evaluating(self, group: str, rule: str, at_ms: int) -> None:
        """A rule's turn comes."""

    def evaluated(self) -> None:
        """The group is through."""


class Context(msgspec.Struct, frozen=True):
    """The engine's parts and settings that rules work with."""

    store: Store
    evaluator: Evaluator
    external_labels: Labels = Labels()
    external_url: str = ""
    guard: Guard = Guard()
    source_labels: Mapping[int, Labels] = {}
    """By the bit of a source, the labels that all its series have."""


class Moment(msgspec.Struct, frozen=True):
    """One evaluation: its event time, the time its samples are read and written at, and its doubts."""

    at_ms: int
    sample_ms: int
    """`at_ms` less the group's query offset."""
    incomplete: bool = False
    away: tuple[Labels, ...] = ()
    """For each source that feeds the rule and is away, the labels that all its series have."""

    def may_be_away(self, sample: Labels) -> bool:
        """Whether something of these labels may come from a source that is away. A label that it lacks
        may have been aggregated over."""
        return any(all(sample.get(name) in ("", value) for name, value in each) for each in self.away)


class RunningRule(Protocol):
    """A rule with its state. `evaluate` raises RuleError or QueryError and then has changed nothing."""

    name: str
    query: Query
    """Of its expression."""
    queries: tuple[Query, ...]
    """All that it asks at every evaluation or now and then."""
    problem: RuleError | None
    """What was wrong with the last evaluation although it went through (a limit that was hit)."""

    def demands(self) -> Sequence[Demand]: ...

    def evaluate(self, moment: Moment) -> list[AlertEvent]: ...

    def snapshot(self) -> dict[str, Any]:
        """Its state; `series` names the series it writes, `active` (of an alerting rule) its alerts."""
        ...

    def restore(self, state: dict[str, Any]) -> None: ...


def instant_vector(evaluator: Evaluator, query: Query, at_ms: int) -> tuple[Int64s, Floats]:
    """(label set ids, values) of a query; a scalar counts as one sample without labels.

    Raises:
        RuleError: the expression gives a string or a range.
    """
    value = evaluator.instant(query, at_ms)
    if isinstance(value, Vector):
        return value.ids, value.values
    if isinstance(value, Scalar):
        return np.array([evaluator.intern(Labels())], np.int64), np.array([value.value], np.float64)
    raise RuleError("rule result is not a vector or scalar")


def elements(evaluator: Evaluator, query: Query, at_ms: int) -> frozenset[Labels]:
    """The labels of a query's result, without the metric name."""
    ids, _ = instant_vector(evaluator, query, at_ms)
    return frozenset(evaluator.labels(id).drop(["__name__"]) for id in ids.tolist())


def selection_masks(store: Store, *queries: Query) -> list[int]:
    """For each selector of queries, the sources that feed it, as bits. One that matches nothing has none."""
    selections = (selection for query in queries for selection in query.selections)
    return [selection.fed_by(store.sources, store.source_version) for selection in selections]


def source_mask(store: Store, *queries: Query) -> int:
    """The sources that feed any selector of queries, as bits."""
    mask = 0
    for each in selection_masks(store, *queries):
        mask |= each
    return mask
