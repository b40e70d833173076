"""What every rule needs while it runs, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from sentinel.errors import RuleError
from sentinel.model import AlertEvent, Floats, Int64s, Labels
from sentinel.promql import Evaluator, Query, Scalar, Vector
from sentinel.store.index import Demand
from sentinel.store.store import Store


class Context(msgspec.Struct, frozen=True):
    """The engine's parts and settings that rules work with."""

    store: Store
    evaluator: Evaluator
    external_labels: Labels = Labels()
    external_url: str = ""


class Moment(msgspec.Struct, frozen=True):
    """One evaluation: its event time, the time its samples are read and written at, and its doubts."""

    at_ms: int
    sample_ms: int
    """`at_ms` less the group's query offset."""
    incomplete: bool = False


class RunningRule(Protocol):
    """A rule with its state. `evaluate` raises RuleError or QueryError and then has changed nothing."""

    name: str
    query: Query
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
    raise RuleError(f"the expression gives a {type(value).__name__.lower()}, not a vector or scalar")


def source_mask(store: Store, query: Query) -> int:
    """The sources that feed the selectors of a query, as bits. Selectors that match nothing have none."""
    mask = 0
    for selection in query.selections:
        slots = selection.slots()
        if len(slots):
            mask |= int(np.bitwise_or.reduce(store.sources[slots]))
    return mask
