"""Deltas to sums: what a sender counted since it last told becomes what it has counted altogether.

The state is the newest sample of the series itself. It is in every snapshot, a replay from there meets the
same sums, and it is forgotten with the series; a counter then begins anew, which `rate` knows. A delta that
does not come after that sample, or begins before it, was counted already and is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sentinel.model import Buckets, Floats, Histogram, Int64s, SampleBatch
from sentinel.model.histogram import NO_BUCKETS, boxed
from sentinel.store import _kernels as kernels

if TYPE_CHECKING:
    from sentinel.store.store import Store

_ENDLESS: Final = 1 << 61
"""Later than any sample, and as long ago as any."""


class Newest(NamedTuple):
    """The newest samples of some series: -1 and NaN where there is none, a histogram where there is one."""

    timestamp_ms: Int64s
    value: Floats
    histogram: dict[int, Histogram]
    """By place."""

    @classmethod
    def of(cls, store: Store, slots: Int64s) -> Newest:
        present, value, _ = store.latest(slots, _ENDLESS, _ENDLESS)
        meta = store.windows.meta[slots]
        last_ms = np.where(meta[:, kernels.COUNT] > 0, meta[:, kernels.LAST], -1)
        value[~present] = np.nan
        places = np.flatnonzero(boxed(value))
        histograms = store.histograms.unbox(value[places])
        return cls(last_ms, value, dict(zip(places.tolist(), histograms, strict=True)))


def ingest_deltas(store: Store, batch: SampleBatch, slots: Int64s, source_mask: int) -> Int64s:
    """As `Store.write`, of a batch of which some rows are deltas: they are added up in the order of rows."""
    from sentinel.store._delta_kernels import add_up

    assert batch.delta_from_ms is not None
    known, place = np.unique(slots, return_inverse=True)
    before = Newest.of(store, known[known >= 0])
    refused = len(known) - len(before.timestamp_ms)  # the slot -1 comes first
    series = np.where((batch.delta_from_ms >= 0) & (slots >= 0), place - refused, -1)
    value, outcome = batch.value.copy(), np.zeros(len(batch), np.int64)
    last_ms, last = before.timestamp_ms.copy(), before.value.copy()
    add_up(series, batch.delta_from_ms, batch.timestamp_ms, value, last_ms, last, outcome)
    histograms = _added(batch, series, outcome, before.histogram)
    rows = np.flatnonzero(outcome == 0)
    value = value[rows]
    if histograms:
        store.sweep_histograms()
        value[boxed(value)] = store.histograms.box(histograms)
    counts = store.write(slots[rows], batch.timestamp_ms[rows], value, source_mask)
    return counts + np.bincount(outcome[outcome > 0], minlength=kernels.OUTCOMES)


def _added(
    batch: SampleBatch, series: Int64s, outcome: Int64s, state: dict[int, Histogram]
) -> tuple[Histogram, ...]:
    """The histograms of the rows that stay, deltas added up; `state` is that of each series."""
    found, given, is_box = [], iter(batch.histograms), boxed(batch.value)
    for row in np.flatnonzero(np.isnan(batch.value)).tolist():
        histogram = next(given) if is_box[row] else None
        before = state.pop(int(series[row]), None) if not outcome[row] else None
        if histogram is None or outcome[row]:
            continue
        if series[row] >= 0:
            histogram = state[int(series[row])] = histogram if before is None else added(before, histogram)
        found.append(histogram)
    return tuple(found)


def added(one: Histogram, other: Histogram) -> Histogram:
    """Both together, at the coarser resolution; the second one alone if their zero buckets differ."""
    if one.zero_threshold != other.zero_threshold or one.custom_values != other.custom_values:
        return other
    schema = min(one.schema, other.schema)
    sides = [
        _sum(
            _coarser(getattr(one, side), one.schema - schema),
            _coarser(getattr(other, side), other.schema - schema),
        )
        for side in ("positive", "negative")
    ]
    return Histogram(
        schema=schema,
        zero_threshold=one.zero_threshold,
        zero_count=one.zero_count + other.zero_count,
        count=one.count + other.count,
        sum=one.sum + other.sum,
        positive=sides[0],
        negative=sides[1],
        custom_values=one.custom_values,
    )


def _coarser(buckets: Buckets, steps: int) -> Buckets:
    """With as many times two neighbours taken together."""
    if not steps or not len(buckets):
        return buckets
    places = ((np.arange(len(buckets)) + buckets.offset - 1) >> steps) + 1
    first = int(places[0])
    return Buckets(first, np.bincount(places - first, weights=buckets.counts).astype(np.float64))


def _sum(one: Buckets, other: Buckets) -> Buckets:
    if not len(one) or not len(other):
        return one if len(one) else other if len(other) else NO_BUCKETS
    first = min(one.offset, other.offset)
    counts = np.zeros(max(one.offset + len(one), other.offset + len(other)) - first)
    for each in (one, other):
        counts[each.offset - first : each.offset - first + len(each)] += each.counts
    return Buckets(first, counts)
