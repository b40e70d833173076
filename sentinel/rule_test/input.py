"""The samples of a test, given to a store in order of time and only up to the step that is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sentinel.model import Histogram, Labels
from sentinel.promql.series_description import Point
from sentinel.store.store import Store


class Input:
    """Columns of samples by time. A series takes its place in the store with its first sample."""

    def __init__(self, series: Mapping[Labels, Sequence[Point]], interval_ms: int, start_ms: int) -> None:
        """The `n`-th point of each series is its value `n` intervals after the start; None is a gap."""
        self._labels = list(series)
        points = [
            (row, number, point)
            for number, values in enumerate(series.values())
            for row, point in enumerate(values)
            if point is not None
        ]
        points.sort(key=lambda each: each[0])
        self._times_ms = np.array([row for row, _, _ in points], np.int64) * interval_ms + start_ms
        self._series = np.array([number for _, number, _ in points], np.int64)
        self._values = np.array(
            [0.0 if isinstance(point, Histogram) else point for _, _, point in points], np.float64
        )
        self._histograms = {
            place: point for place, (_, _, point) in enumerate(points) if isinstance(point, Histogram)
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
