"""Windows that do not reach back yet as far as a rule reads: nobody asked for so much before.

The store keeps what rules ask for. A rule that comes with a reload and reads an hour back finds what the
rules before it kept, and has its whole hour only once it has passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from sentinel.model import Matcher
from sentinel.promql.plan import FOREVER_MS
from sentinel.store.index import Demand
from sentinel.store.store import Store


class Filling:
    """For what is demanded but not there yet, since when everything is kept."""

    def __init__(self, store: Store, retention_ms: int | None) -> None:
        self._store = store
        self._retention_ms = retention_ms or 0
        self.demands: tuple[Demand, ...] = ()
        self._since_ms: dict[tuple[Matcher, ...], int] = {}

    def change(self, demands: Iterable[Demand], at_ms: int) -> None:
        """Other demands from `at_ms` on. 0: nothing was evaluated yet, so nothing is missed."""
        before, self.demands = self.demands, tuple(sorted(set(demands), key=lambda each: each.keep_ms))
        if not at_ms or before == self.demands:
            return
        begun_ms = np.full(len(self._store.index.labels), at_ms - self._retention_ms, np.int64)
        for demand in before:  # by slot, since when everything is there: the longest come last
            slots = self._store.selection(demand.matchers).slots()
            begun_ms[slots] = np.minimum(begun_ms[slots], at_ms - demand.keep_ms)
        for matchers, since_ms in self._since_ms.items():
            slots = self._store.selection(matchers).slots()
            begun_ms[slots] = np.maximum(begun_ms[slots], since_ms)
        self._since_ms = {}
        for demand in self.demands:
            slots = self._store.selection(demand.matchers).slots()
            if len(slots):
                since_ms = int(begun_ms[slots].max())
                if at_ms < since_ms + demand.keep_ms < FOREVER_MS:
                    self._since_ms[demand.matchers] = since_ms

    def until_ms(self, demand: Demand) -> int:
        """When the window will be full, or was; 0: it was never in doubt."""
        since_ms = self._since_ms.get(demand.matchers)
        return 0 if since_ms is None or not demand.keep_ms else since_ms + demand.keep_ms

    def snapshot(self) -> dict[str, Any]:
        state = {"demands": self.demands, "since_ms": list(self._since_ms.items())}
        return {name: msgspec.to_builtins(each) for name, each in state.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """The demands and what is missing of them as they were, to be changed from."""
        self.demands = msgspec.convert(state["demands"], tuple[Demand, ...])
        self._since_ms = dict(msgspec.convert(state["since_ms"], list[tuple[tuple[Matcher, ...], int]]))
