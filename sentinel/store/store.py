"""The store: the index of series, their windows and the way from raw hashes to slots, kept in step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from sentinel.model import STALE, Bools, Floats, Int64s, Labels, Matcher, SampleBatch
from sentinel.model.histogram import Histogram, boxed
from sentinel.store import _kernels as kernels
from sentinel.store.histograms import Histograms
from sentinel.store.index import UNASKED, Demand, Selection, SeriesIndex
from sentinel.store.lookup import HashTable, KnownSets
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
_AT_ONCE: Final = 4096


class Store:
    """Series by slot. `retention_ms` None keeps what is asked for; a number keeps all at least that long."""

    def __init__(self, *, retention_ms: int | None = None) -> None:
        self.index = SeriesIndex()
        self.windows = Windows()
        self.histograms = Histograms()
        self.source_version = 0
        """Changes when a source starts to feed a series that it did not feed before."""
        self._version = 0
        self._version_of: dict[str, int] = {}
        self._retention_ms = retention_ms
        self._table = HashTable()
        self._asked: list[Selection] = []
        self._serial = 0
        self._creator = np.zeros(256, np.int64)
        self._created: dict[int, int] = {}
        self._known: KnownSets | None = None
        """Made when the first source is at its limit: nobody else needs it."""

    # Reading

    def selection(self, matchers: tuple[Matcher, ...]) -> Selection:
        return self.index.selection(matchers)

    def labels(self, slot: int) -> Labels:
        return self.index.labels[slot]

    def find(self, labels: Labels) -> int:
        """The slot of a series, or -1."""
        return self.index.find(labels)

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
        """Slab positions [first, last) of the samples in (from, to] of each slot."""
        return self.windows.spans(slots, from_ms, to_ms)

    def survey(self, slots: Int64s, from_ms: int, to_ms: int) -> tuple[Int64s, Int64s, int, int, bool]:
        """`spans`, how many samples they hold, the fewest of a slot, whether any is a staleness marker."""
        return self.windows.survey(slots, from_ms, to_ms)

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
        live = np.array(self.index.live(), np.int64)
        least_ms = UNASKED if self._retention_ms is None else self._retention_ms
        self.windows.meta[live, kernels.KEEP] = least_ms
        for selection in sorted(self._asked, key=lambda each: each.keep_ms):
            self.windows.meta[selection.slots(), kernels.KEEP] = max(selection.keep_ms, least_ms)

    def ingest(
        self, batch: SampleBatch, source_mask: int, series_limit: int = 1 << 62
    ) -> tuple[Int64s, Int64s]:
        """Store a batch; returns (slot of each row, how many rows met each outcome by its code).

        Row after row: a series new to the store is made while its source has fewer than `series_limit`. Which
        rows are refused depends on the label sets alone, not on how they are written or come in batches.
        """
        slots = self._table.find(batch.series_hash)
        missing = np.flatnonzero(slots < 0)
        for start in range(0, len(missing), _AT_ONCE):
            self._resolve(batch, slots, missing[start : start + _AT_ONCE], source_mask, series_limit)
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
        fed = slots[slots >= 0]
        if ((self.windows.meta[fed, kernels.SOURCES] & source_mask) != source_mask).any():
            self.source_version += 1
        outcome = self.windows.append(slots, timestamp_ms, value, source_mask)
        if len(self.histograms):
            for row in np.flatnonzero((outcome == kernels.DUPLICATE) & boxed(value)).tolist():
                self.histograms.settle(self.windows.at(slots[row], timestamp_ms[row]), value[row : row + 1])
        return np.bincount(outcome, minlength=kernels.OUTCOMES)

    def slot(self, labels: Labels) -> int:
        """The slot of a series, made if it is new.

        It takes no place of a source's: what rules make is bounded by what they read.
        """
        return self.slots([labels])[0]

    def slots(self, series: Iterable[Labels], source_mask: int = 0, series_limit: int = 1 << 62) -> list[int]:
        """The slots of series, made where new; -1 where that would pass the limit of their source."""
        found, new, created = [], [], self._created.get(source_mask, 0)
        for labels in series:
            slot = self.index.find(labels)
            if slot < 0 and created < series_limit:
                slot, keep_ms = self.index.add(labels)
                created += 1
                self._serial += 1
                new.append((slot, keep_ms, self._serial))
            found.append(slot)
        self._created[source_mask] = created
        if new:
            slots, keep_ms_of, serials = np.ascontiguousarray(np.array(new, np.int64).T)
            if slots.max() >= len(self._creator):
                self._creator = np.resize(self._creator, 2 * int(slots.max()))
            self._creator[slots] = source_mask
            least_ms = UNASKED if self._retention_ms is None else self._retention_ms
            self.windows.open(slots, np.maximum(keep_ms_of, least_ms), serials)
            if self._known is not None:
                self._known.add(map(self.labels, slots.tolist()), slots)
        return found

    def add(self, labels: Labels, timestamp_ms: Sequence[int], value: Sequence[float]) -> int:
        """A few samples of one series: for edges and tests."""
        slot = self.slot(labels)
        rows = np.full(len(timestamp_ms), slot, np.int64)
        self.write(rows, np.array(timestamp_ms, np.int64), np.array(value, np.float64), 0)
        return slot

    def end(self, series: Iterable[Labels], at_ms: int, names: Iterable[str] | None = None) -> None:
        """These series yield nothing after `at_ms` until a new sample comes (staleness markers)."""
        self._changed(names)
        slots = np.array([slot for slot in map(self.find, sorted(series)) if slot >= 0], np.int64)
        self.windows.append(slots, np.full(len(slots), at_ms, np.int64), np.full(len(slots), STALE), 0)

    def sweep_histograms(self) -> None:
        """Now and then, forget histograms that no window holds any more; boxes elsewhere end with it."""
        if self.histograms.wants_sweep:
            self.histograms.sweep(self.windows.mark_boxes)

    def expire(self, held: int = 0) -> int:
        """Forget series that have been silent beyond their window; returns how many.

        What `held` sources feed (bits) is not silent: they are away.
        """
        live = np.array(self.index.live(), np.int64)
        if not len(live):
            return 0
        meta = self.windows.meta[live]
        reach = np.maximum(meta[:, kernels.KEEP], 0) + EXPIRY_MS
        masks, which = np.unique(meta[:, kernels.SOURCES], return_inverse=True)
        now_ms = np.array([self.windows.horizon_of(mask) for mask in masks.tolist()], np.int64)[which]
        silent = (meta[:, kernels.LAST] < now_ms - reach) & ((meta[:, kernels.SOURCES] & held) == 0)
        gone = live[silent | (meta[:, kernels.COUNT] == 0)]
        if len(gone):
            self._version += 1
            self._table.forget(gone)
            if self._known is not None:
                self._known.forget(gone)
            for mask in self._creator[gone].tolist():
                self._created[mask] -= 1
            self.index.remove(gone.tolist())
            self.windows.close(gone)
        return len(gone)

    # State

    def snapshot(self) -> dict[str, Any]:
        """Everything, as plain values, histograms and arrays that nobody will write to again."""
        slots = np.array(self.index.live(), np.int64)
        count, timestamp_ms, value = self.windows.export(slots)
        meta = self.windows.meta[slots]
        return {
            "labels": [self.index.labels[slot] for slot in slots.tolist()],
            "creator": self._creator[slots],
            "sources": meta[:, kernels.SOURCES].copy(),
            "last": meta[:, kernels.LAST].copy(),
            "count": count,
            "timestamp_ms": timestamp_ms,
            "value": value,
            "histograms": self.histograms.unbox(value[boxed(value)]),
            "horizon_ms": self.windows.horizon_ms,
            "horizons_ms": list(self.windows.horizons_ms.items()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Fill an empty store from a snapshot; `demand` must have been called before."""
        self.windows.horizon_ms = state["horizon_ms"]
        self.windows.horizons_ms = dict(state.get("horizons_ms", ()))
        masks, series = state["creator"], state["labels"]
        slots = np.zeros(len(masks), np.int64)
        for mask in np.unique(masks).tolist():
            mine = np.flatnonzero(masks == mask)
            slots[mine] = self.slots([series[row] for row in mine.tolist()], mask)
        rows, value = np.repeat(slots, state["count"]), state["value"].copy()
        value[boxed(value)] = self.histograms.box(map(Histogram.load, state.get("histograms", ())))
        self.windows.append(rows, state["timestamp_ms"], value, 0)
        if len(slots):
            self.windows.meta[slots, kernels.SOURCES] = state["sources"]
            self.windows.meta[slots, kernels.LAST] = state["last"]
        self.source_version += 1

    def _changed(self, names: Iterable[str] | None) -> None:
        if names is None:
            self._version += 1
        for name in names or ():
            self._version_of[name] = self._version_of.get(name, 0) + 1

    def _resolve(
        self, batch: SampleBatch, slots: Int64s, missing: Int64s, source_mask: int, series_limit: int
    ) -> None:
        """Find or make the slots of rows whose hash is unknown; fills `slots` in place."""
        hashes = batch.series_hash
        slots[missing] = self._table.find(hashes[missing])  # a hash may have become known a moment ago
        missing = missing[slots[missing] < 0]
        if self._created.get(source_mask, 0) >= series_limit:
            if self._known is None:
                self._known = KnownSets(self.index)
            missing = missing[self._known.may_hold(batch, missing)]
        first: dict[tuple[int, int], int] = {}
        keys = [(one, other) for one, other in hashes[missing].tolist()]
        for place, key in enumerate(keys):
            first.setdefault(key, place)
        rows = missing[list(first.values())]
        found = self.slots(batch.labels_of(rows), source_mask, series_limit)
        slot_of = dict(zip(first, found, strict=True))
        slots[missing] = [slot_of[key] for key in keys]
        known = np.array(found, np.int64)
        made = known >= 0
        limit = SPELLINGS * len(self.index) + _AT_ONCE
        self._table.put(hashes[rows][made], known[made], limit)
