"""Series as curves in a terminal: each character is a grid of two by four dots of Braille."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from rich.text import Text

from sentinel.cli.query.table import clock, series_name

COLORS: Final = ("cyan", "yellow", "green", "magenta", "red", "blue")
MOST_NAMED: Final = 12
_EMPTY: Final = 0x2800
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a character, by row and column."""
_GAP: Final = 1.5
"""Samples further apart than so many steps are not connected."""

Points = list[tuple[float, float]]


class Frame(NamedTuple):
    """The part of the plane that is shown."""

    left: float
    right: float
    bottom: float
    top: float


class Canvas:
    """Dots, and by character which curve drew there last."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self._dots = [[0] * columns for _ in range(lines)]
        self._colors = [[""] * columns for _ in range(lines)]

    def line(self, from_: tuple[int, int], to: tuple[int, int], color: str) -> None:
        """Between two dots, (0, 0) at the lower left."""
        steps = max(abs(to[0] - from_[0]), abs(to[1] - from_[1]), 1)
        for step in range(steps + 1):
            x = round(from_[0] + (to[0] - from_[0]) * step / steps)
            y = 4 * self.lines - 1 - round(from_[1] + (to[1] - from_[1]) * step / steps)
            self._dots[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self._colors[y // 4][x // 2] = color

    def rows(self) -> Iterator[Text]:
        for dots, colors in zip(self._dots, self._colors, strict=True):
            row = Text()
            for bits, color in zip(dots, colors, strict=True):
                row.append(chr(_EMPTY | bits) if bits else " ", style=color)
            yield row


def plot(result: Sequence[dict[str, Any]], width: int, lines: int) -> list[Text]:
    """Lines of text, `width` columns wide. NaN leaves a gap, and so do missing samples."""
    curves = [(series_name(series["metric"]), _points(series)) for series in result]
    finite = [point for _, points in curves for point in points if math.isfinite(point[1])]
    if not finite:
        return [Text("no samples")]
    frame = _frame(finite)
    labels = [f"{frame.top:.4g}", f"{(frame.top + frame.bottom) / 2:.4g}", f"{frame.bottom:.4g}"]
    margin = max(map(len, labels))
    canvas = Canvas(max(10, width - margin - 2), lines)
    reach = _GAP * _step(curves)
    for number, (_, points) in enumerate(curves):
        _draw(canvas, points, frame, reach, COLORS[number % len(COLORS)])
    beside = {0: labels[0], lines // 2: labels[1], lines - 1: labels[2]}
    drawn = [Text(f"{beside.get(n, ''):>{margin}} |") + row for n, row in enumerate(canvas.rows())]
    return [*drawn, _below(frame, margin, canvas.columns), *_legend(curves)]


def _points(series: dict[str, Any]) -> Points:
    return [(seconds, float(value)) for seconds, value in series.get("values", ())]


def _frame(points: Points) -> Frame:
    times, values = [time for time, _ in points], [value for _, value in points]
    bottom, top = min(values), max(values)
    if bottom == top:
        bottom, top = bottom - (abs(bottom) / 2 or 1), top + (abs(top) / 2 or 1)
    return Frame(min(times), max(times), bottom, top)


def _step(curves: Sequence[tuple[str, Points]]) -> float:
    """The smallest distance between samples."""
    found = [b[0] - a[0] for _, points in curves for a, b in pairwise(points)]
    return min(found, default=0.0)


def _draw(canvas: Canvas, points: Points, frame: Frame, reach: float, color: str) -> None:
    before: tuple[float, tuple[int, int]] | None = None
    for seconds, value in points:
        if not math.isfinite(value):
            before = None
            continue
        x = _scaled(seconds, frame.left, frame.right, 2 * canvas.columns - 1)
        dot = (x, _scaled(value, frame.bottom, frame.top, 4 * canvas.lines - 1))
        connected = before is not None and seconds - before[0] <= reach
        canvas.line(before[1] if before and connected else dot, dot, color)
        before = (seconds, dot)


def _scaled(value: float, low: float, high: float, most: int) -> int:
    if high == low:
        return most // 2
    return round(min(1.0, max(0.0, value / (high - low) - low / (high - low))) * most)


def _below(frame: Frame, margin: int, columns: int) -> Text:
    left, right = clock(frame.left), clock(frame.right)
    return Text(" " * (margin + 2) + left + right.rjust(max(0, columns - len(left))))


def _legend(curves: Sequence[tuple[str, Points]]) -> Iterator[Text]:
    for number, (name, points) in enumerate(curves[:MOST_NAMED]):
        last = f"  {points[-1][1]:.6g}" if points else ""
        yield Text("── ", style=COLORS[number % len(COLORS)]) + Text(name + last, style="")
    if len(curves) > MOST_NAMED:
        yield Text(f"and {len(curves) - MOST_NAMED} more")
