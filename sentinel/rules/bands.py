"""The bands of a detector's scores, three series for each: written when somebody reads them.

Of series that no rule reads the store keeps the newest sample alone. Writing those at every evaluation would
be most of a detector rule's work and memory, so the last ones wait here until somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
import numpy as np

from sentinel.model import Floats, Int64s
from sentinel.promql import Query
from sentinel.rules.context import Context, source_mask
from sentinel.rules.rows import Rows
from sentinel.rules.writer import SeriesWriter, bare

BANDS = ("expected", "lower", "upper")


class Band(msgspec.Struct, frozen=True, eq=False):
    """What an evaluation at `at_ms` gives: by band a value for each of `rows` of the detector's state."""

    rows: Int64s
    values: Mapping[str, Floats]
    at_ms: int


class Bands:
    """Writes `record:expected`, `record:lower` and `record:upper`, the rule's labels over the results'."""

    def __init__(
        self, record: str, labels: Mapping[str, str], query: Query, rows: Rows, context: Context
    ) -> None:
        self.writers = {
            band: SeriesWriter(context.store, context.evaluator, f"{record}:{band}", labels) for band in BANDS
        }
        self._labels, self._query, self._rows = labels, query, rows
        self._store, self._evaluator = context.store, context.evaluator
        self._last = Band(np.empty(0, np.int64), {}, 0)
        self._sets: tuple[int, Int64s] = (-1, self._last.rows)
        """(generation, label sets as `bare` gives them) of its rows."""
        self._waiting: set[str] = set()

    def write(self, band: Band, sets: Int64s) -> None:
        """`sets` are those of the band's rows, as `bare` gives them."""
        self._last, self._sets = band, (self._evaluator.generation, sets)
        self._owe(band.values)

    def snapshot(self) -> dict[str, Any]:
        owed = {band: values for band, values in self._last.values.items() if band in self._waiting}
        return {"owed": (self._last.rows, owed, self._last.at_ms)} if owed else {}

    def restore(self, state: dict[str, Any]) -> None:
        """After the rows and the writers."""
        if "owed" in state:
            self._last, self._sets = Band(*state["owed"]), (-1, self._last.rows)
            self._owe(self._last.values)

    def _owe(self, bands: Mapping[str, Floats]) -> None:
        self._waiting = set(bands)
        for band in bands:
            name = self.writers[band].name
            if self._store.owed.is_read(name):
                self._settle(band)
            else:
                self._store.owed.put(name, self, partial(self._settle, band))

    def _settle(self, band: str) -> None:
        self._waiting.remove(band)
        generation, sets = self._sets
        if generation != self._evaluator.generation:
            sets = bare(self._evaluator, self._rows.label_sets(self._last.rows), self._labels)
            self._sets = (self._evaluator.generation, sets)
        mask = source_mask(self._store, self._query)
        self.writers[band].write_known(sets, self._last.values[band], self._last.at_ms, mask)
