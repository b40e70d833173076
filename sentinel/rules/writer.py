"""Writing a rule's results as series: what each is called is found once, then columns are written.

Series that a rule no longer gives end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sentinel.errors import RuleError
from sentinel.model import Floats, Int32s, Int64s
from sentinel.promql import Evaluator
from sentinel.rules.remembered import Remembered
from sentinel.store.label_rows import carried
from sentinel.store.store import Store
from sentinel.store.tracked import Tracked, end


class SeriesWriter:
    """Writes `name{result labels + rule labels}` for label set ids of an evaluator."""

    def __init__(self, store: Store, evaluator: Evaluator, name: str, labels: Mapping[str, str]) -> None:
        self.name = name
        self._store, self._evaluator = store, evaluator
        self._own = {**labels, "__name__": name}
        self._names = (name,)
        self._slot_of = Remembered(evaluator, columns=2)
        self.written = Tracked()
        """By the last evaluation."""

    def write_known(self, sets: Int64s, values: Floats, at_ms: int, source_mask: int) -> None:
        """As `write`, of those label sets alone whose value is a number."""
        known = ~np.isnan(values)
        if known.all():  # the same array again is the quickest to recognise
            self.write(sets, values, at_ms, source_mask)
        else:
            self.write(sets[known], values[known], at_ms, source_mask)

    def write(self, sets: Int64s, values: Floats, at_ms: int, source_mask: int) -> None:
        """One sample each at `at_ms` for label sets as `bare` gives them.

        Series of the last write that are not in this one end.
        """
        slots, serials = self._slot_of.find(sets)
        new = np.flatnonzero(self._store.serial[slots] != serials)  # what is forgotten is, too
        if len(new):
            slots = slots.copy()
            slots[new] = self._slots(sets[new])
            serials = self._store.serial[slots]
        self._slot_of.keep(sets, slots, serials)
        before, self.written = self.written, Tracked(slots, serials)
        end_vanished(self._store, before.without(self.written, self._store), at_ms, self._names)
        times = np.full(len(slots), at_ms, np.int64)
        self._store.write(slots, times, np.ascontiguousarray(values), source_mask, self._names)

    def _slots(self, sets: Int64s) -> Int64s:
        """The slots of these series, made where new."""
        pool = self._store.index.pool
        rows = carried(self._evaluator.sets.pool, sets, pool)
        return self._store.slots_of(pool.intern_rows(*self._laid_over(*rows)), 0)

    def _laid_over(self, flat: Int32s, ends: Int64s) -> tuple[Int32s, Int64s]:
        """The rule's labels among those of results, all as rows of the store's pairs."""
        pairs = self._store.index.pool.pairs
        for name, value in self._own.items():
            if value:
                number = pairs.number(name, value)
                before = np.array([each < name for each in pairs.names], np.bool_)
                counts = np.concatenate(([0], np.cumsum(before[pairs.name_of[flat]])))
                starts = np.concatenate(([0], ends[:-1]))
                flat = np.insert(flat, starts + counts[ends] - counts[starts], number)
                ends = ends + np.arange(1, len(ends) + 1)
        return flat, ends


def bare(evaluator: Evaluator, ids: Int64s, names: Iterable[str]) -> Int64s:
    """The label sets of results without the labels of these names, which a rule lays over, and the metric's.

    Raises:
        RuleError: two results have the same labels once the rule's labels are laid over.
    """
    found = evaluator.sets.dropping((*names, "__name__"))(ids)
    if evaluator.sets.duplicate(found) >= 0:
        raise RuleError("vector contains metrics with the same labelset after applying rule labels")
    return found


def end_vanished(store: Store, slots: Int64s, at_ms: int, names: Sequence[str]) -> None:
    """These series, of metrics of these names, are over, but those that another rule has just written to."""
    if len(slots):
        fresh, _, _ = store.latest(slots, at_ms, 1)
        end(store, slots[~fresh], at_ms, names)
