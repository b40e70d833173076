"""What a detector is: rows of series in, scores and bands out.

A detector keeps one state per row. Which label set a row belongs to is its caller's business.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from sentinel.model import Floats, Int64s


class Scores(NamedTuple):
    """What one evaluation writes, a value per row asked for; NaN means: write nothing for that row."""

    score: Floats
    """Never negative; 1 at the edge of the band, so that `> 1` is the alert that everybody writes."""
    expected: Floats
    lower: Floats
    upper: Floats


class Detector(Protocol):
    """A plug-in: named in the entry points `sentinel.detectors`, configured by its `Config`.

    Same calls, same scores, to the bit: a detector has no clock and no unseeded randomness.
    """

    Config: ClassVar[Any]
    """A frozen msgspec struct that forbids unknown fields: what a rule's `with:` may hold."""
    has_band: ClassVar[bool]
    """Whether expected, lower and upper are ever anything but NaN."""

    def __init__(self, config: Any) -> None:
        """Raises ConfigError if the configuration makes no sense."""

    def resize(self, rows: int) -> None:
        """Make room for exactly `rows` series; rows that were not there before start fresh."""

    def reset(self, rows: Int64s) -> None:
        """These rows belong to new series from now on."""

    def update(self, rows: Int64s, at_ms: int, value: Floats) -> Scores:
        """One evaluation: the series in `rows`, each at most once, have `value` at event time `at_ms`.

        The order of the rows does not matter, and rows left out keep their state: a gap.
        """

    def snapshot(self) -> bytes:
        """The whole state."""

    def restore(self, state: bytes) -> None:
        """Go on from a snapshot of the same configuration: scores are bit-equal from there.

        Raises StateError if it is none.
        """


def nothing(count: int) -> Scores:
    """Scores that write nothing, to be filled in."""
    return Scores(*np.full((4, count), np.nan))


def check_rows(rows: Int64s, size: int) -> None:
    """Kernels do not check their indices, so the way in does."""
    if len(rows) and (rows.min() < 0 or rows.max() >= size):
        raise AssertionError(f"detector row out of range: {int(rows.min())} to {int(rows.max())} of {size}")
