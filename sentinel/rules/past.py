"""Samples of the past, read again for windows that are not full: what of them is taken in."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from sentinel.model import Bools, Int64s, Labels, Matcher, SampleBatch
from sentinel.model.histogram import boxed
from sentinel.rules.filling import Filling
from sentinel.store.lookup import HashTable
from sentinel.store.store import DROP_REASONS, Store

UNASKED: Final = "unasked"
SPELLINGS: Final = 1 << 21
"""Of so many label sets it is remembered whether anybody asked for them."""


class PastSamples:
    """Takes in late what rules ask for, of series that are gone too; what nobody asks for makes no series."""

    def __init__(self, store: Store, filling: Filling) -> None:
        self._store, self._filling = store, filling
        self._asked = HashTable()
        """By the hash of a spelling, 1 if it is asked for and 0 if it is not."""
        self._changes = 0

    @property
    def changes(self) -> int:
        """Another number whenever something else is missing."""
        return self._filling.changes

    def missing_since_ms(self, source: int) -> int:
        """Since when samples of a source (its bit) are asked for that were not kept; 0: none are."""
        return self._filling.missing_since_ms(source)

    def filled(self, source: int, since_ms: int) -> None:
        """All that a source (its bit) has given since then was ingested."""
        self._filling.filled(source, since_ms)

    def ingest(self, batch: SampleBatch, source: int, series_limit: int) -> tuple[int, dict[str, int]]:
        """As the engine's `ingest`: (stored, dropped by reason). What is there already is a duplicate."""
        rows = self._rows_asked_for(batch)
        _, counts = self._store.ingest(_select(batch, rows), source, series_limit)
        dropped = {reason: int(counts[code]) for code, reason in DROP_REASONS.items() if counts[code]}
        if len(rows) < len(batch):
            dropped[UNASKED] = len(batch) - len(rows)
        return int(counts[0]), dropped

    def _rows_asked_for(self, batch: SampleBatch) -> Int64s:
        if self._changes != self._filling.changes:
            self._asked.clear()
            self._changes = self._filling.changes
        asked = self._asked.find(batch.series_hash)
        new = np.flatnonzero(asked < 0)
        if len(new):
            hashes, first, place = np.unique(
                batch.series_hash[new], axis=0, return_index=True, return_inverse=True
            )
            found = self._asked_for(batch.labels_of(new[first])).astype(np.int64)
            self._asked.put(hashes, found, SPELLINGS)
            asked[new] = found[place.ravel()]
        return np.flatnonzero(asked == 1)

    def _asked_for(self, series: list[Labels]) -> Bools:
        """Of series that are here the index knows; others are held against the selectors."""
        here = np.zeros(len(self._store.sources), np.bool_)
        for matchers in self._filling.missing:
            here[self._store.selection(matchers).slots()] = True
        slots = self._store.index.find(series).tolist()
        pairs = zip(slots, series, strict=True)
        return np.array([here[slot] if slot >= 0 else self._meant(each) for slot, each in pairs], np.bool_)

    def _meant(self, labels: Labels) -> bool:
        return any(_matches(matchers, labels) for matchers in self._filling.missing)


def _matches(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    return all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)


def _select(batch: SampleBatch, rows: Int64s) -> SampleBatch:
    """The same batch with these rows only."""
    histograms = batch.histograms
    if histograms:
        boxes = np.flatnonzero(boxed(batch.value))
        histograms = tuple(histograms[n] for n in np.flatnonzero(np.isin(boxes, rows)).tolist())
    return msgspec.structs.replace(
        batch,
        series_hash=batch.series_hash[rows],
        key=batch.key[rows],
        timestamp_ms=batch.timestamp_ms[rows],
        value=batch.value[rows],
        record=batch.record[rows],
        histograms=histograms,
    )
