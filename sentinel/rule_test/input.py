"""The samples of a test, given to a store in order of time and only up to the step that is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sentinel.model import Floats, Histogram, Int64s, Labels
from sentinel.promql.series_description import Point
from sentinel.store.store import Store


class _Column(NamedTuple):
    """The points of a series that are no gaps: where each stands, and its value (0 for a histogram)."""

    rows: Int64s
    values: Floats
    points: Sequence[Point]

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Column:
        present = [point for point in points if point is not None]
        rows = np.array([row for row, point in enumerate(points) if point is not None], np.int64)
        floats = (0.0 if isinstance(point, Histogram) else point for point in present)
        return cls(rows, np.fromiter(floats, np.float64, len(present)), present)


class Input:
    """Columns of samples by time. A series takes its place in the store with its first sample."""

    def __init__(self, series: Mapping[Labels, Sequence[Point]], interval_ms: int, start_ms: int) -> None:
        """The `n`-th point of each series is its value `n` intervals after the start; None is a gap."""
        self._labels = list(series)
        columns = [_Column.of(values) for values in series.values()] or [_Column.of(())]
        rows = np.concatenate([column.rows for column in columns])
        order = np.argsort(rows, kind="stable")
        self._times_ms = rows[order] * interval_ms + start_ms
        self._series = np.repeat(np.arange(len(columns)), [len(column.rows) for column in columns])[order]
        self._values = np.concatenate([column.values for column in columns])[order]
        place_of = np.empty(len(order), np.int64)
        place_of[order] = np.arange(len(order))
        histograms = enumerate(point for column in columns for point in column.points)
        self._histograms = {
            int(place_of[number]): point for number, point in histograms if isinstance(point, Histogram)
        }
        self._given = 0
        self._slots = np.full(len(series), -1, np.int64)

    def give(self, store: Store, until_ms: int) -> None:
        """All that is not given yet and is not later than `until_ms`."""
        start, end = self._given, int(np.searchsorted(self._times_ms, until_ms, "right"))
        if start == end:
            return
        rows, self._given = slice(start, end), end
        series = self._series[rows]
        for number in series[self._slots[series] < 0].tolist():
            self._slots[number] = store.slot(self._labels[number])
        values = self._values[rows].copy()
        boxes = (
            [place for place in range(start, end) if place in self._histograms] if self._histograms else []
        )
        if boxes:
            values[np.array(boxes) - start] = store.histograms.box(self._histograms[box] for box in boxes)
        store.write(self._slots[series], self._times_ms[rows], values, 0)
