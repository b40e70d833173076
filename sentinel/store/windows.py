"""The windows of all series: segments of two slabs, time and value, taken by demand.

A window keeps what an evaluation at or after `horizon_ms` can still reach: everything newer than the horizon
less the window's `keep`, and the newest sample before that. A window that nobody asks for (`keep` -1) holds
its newest sample only. Forgetting is lazy; what is visible does not depend on when it happens, nor on whether
samples are packed: of long windows all but the newest are, in blocks of words that lie in a third slab.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from sentinel.errors import StateError
from sentinel.model import Bools, Floats, Int64s, UInt8s, UInt64s
from sentinel.store import _dump_kernels as dumping
from sentinel.store import _kernels as kernels
from sentinel.store import _packed_kernels as packed
from sentinel.store import _reading_kernels as reading
from sentinel.store import _segment_kernels as segments
from sentinel.store._block_kernels import BOXED
from sentinel.store._block_kernels import replace as replace_value
from sentinel.store._box_kernels import mark_boxes
from sentinel.store.reserved import Reserved
from sentinel.store.slab import Slab

NEVER_MS = -(1 << 62)
_EVER = (NEVER_MS, -NEVER_MS)
_UNPACKED = 512
"""Samples of a block, and of a segment that is packed into it."""


class Survey(msgspec.Struct, frozen=True, eq=False):
    """Where samples in (from_ms, to_ms] of some slots lie: of each in [first, last) of the columns.

    Where some are packed (`deeper`) the columns do not have all yet: see `Windows.unpacked`.
    """

    slots: Int64s
    from_ms: int
    to_ms: int
    first: Int64s
    last: Int64s
    timestamp_ms: Int64s
    value: Floats
    total: int
    least: int
    """No slot has fewer."""
    marked: bool
    """Whether any may be a staleness marker."""
    deeper: bool = False


class Windows:
    """Columns of samples by slot. `timestamp_ms` and `value` are replaced when they grow by copying."""

    def __init__(self, *, in_place: bool = True) -> None:
        self._samples = Slab(np.int64, np.float64, in_place=in_place)
        self._words = Slab(np.int64, in_place=in_place)
        self._meta = Reserved(np.int64, kernels.COLUMNS, in_place=in_place)
        self._room = (np.zeros(_UNPACKED, np.int64), np.zeros(_UNPACKED))
        self._numbers: Int64s = np.zeros(BOXED + 1, np.int64)
        self._block: Int64s = np.zeros(packed.MOST_WORDS, np.int64)
        self._view(256)
        self.horizon_ms = NEVER_MS
        self.horizons_ms: dict[int, int] = {}
        self._refed = np.zeros(1, np.int64)

    @property
    def nbytes(self) -> int:
        """What is in use; the slabs themselves are as large as the machine's memory."""
        return 16 * self._samples.taken + 8 * self._words.taken + self.meta.nbytes

    def open(self, slots: Int64s, keep_ms: Int64s, serials: Int64s) -> None:
        """Fresh windows at these slots; they take memory with their first sample."""
        highest = int(slots.max(initial=0))
        if highest >= len(self.meta):
            self._meta.hold(highest + 1)
            self._view(min(len(self._meta.array), highest + max(highest >> 4, 256)))
        kernels.begin(self.meta, *map(np.ascontiguousarray, (slots, keep_ms, serials)))

    def keep(self, slots: Int64s, keep_ms: Int64s) -> None:
        """How long samples of these slots are kept from now on (-1: the newest only)."""
        changed = np.flatnonzero(self.meta[slots, kernels.KEEP] != keep_ms)
        if len(changed):
            slots = slots[changed]
            horizons = self.horizons_of(self.meta[slots, kernels.SOURCES])
            row, rows = 0, (slots, keep_ms[changed], horizons)
            while (row := kernels.keep(self._windows, self._blocks, *rows, row)) < len(slots):
                self._grow()
            self._trim()

    def close(self, slots: Int64s) -> None:
        kernels.release(self._windows, self._blocks, np.ascontiguousarray(slots))
        self._trim()

    def horizon_of(self, source_mask: int) -> int:
        """The earliest time at which what these sources feed is evaluated next; 0: whoever feeds it."""
        if not source_mask:
            return min([self.horizon_ms, *self.horizons_ms.values()])
        found = [at for bit, at in self.horizons_ms.items() if bit & source_mask]
        return min(found, default=self.horizon_ms)

    def horizons_of(self, source_masks: Int64s) -> Int64s:
        masks, which = np.unique(source_masks, return_inverse=True)
        horizons: Int64s = np.array([self.horizon_of(mask) for mask in masks.tolist()], np.int64)[which]
        return horizons

    def silent(self, slots: Int64s, patience_ms: int, held: int) -> Int64s:
        """Those of these slots without a sample for their `keep` and so much longer.

        Those that `held` sources feed (bits) wait without end.
        """
        newest_ms = max(self.horizon_ms, *self.horizons_ms.values(), NEVER_MS)
        reach = np.maximum(self.meta[:, kernels.KEEP], 0) + patience_ms
        late = self.meta[:, kernels.LAST] < newest_ms - reach  # of most of them that is all there is to know
        empty = self.meta[:, kernels.COUNT] == 0
        slots = slots[(late | empty)[slots]]
        masks = self.meta[slots, kernels.SOURCES]
        late = (self.meta[slots, kernels.LAST] < self.horizons_of(masks) - reach[slots]) & (masks & held == 0)
        gone: Int64s = slots[late | empty[slots]]
        return gone

    def append(self, slots: Int64s, timestamp_ms: Int64s, value: Floats, source_mask: int) -> UInt8s:
        """One outcome per row (see kernels); rows with slot -1 come out as over the series limit."""
        outcome = np.full(len(slots), kernels.SERIES_LIMIT, np.uint8)
        batch = (slots, timestamp_ms, value, value.view(np.uint64))
        row, rows, source = 0, len(slots), (source_mask, self.horizon_of(source_mask))
        while True:
            row = kernels.append(self._windows, self._blocks, batch, *source, row, outcome, self._refed)
            if row == rows:
                break
            self._grow()
        self._trim()
        return outcome

    def refed(self) -> bool:
        """Whether, since this was asked last, a series got samples from a source that did not feed it."""
        found = bool(self._refed[0])
        self._refed[0] = 0
        return found

    def latest(self, slots: Int64s, at_ms: int, lookback_ms: int) -> tuple[Bools, Floats, Int64s]:
        present = np.zeros(len(slots), np.bool_)
        value, timestamp_ms = np.zeros(len(slots), np.float64), np.zeros(len(slots), np.int64)
        wanted = (slots, at_ms, at_ms - lookback_ms, present, value, timestamp_ms)
        if reading.latest(self.timestamp_ms, self.value, self.bits, self.meta, *wanted):
            reading.latest_packed(self._windows, self._blocks, *wanted)
        return present, value, timestamp_ms

    def spans(self, slots: Int64s, from_ms: int, to_ms: int) -> tuple[Int64s, Int64s]:
        """Places [first, last) of the samples in (from, to] of each slot that are not packed."""
        first, last = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
        reading.spans(self.timestamp_ms, self.meta, slots, from_ms, to_ms, first, last)
        return first, last

    def survey(self, slots: Int64s, from_ms: int, to_ms: int) -> Survey:
        """Where the samples in (from, to] of each slot lie, and how many they are."""
        first, last = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
        span = (self.timestamp_ms, self.bits, self.meta, slots, from_ms, to_ms, first, last)
        total, least, marked, deeper = reading.survey(*span)
        if deeper:
            counts = self._count(slots, from_ms, to_ms, first, last)
            total, least = int(counts.sum()), int(counts.min())
        columns = (self.timestamp_ms, self.value)
        where = (slots, from_ms, to_ms, first, last)
        return Survey(*where, *columns, total, least, bool(marked), bool(deeper))

    def unpacked(self, survey: Survey) -> Survey:
        """The same with all samples, in columns of its own if some of them are packed."""
        if not survey.deeper:
            return survey
        where = (survey.slots, survey.from_ms, survey.to_ms, survey.first, survey.last)
        ends = np.cumsum(self._count(*where))
        timestamp_ms, value = np.empty(survey.total, np.int64), np.empty(survey.total)
        marked = reading.unpack(
            self._windows, self._blocks, *where, ends, timestamp_ms, value, value.view(np.uint64)
        )
        first = np.concatenate(([0], ends[:-1]))
        where = (survey.slots, survey.from_ms, survey.to_ms, first, ends)
        return Survey(*where, timestamp_ms, value, survey.total, survey.least, bool(marked))

    def counts(self, slots: Int64s, from_ms: int, to_ms: int) -> Int64s:
        """How many samples in (from, to] each slot has."""
        return self._count(slots, from_ms, to_ms, *self.spans(slots, from_ms, to_ms))

    def at(self, slot: int, at_ms: int) -> Floats:
        """The sample of that time, or nothing."""
        found = self.unpacked(self.survey(np.array([slot], np.int64), at_ms - 1, at_ms))
        return found.value[found.first[0] : found.last[0]].copy()

    def replace(self, slot: int, at_ms: int, value: float) -> None:
        """Another value for a sample that is here."""
        self._grow()
        replace_value(self._windows, self._blocks, slot, at_ms, value)

    def oldest_ms(self, slots: Int64s) -> Int64s:
        """The time of the oldest sample of each slot; they have some."""
        newest, (words,) = self.meta[slots, kernels.PACKED] >> 1, self._words.columns
        first = self.timestamp_ms[self.meta[slots, kernels.BASE] + self.meta[slots, kernels.FIRST]]
        oldest: Int64s = np.where(newest > 0, words[words[newest + packed.NEWER] + packed.FIRST_MS], first)
        return oldest

    def export(self, slots: Int64s) -> tuple[Int64s, Int64s, Floats]:
        """(sample counts, times, values) of these slots, without gaps: a copy."""
        found = self.unpacked(self.survey(slots, *_EVER))
        counts = found.last - found.first
        starts = np.repeat(found.first - (np.cumsum(counts) - counts), counts)
        where = starts + np.arange(len(starts))
        return counts, found.timestamp_ms[where], found.value[where]

    def dump(self, slots: Int64s) -> dict[str, Any]:
        """What these slots hold, without gaps: a copy for the snapshot.

        By slot `count` samples in `timestamp_ms` and `value` and `packed` words in `words`, or all of them
        samples if there are boxes among them: those change their numbers.
        """
        lengths, boxed = np.zeros(len(slots), np.int64), np.zeros(len(slots), np.bool_)
        dumping.lengths(self._blocks, self.meta, slots, lengths, boxed)
        lengths[boxed] = 0
        words = np.empty(lengths.sum(), np.int64)
        dumping.dump(self._blocks, self.meta, slots[lengths > 0], words)
        where = (slots, *_EVER, *self.spans(slots, *_EVER))
        count = np.where(boxed, self._count(*where), where[-1] - where[-2])
        timestamp_ms, value = np.empty(count.sum(), np.int64), np.empty(count.sum())
        reading.unpack(
            self._windows, self._blocks, *where, np.cumsum(count), timestamp_ms, value, value.view(np.uint64)
        )
        samples = {"count": count, "timestamp_ms": timestamp_ms, "value": value}
        return {**samples, "packed": lengths, "words": words}

    def load(self, slots: Int64s, dumped: dict[str, Any]) -> None:
        """What was packed of these slots, which are empty still. The samples behind it are to be appended.

        Raises:
            StateError: these are no blocks.
        """
        lengths: Int64s = dumped.get("packed", np.empty(0, np.int64))  # earlier releases packed nothing
        words, ends = dumped.get("words", lengths), np.cumsum(lengths)
        for row in np.flatnonzero(lengths).tolist():
            slot, first = int(slots[row]), int(ends[row] - lengths[row])
            if self.meta[slot, kernels.KEEP] < 0:
                continue
            while first < ends[row]:
                first = dumping.load(self._blocks, self.meta, slot, words, first, int(ends[row]))
                if first < 0:
                    raise StateError(
                        "what is packed of a series is damaged; restore the folder from a backup"
                    )
                self._grow()

    def mark_boxes(self, found: Bools) -> None:
        """Sets `found` at the number of each histogram that a sample is the box of."""
        first = self.meta[:, kernels.BASE] + self.meta[:, kernels.FIRST]
        mark_boxes(self.bits, first, first + self.meta[:, kernels.COUNT], found)
        dumping.mark_packed_boxes(self._blocks, self.meta, found)

    def capacity(self, slots: Int64s) -> Int64s:
        """Of the segments of these slots, in samples."""
        chunks = self.meta[slots, kernels.BASE] // segments.CHUNK
        held: Int64s = self._samples.chunks[chunks, segments.CAPACITY]
        return held

    def _count(self, slots: Int64s, from_ms: int, to_ms: int, first: Int64s, last: Int64s) -> Int64s:
        counts = np.empty(len(slots), np.int64)
        reading.count(self._windows, self._blocks, slots, from_ms, to_ms, first, last, counts)
        return counts

    def _grow(self) -> None:
        self._samples.grow()
        self._words.grow()
        self._view(len(self.meta))

    def _trim(self) -> None:
        self._samples.trim()
        self._words.trim()

    def _view(self, slots: int) -> None:
        """The columns as they lie now."""
        self.timestamp_ms: Int64s
        self.value: Floats
        self.timestamp_ms, self.value = self._samples.columns
        self.bits: UInt64s = self.value.view(np.uint64)
        self.meta: Int64s = self._meta.array[:slots]
        slab = (self._samples.chunks, self._samples.heads)
        self._windows = (self.timestamp_ms, self.value, self.bits, self.meta, *slab)
        (words,) = self._words.columns
        times, values = self._room
        room = (times, values, values.view(np.uint64), self._block, self._numbers)
        self._blocks = (words, self._words.chunks, self._words.heads, *room)
