"""Windows that do not reach back yet as far as a rule reads: nobody asked for so much before.

The store keeps what rules ask for. A rule that comes with a reload and reads an hour back finds what the
rules before it kept, and has its whole hour once it has passed, or once the past was read again.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from sentinel.model import Int64s, Matcher
from sentinel.promql.plan import FOREVER_MS
from sentinel.store.index import Demand, selected_name
from sentinel.store.store import Store

Matchers = tuple[Matcher, ...]


class Filling:
    """For what is demanded but not there yet, since when everything is kept."""

    def __init__(self, store: Store, retention_ms: int | None) -> None:
        self._store = store
        self._retention_ms = retention_ms or 0
        self.demands: tuple[Demand, ...] = ()
        self.changes = 0
        """How often the demands have changed under way."""
        self.made: frozenset[str] = frozenset()
        """Metric names of what rules make: no source has them."""
        self._since_ms: dict[Matchers, int] = {}
        self._unseen_since_ms: dict[Matchers, int] = {}
        """Likewise of selectors that mean no series: they may have meant some that are forgotten."""
        self._from_ms: dict[Matchers, int] = {}
        """Since when samples are asked for, of both."""
        self._filled: dict[int, int] = {}
        """By source bit, since when its past was read again."""

    def change(self, demands: Iterable[Demand], at_ms: int) -> None:
        """Other demands from `at_ms` on. 0: nothing was evaluated yet, so nothing is missed."""
        before, self.demands = self.demands, tuple(sorted(set(demands), key=lambda each: each.keep_ms))
        if not at_ms or before == self.demands:
            return
        self.changes += 1
        begun_ms, unseen = self._begun_ms(before, at_ms), self._unseen_since_ms
        kept_ms = {demand.matchers: max(demand.keep_ms, self._retention_ms) for demand in before}
        self._since_ms, self._unseen_since_ms, self._from_ms, self._filled = {}, {}, {}, {}
        for demand in self.demands:
            matchers, slots = demand.matchers, self._store.selection(demand.matchers).slots()
            if len(slots):
                since_ms, missing = int(begun_ms[slots].max()), self._since_ms
            elif selected_name(matchers) in self.made:
                continue
            else:
                since_ms, missing = at_ms - kept_ms.get(matchers, self._retention_ms), self._unseen_since_ms
                since_ms = max(since_ms, unseen.get(matchers, since_ms))
            if at_ms < since_ms + demand.keep_ms < FOREVER_MS:
                missing[matchers], self._from_ms[matchers] = since_ms, at_ms - demand.keep_ms

    def until_ms(self, demand: Demand) -> int:
        """When the window will be full, or was; 0: it was never in doubt."""
        since_ms = self._since_ms.get(demand.matchers)
        return 0 if since_ms is None or not demand.keep_ms else since_ms + demand.keep_ms

    @property
    def missing(self) -> tuple[Matchers, ...]:
        """The selectors of which something was missing when the demands changed last."""
        return tuple(self._from_ms)

    def missing_since_ms(self, source: int) -> int:
        """Since when samples of a source (its bit) are asked for that were not kept; 0: none are."""
        found = [
            from_ms
            for matchers, from_ms in self._from_ms.items()
            if not len(fed_by := self._fed_by(matchers)) or (fed_by & source).any()
        ]
        return min(found, default=0)

    def filled(self, source: int, since_ms: int) -> None:
        """All that a source (its bit) has given since then is there. A window is full by all who feed it."""
        self._filled[source] = since_ms
        every = functools.reduce(operator.or_, self._filled)
        for matchers, before_ms in self._since_ms.items():
            fed_by = self._fed_by(matchers)
            if ((fed_by != 0) & ((fed_by & ~every) == 0)).all():
                reached_ms = max(at for bit, at in self._filled.items() if (fed_by & bit).any())
                self._since_ms[matchers] = min(before_ms, reached_ms)
        for matchers, before_ms in self._unseen_since_ms.items():
            self._unseen_since_ms[matchers] = min(before_ms, since_ms)

    def snapshot(self) -> dict[str, Any]:
        tables = {"since_ms": self._since_ms, "unseen": self._unseen_since_ms, "from_ms": self._from_ms}
        state = {"demands": self.demands} | {name: list(table.items()) for name, table in tables.items()}
        plain = {name: msgspec.to_builtins(each) for name, each in state.items()}
        return plain | {"changes": self.changes}

    def restore(self, state: dict[str, Any]) -> None:
        """The demands and what is missing of them as they were, to be changed from."""
        self.demands = msgspec.convert(state["demands"], tuple[Demand, ...])
        self._since_ms = _table(state["since_ms"])
        self._unseen_since_ms = _table(state.get("unseen", ()))
        self._from_ms = _table(state.get("from_ms", ()))
        self.changes = state.get("changes", 0)

    def _begun_ms(self, before: Iterable[Demand], at_ms: int) -> Int64s:
        """By slot, since when everything is there."""
        begun_ms = np.full(len(self._store.sources), at_ms - self._retention_ms, np.int64)
        for demand in before:  # the longest come last
            slots = self._store.selection(demand.matchers).slots()
            begun_ms[slots] = np.minimum(begun_ms[slots], at_ms - demand.keep_ms)
        for matchers, since_ms in self._since_ms.items():
            slots = self._store.selection(matchers).slots()
            begun_ms[slots] = np.maximum(begun_ms[slots], since_ms)
        return begun_ms

    def _fed_by(self, matchers: Matchers) -> Int64s:
        """The sources (bits) that feed the series of a selector, each combination once."""
        return np.unique(self._store.sources[self._store.selection(matchers).slots()])


def _table(rows: Any) -> dict[Matchers, int]:
    return dict(msgspec.convert(rows, list[tuple[Matchers, int]]))
