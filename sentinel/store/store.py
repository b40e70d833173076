"""The store: the index of series, their windows and the way from raw hashes to slots, kept in step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from sentinel.model import Bools, Floats, Int64s, Labels, Matcher, SampleBatch
from sentinel.model.histogram import Histogram, boxed
from sentinel.store import _kernels as kernels
from sentinel.store.deltas import ingest_deltas
from sentinel.store.histograms import Histograms
from sentinel.store.index import UNASKED, Demand, Selection, SeriesIndex, selected_name
from sentinel.store.label_rows import restored
from sentinel.store.lookup import HashTable, label_sets
from sentinel.store.owed import Owed
from sentinel.store.windows import Windows

DROP_REASONS = {
    kernels.DUPLICATE: "duplicate_timestamp",
    kernels.OUT_OF_ORDER: "out_of_order",
    kernels.TOO_LATE: "too_late",
    kernels.SERIES_LIMIT: "series_limit",
}
EXPIRY_MS = 600_000
"""A series is forgotten when it has been silent for its window and this much longer."""
SPELLINGS: Final = 8
"""How many ways of writing one label set are remembered, on average."""
_AT_ONCE: Final = 1 << 14


class Store:
    """Series by slot. `retention_ms` None keeps what is asked for; a number keeps all at least that long."""

    def __init__(self, *, retention_ms: int | None = None) -> None:
        self.index = SeriesIndex()
        self.windows = Windows()
        self.histograms = Histograms()
        self.source_version = 0
        """Changes when a source starts to feed a series that was there, and not fed by it, before."""
        self._version = 0
        self._version_of: dict[str, int] = {}
        self._retention_ms = retention_ms
        self._table = HashTable()
        self._asked: list[Selection] = []
        self.owed = Owed(everything=retention_ms is not None)
        self._serial = 1
        self._creator = np.zeros(256, np.int64)
        self._created: dict[int, int] = {}

    # Reading

    def selection(self, matchers: tuple[Matcher, ...]) -> Selection:
        self.owed.settle(selected_name(matchers))
        return self.index.selection(matchers)

    def live(self) -> Int64s:
        """The slots of all series."""
        self.owed.settle()
        return self.index.live()

    def labels(self, slot: int) -> Labels:
        return self.index.labels(slot)

    def find(self, labels: Labels) -> int:
        """The slot of a series, or -1."""
        return int(self.index.find([labels])[0])

    @property
    def serial(self) -> Int64s:
        """By slot, a number never given twice."""
        return self.windows.meta[:, kernels.SERIAL]

    @property
    def sources(self) -> Int64s:
        """By slot, the bits of the sources that feed it."""
        return self.windows.meta[:, kernels.SOURCES]

    @property
    def created(self) -> Mapping[int, int]:
        """How many series are here that each source brought first, by the source's bits; 0: no source."""
        return MappingProxyType(self._created)

    def stamp(self, names: Iterable[str]) -> tuple[int, ...]:
        """As long as it is the same, so are all samples of the metrics of these names."""
        return (self._version, *[self._version_of.get(name, 0) for name in names])

    @property
    def timestamp_ms(self) -> Int64s:
        return self.windows.timestamp_ms

    @property
    def value(self) -> Floats:
        return self.windows.value

    def latest(self, slots: Int64s, at_ms: int, lookback_ms: int) -> tuple[Bools, Floats, Int64s]:
        """(present, value, timestamp) of the newest sample in (at - lookback, at] of each slot."""
        return self.windows.latest(slots, at_ms, lookback_ms)

    def spans(self, slots: Int64s, from_ms: int, to_ms: int) -> tuple[Int64s, Int64s]:
        """Slab positions [first, last) of those samples in (from, to] of each slot that are not packed."""
        return self.windows.spans(slots, from_ms, to_ms)

    # Writing

    def demand(self, demands: Iterable[Demand]) -> None:
        """What is read from now on. Windows of series already here are resized for what comes."""
        self._version += 1
        for selection in self._asked:
            selection.keep_ms = UNASKED
        self._asked = []
        for demand in demands:
            selection = self.index.selection(demand.matchers)
            selection.keep_ms = max(selection.keep_ms, demand.keep_ms)
            self._asked.append(selection)
        self.owed.demand(selected_name(selection.matchers) for selection in self._asked)
        live = self.index.live()
        least_ms = UNASKED if self._retention_ms is None else self._retention_ms
        keep_ms = np.full(len(self.windows.meta), least_ms, np.int64)
        for selection in self._asked:
            slots = selection.slots()
            keep_ms[slots] = np.maximum(keep_ms[slots], selection.keep_ms)
        self.windows.keep(live, keep_ms[live])

    def ingest(
        self, batch: SampleBatch, source_mask: int, series_limit: int = 1 << 62
    ) -> tuple[Int64s, Int64s]:
        """Store a batch; returns (slot of each row, how many rows met each outcome by its code).

        Row after row: a series new to the store is made while its source has fewer than `series_limit`. Which
        rows are refused depends on the label sets alone, not on how they are written or come in batches.
        """
        if self.index.renewal is not None:
            self._tidy()
        slots = self.index.slots(self._table.find(batch.series_hash))
        missing = np.flatnonzero(slots < 0)
        for start in range(0, len(missing), _AT_ONCE):
            rows = missing[start : start + _AT_ONCE]
            if start:  # some have become known a moment ago
                slots[rows] = self.index.slots(self._table.find(batch.series_hash[rows]))
            self._resolve(batch, slots, rows[slots[rows] < 0], source_mask, series_limit)
        if batch.delta_from_ms is not None:
            return slots, ingest_deltas(self, batch, slots, source_mask)
        value = batch.value
        if batch.histograms:
            self.sweep_histograms()
            value = value.copy()
            value[boxed(value)] = self.histograms.box(batch.histograms)
        return slots, self.write(slots, batch.timestamp_ms, value, source_mask)

    def write(
        self,
        slots: Int64s,
        timestamp_ms: Int64s,
        value: Floats,
        source_mask: int,
        names: Iterable[str] | None = None,
    ) -> Int64s:
        """Store rows whose slots are known (-1: refused for the series limit); counts by outcome.

        Whoever knows the metric names of all rows says them: what else has been computed stays valid.
        """
        self._changed(names)
        outcome = self.windows.append(slots, timestamp_ms, value, source_mask)
        self.source_version += self.windows.refed()
        if len(self.histograms):
            for row in np.flatnonzero((outcome == kernels.DUPLICATE) & boxed(value)).tolist():
                self.histograms.settle(self.windows, slots[row], timestamp_ms[row], value[row : row + 1])
        return np.bincount(outcome, minlength=kernels.OUTCOMES)

    def slot(self, labels: Labels) -> int:
        """The slot of a series, made if it is new.

        It takes no place of a source's: what rules make is bounded by what they read.
        """
        return int(self.slots([labels])[0])

    def slots(self, series: Iterable[Labels], source_mask: int = 0) -> Int64s:
        """The slots of series, made where new."""
        return self.slots_of(self.index.ids(series), source_mask)

    def add(self, labels: Labels, timestamp_ms: Sequence[int], value: Sequence[float]) -> int:
        """A few samples of one series: for edges and tests."""
        slot = self.slot(labels)
        rows = np.full(len(timestamp_ms), slot, np.int64)
        self.write(rows, np.array(timestamp_ms, np.int64), np.array(value, np.float64), 0)
        return slot

    def sweep_histograms(self) -> None:
        """Now and then, forget histograms that no window holds any more; boxes elsewhere end with it."""
        if self.histograms.wants_sweep:
            self.histograms.sweep(self.windows.mark_boxes)

    def expire(self, held: int = 0) -> int:
        """Forget series that have been silent beyond their window; returns how many.

        What `held` sources feed (bits) is not silent: they are away.
        """
        gone = self.windows.silent(self.index.live(), EXPIRY_MS, held)
        if len(gone):
            self._version += 1
            for mask, count in zip(*np.unique(self._creator[gone], return_counts=True), strict=True):
                self._created[int(mask)] -= int(count)
            self.index.remove(gone)
            self.windows.close(gone)
        self._tidy()
        return len(gone)

    def _tidy(self) -> None:
        renamed = self.index.tidy()
        if renamed is not None:
            self._table.rename(renamed)

    # State

    def snapshot(self) -> dict[str, Any]:
        """Everything, as plain values, histograms and arrays that nobody will write to again."""
        slots = self.index.live()
        held = self.windows.dump(slots)
        meta = self.windows.meta[slots]
        return {
            "labels": self.index.rows(slots).dump(),
            "creator": self._creator[slots],
            "sources": meta[:, kernels.SOURCES].copy(),
            "last": meta[:, kernels.LAST].copy(),
            "keep": meta[:, kernels.KEEP].copy(),
            **held,
            "histograms": self.histograms.unbox(held["value"][boxed(held["value"])]),
            "horizon_ms": self.windows.horizon_ms,
            "horizons_ms": list(self.windows.horizons_ms.items()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Fill an empty store, of which `demand` was called, from a snapshot: what was forgotten stays so."""
        self.windows.horizon_ms = state["horizon_ms"]
        self.windows.horizons_ms = dict(state.get("horizons_ms", ()))
        masks, ids = state["creator"], restored(state["labels"], self.index.pool)
        slots = np.zeros(len(masks), np.int64)
        for mask in np.unique(masks).tolist():
            mine = np.flatnonzero(masks == mask)
            slots[mine] = self.slots_of(ids[mine], mask)
        rows, value = np.repeat(slots, state["count"]), state["value"].copy()
        value[boxed(value)] = self.histograms.box(map(Histogram.load, state.get("histograms", ())))
        asked_ms = self.windows.meta[slots, kernels.KEEP]
        self.windows.meta[slots, kernels.KEEP] = state.get("keep", asked_ms)  # earlier releases: unknown
        self.windows.load(slots, state)
        self.windows.append(rows, state["timestamp_ms"], value, 0)
        if len(slots):
            self.windows.meta[slots, kernels.SOURCES] = state["sources"]
            self.windows.meta[slots, kernels.LAST] = state["last"]
            self.windows.keep(slots, asked_ms)
        self.source_version += 1

    def _changed(self, names: Iterable[str] | None) -> None:
        if names is None:
            self._version += 1
        for name in names or ():
            self._version_of[name] = self._version_of.get(name, 0) + 1

    def _resolve(
        self, batch: SampleBatch, slots: Int64s, rows: Int64s, source_mask: int, series_limit: int
    ) -> None:
        """Find or make the slots of rows whose hash is unknown; fills `slots` in place.

        While there is room for all of them they are made; else each time only so many as surely may be.
        """
        while len(rows):
            room = series_limit - self._created.get(source_mask, 0)
            if len(rows) > room:
                ids = label_sets(batch, rows, self.index.pool, make=False)
                self._know(batch, slots, rows, ids, self.index.slots(ids))
                rows = rows[slots[rows] < 0]
            if room <= 0:
                return
            some, rows = rows[:room], rows[room:]
            ids = label_sets(batch, some, self.index.pool, make=True)
            self._know(batch, slots, some, ids, self.slots_of(ids, source_mask))

    def _know(self, batch: SampleBatch, slots: Int64s, rows: Int64s, ids: Int64s, found: Int64s) -> None:
        """These rows have these slots (-1: none), and so have others of the same spelling from now on."""
        slots[rows] = found
        limit = SPELLINGS * len(self.index) + _AT_ONCE
        self._table.put(batch.series_hash[rows], np.where(found >= 0, ids, -1), limit)

    def slots_of(self, ids: Int64s, source_mask: int) -> Int64s:
        """The slots of label sets, made where new."""
        slots, keep_ms = self.index.add(ids)
        if len(slots):
            self._created[source_mask] = self._created.get(source_mask, 0) + len(slots)
            highest = int(slots.max())
            if highest >= len(self._creator):
                self._creator = np.resize(self._creator, highest + highest // 4 + 1)
            self._creator[slots] = source_mask
            least_ms = UNASKED if self._retention_ms is None else self._retention_ms
            self.windows.open(slots, np.maximum(keep_ms, least_ms), self._serial + np.arange(len(slots)))
            self._serial += len(slots)
        return self.index.slots(ids)
