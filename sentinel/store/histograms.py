"""Where native histograms lie that samples refer to by their boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from sentinel.model import Bools, Floats, Int64s
from sentinel.model.histogram import BOX_BITS, Histogram, boxed

if TYPE_CHECKING:
    from sentinel.store.windows import Windows

_NUMBER = np.uint64(0xFFFF_FFFF)


class Histograms:
    """Histograms by the number in their box. What no sample refers to any more is swept out now and then."""

    def __init__(self) -> None:
        self._of: list[Histogram | None] = []
        self._free: list[int] = []
        self._sweep_at = 4096
        self.sweeps = 0

    def __len__(self) -> int:
        return len(self._of) - len(self._free)

    def box(self, histograms: Iterable[Histogram]) -> Floats:
        """A column that stands for these histograms."""
        numbers = []
        for histogram in histograms:
            if self._free:
                number = self._free.pop()
                self._of[number] = histogram
            else:
                number = len(self._of)
                self._of.append(histogram)
            numbers.append(number)
        return (np.array(numbers, np.uint64) | np.uint64(BOX_BITS)).view(np.float64)

    def unbox(self, values: Floats) -> list[Histogram]:
        """The histograms that a column of boxes stands for."""
        numbers: Int64s = (np.ascontiguousarray(values).view(np.uint64) & _NUMBER).astype(np.int64)
        found = []
        for number in numbers.tolist():
            histogram = self._of[number]
            assert histogram is not None, "a box outlived its histogram"
            found.append(histogram)
        return found

    def settle(self, windows: Windows, slot: int, at_ms: int, box: Floats) -> None:
        """Of two histograms for one time the same one is held in the end, whichever came first."""
        held = windows.at(slot, at_ms)
        found = self.unbox(np.concatenate([held, box])) if len(held) and boxed(held)[0] else []
        if found and _rank(found[1]) > _rank(found[0]):
            windows.replace(slot, at_ms, float(box[0]))

    @property
    def wants_sweep(self) -> bool:
        """Whether so many have come since the last sweep that another one pays."""
        return len(self) > self._sweep_at

    def sweep(self, mark: Callable[[Bools], None]) -> None:
        """Forget every histogram but those whose numbers `mark` sets."""
        self.sweeps += 1
        alive = np.zeros(len(self._of), np.bool_)
        mark(alive)
        self._free = np.flatnonzero(~alive).tolist()
        for number in self._free:
            self._of[number] = None
        self._sweep_at = max(4096, 2 * len(self))


def _rank(histogram: Histogram) -> tuple[Any, ...]:
    """Some order, as long as it depends on nothing but the histogram."""
    figures = [histogram.count, histogram.sum, histogram.zero_count, histogram.zero_threshold]
    sides = [(side.offset, side.counts.tobytes()) for side in (histogram.positive, histogram.negative)]
    bits = np.array([*figures, *histogram.custom_values]).tobytes()
    return (bits, histogram.schema, *sides, histogram.reset_hint)
