"""What scripts load, as Prometheus's storage gives it back to queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from sentinel.model import Buckets, Histogram, Labels
from sentinel.promql.series_description import Point
from sentinel.store.store import Store
from tests.conformance.classic_histograms import from_classic
from tests.conformance.promqltest_script import Load


class Storage:
    """A store that keeps everything, and what it must know about the past to take in more."""

    def __init__(self) -> None:
        self.store = Store(retention_ms=10**14)
        self.lacking = ""
        """Why queries cannot give what the script expects."""
        self._last: dict[Labels, Histogram | None] = {}

    def load(self, load: Load) -> None:
        if load.starts:
            self.lacking = "start timestamps of samples are not kept"
        series = dict(load.series)
        if load.with_nhcb:
            series |= dict(converted(load.series))
        for labels, points in series.items():
            rows = [row for row, point in enumerate(points) if point is not None]
            times = [row * load.step_ms for row in rows]
            self._add(labels, times, [points[row] for row in rows])

    def _add(self, labels: Labels, times: Sequence[int], points: Sequence[Point]) -> None:
        native = [row for row, point in enumerate(points) if isinstance(point, Histogram)]
        column = np.array([0.0 if isinstance(point, Histogram) else point for point in points], np.float64)
        column[native] = self.store.histograms.box(self._hinted(labels, points))
        self.store.add(labels, times, column)

    def _hinted(self, labels: Labels, points: Sequence[Point]) -> Iterator[Histogram]:
        """The histograms with the hints that they have when Prometheus reads them.

        It keeps counters in chunks that no reset interrupts: of the first in a chunk nothing is known, the
        others are no resets. Only gauges stay what they were.
        """
        last = self._last.get(labels)
        for point in points:
            if isinstance(point, Histogram):
                hint = "gauge" if point.reset_hint == "gauge" else "unknown"
                if hint == "unknown" and last is not None and continues(last, point):
                    hint = "not_reset"
                yield msgspec.structs.replace(point, reset_hint=hint)
                last = point
            else:
                last = None
        self._last[labels] = last


def continues(before: Histogram, now: Histogram) -> bool:
    """Whether a counter follows another one in its chunk: of one layout, and grown in each bucket."""
    layouts = [(each.schema, each.zero_threshold, each.custom_values) for each in (before, now)]
    return (
        layouts[0] == layouts[1]
        and before.reset_hint != "gauge"
        and now.reset_hint != "reset"
        and now.count >= before.count
        and now.zero_count >= before.zero_count
        and _grown(before.positive, now.positive)
        and _grown(before.negative, now.negative)
    )


def _grown(before: Buckets, now: Buckets) -> bool:
    counts = filled(now)
    return all(counts.get(index, 0.0) >= count for index, count in filled(before).items())


def filled(buckets: Buckets) -> dict[int, float]:
    """Counts of the buckets that have any, by index."""
    counts = enumerate(buckets.counts.tolist(), buckets.offset)
    return {index: count for index, count in counts if count != 0}


@dataclass(slots=True)
class Classic:
    """What the series of a classic histogram say at one time."""

    buckets: dict[float, float] = field(default_factory=dict)
    sum: float = 0.0
    count: float | None = None

    def take(self, suffix: str, bound: float, value: float) -> None:
        if suffix == "_bucket":
            self.buckets[bound] = value
        elif suffix == "_sum":
            self.sum = value
        else:
            self.count = value

    def native(self) -> Histogram:
        bounds = sorted(self.buckets)
        cumulative = [self.buckets[bound] for bound in bounds]
        return from_classic(np.array(bounds), np.array(cumulative), self.sum, self.count)


def converted(series: Mapping[Labels, Sequence[Point]]) -> Iterator[tuple[Labels, list[Point]]]:
    """The classic histograms among the series as native ones with custom buckets, by their base name."""
    classic: dict[Labels, dict[int, Classic]] = defaultdict(lambda: defaultdict(Classic))
    for labels, points in series.items():
        suffix = next((end for end in ("_bucket", "_sum", "_count") if labels.name.endswith(end)), None)
        bound = _bound(labels.get("le")) if suffix == "_bucket" else 0.0
        if suffix is None or bound is None:
            continue
        base = labels.with_({"__name__": labels.name.removesuffix(suffix), "le": ""})
        for row, point in enumerate(points):
            if isinstance(point, float):
                classic[base][row].take(suffix, bound, point)
    for base, rows in classic.items():
        yield base, [rows[row].native() if row in rows else None for row in range(max(rows, default=-1) + 1)]


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if np.isnan(bound) else bound
