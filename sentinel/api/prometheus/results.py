"""Results of queries, taken out of the engine: columns of their own that nobody writes to any more.

What a range query gives comes in pieces; label sets are named by ids that hold for one generation of the
evaluator only, so each piece says of which.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Bools, Floats, Histogram, Int64s, Labels
from sentinel.model.histogram import boxed
from sentinel.promql import Evaluator, Matrix, Vector
from sentinel.promql.steps import flat
from sentinel.store.label_rows import LabelRows

MOST_SAMPLES: Final = 5_000_000
"""Of one answer: as JSON a sample takes ten times the memory that it takes in columns."""
HISTOGRAM_COST: Final = 20
"""How many samples a native histogram counts for."""


class Table(msgspec.Struct, frozen=True):
    """Series and their samples: row `i` is `timestamp_ms[first[i]:last[i]]`, and so on.

    `histograms` holds those by their place; `value` means nothing there.
    """

    metrics: list[str]
    """Label sets as JSON."""
    first: list[int]
    last: list[int]
    timestamp_ms: Int64s
    value: Floats
    histograms: dict[int, Histogram]

    def __len__(self) -> int:
        return len(self.metrics)

    def head(self, rows: int) -> Table:
        """The first rows."""
        return Table(
            self.metrics[:rows],
            self.first[:rows],
            self.last[:rows],
            self.timestamp_ms,
            self.value,
            self.histograms,
        )


class _Piece(NamedTuple):
    generation: int
    ids: Int64s
    """Of each sample."""
    timestamp_ms: Int64s
    value: Floats
    histograms: dict[int, Histogram]


class Taken:
    """Gathers pieces on the engine's thread, in order of time; `table` and `rows` are for another one."""

    def __init__(self, most: int) -> None:
        self._most = min(most, MOST_SAMPLES)
        self._pieces: list[_Piece] = []
        self._seen: dict[int, Bools] = {}
        """By generation and id, whether its labels are taken."""
        self._names: dict[int, list[tuple[Int64s, LabelRows]]] = {}
        self.samples = 0

    def add(self, evaluator: Evaluator, value: Vector | Matrix, at_ms: int) -> None:
        """Samples of a vector are all of the time `at_ms`. Raises QueryError when there are too many."""
        self._spend(len(value) if isinstance(value, Vector) else int(value.count.sum()))
        if isinstance(value, Vector):
            ids, values = value.ids.copy(), value.values.copy()
            timestamp_ms = np.full(len(ids), at_ms, np.int64)
        else:
            where, row = flat(value)
            ids, values, timestamp_ms = value.ids[row], value.value[where], value.timestamp_ms[where]
        fresh = self._fresh(evaluator.generation, value.ids)
        self._names.setdefault(evaluator.generation, []).append((fresh, evaluator.rows(fresh)))
        histograms = _histograms(evaluator, values)
        self._spend(len(histograms) * (HISTOGRAM_COST - 1))
        self._pieces.append(_Piece(evaluator.generation, ids, timestamp_ms, values, histograms))

    def rows(self) -> Table:
        """Of a single vector: each sample is a row, in its order."""
        (piece,) = self._pieces
        count = len(piece.ids)
        ((ids, names),) = self._names[piece.generation]
        metrics = dict(zip(ids.tolist(), _metrics(names), strict=True))
        ends = list(range(count + 1))
        row = [metrics[id] for id in piece.ids.tolist()]
        return Table(row, ends[:-1], ends[1:], piece.timestamp_ms, piece.value, piece.histograms)

    def table(self) -> Table:
        """Rows in order of their labels, samples in order of time."""
        every = {generation: self._labels(generation) for generation in self._names}
        found = {labels for names in every.values() for labels in names.values()}
        ordered = sorted(found, key=lambda labels: labels.pairs)
        rank = {labels: row for row, labels in enumerate(ordered)}
        rows = {generation: _rows(names, rank) for generation, names in every.items()}
        row = np.concatenate([rows[piece.generation][piece.ids] for piece in self._pieces])
        timestamp_ms = np.concatenate([piece.timestamp_ms for piece in self._pieces])
        value = np.concatenate([piece.value for piece in self._pieces])
        order = np.argsort(row, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        count = np.bincount(row, minlength=len(ordered))
        last = np.cumsum(count)
        histograms = {int(place[at]): each for at, each in self._histograms()}
        first = (last - count).tolist()
        metrics = list(map(metric, ordered))
        return Table(metrics, first, last.tolist(), timestamp_ms[order], value[order], histograms)

    def _fresh(self, generation: int, ids: Int64s) -> Int64s:
        """Those of the ids that are met for the first time."""
        seen = self._seen.get(generation, np.zeros(0, np.bool_))
        missing = int(ids.max(initial=-1)) + 1 - len(seen)
        if missing > 0:
            seen = np.concatenate([seen, np.zeros(missing, np.bool_)])
        known, self._seen[generation] = seen.copy(), seen
        seen[ids] = True
        return np.flatnonzero(seen & ~known)

    def _labels(self, generation: int) -> dict[int, Labels]:
        """By id."""
        return {
            id: labels
            for ids, rows in self._names[generation]
            for id, labels in zip(ids.tolist(), rows.sets(), strict=True)
        }

    def _spend(self, samples: int) -> None:
        self.samples += samples
        if self.samples > self._most:
            message = f"the result has more than {self._most} samples: use a larger step or fewer series"
            raise QueryError(message, kind="execution")

    def _histograms(self) -> list[tuple[int, Histogram]]:
        """With their places among the samples of all pieces."""
        found, before = [], 0
        for piece in self._pieces:
            found += [(before + at, histogram) for at, histogram in piece.histograms.items()]
            before += len(piece.ids)
        return found


def metric(labels: Labels) -> str:
    return msgspec.json.encode(dict(labels.pairs)).decode()


def _metrics(rows: LabelRows) -> list[str]:
    """As `metric`, of many: each pair is written once, and the garbage collector has nothing to look at."""
    encode = msgspec.json.Encoder().encode
    written = [f"{encode(name).decode()}:{encode(value).decode()}" for name, value in rows.texts()]
    flat = rows.pairs.tolist()
    spans = pairwise([0, *rows.ends.tolist()])
    return ["{" + ",".join([written[pair] for pair in flat[a:b]]) + "}" for a, b in spans]


def _histograms(evaluator: Evaluator, values: Floats) -> dict[int, Histogram]:
    marks = boxed(values)
    if not marks.any():
        return {}
    return dict(zip(np.flatnonzero(marks).tolist(), evaluator.histograms.unbox(values[marks]), strict=True))


def _rows(names: dict[int, Labels], rank: dict[Labels, int]) -> Int64s:
    """By id, the row of its labels."""
    rows = np.full(max(names, default=0) + 1, -1, np.int64)
    rows[list(names)] = [rank[labels] for labels in names.values()]
    return rows
