"""Runs queries on the engine: at one time in one piece, over a range a few steps at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final, NamedTuple

import msgspec

from sentinel.api.prometheus import rendering
from sentinel.api.prometheus.answers import TRUNCATED
from sentinel.api.prometheus.kept import shortages
from sentinel.api.prometheus.results import Taken
from sentinel.api.prometheus.turns import MOST_SECONDS, PIECE_SECONDS, Patience, Turns
from sentinel.engine import Engine
from sentinel.promql import Budget, Expr, Matrix, Query, Scalar, String, Value, Vector, ast
from sentinel.promql.syntax.literals import well_formed
from sentinel.promql.syntax.printer import number

FASTER: Final = 8
"""How many times more steps a piece may take than the one before it."""
_WHOLE_RANGE: Final = frozenset(("start", "end", "range"))
"""Functions that tell of the range that is asked for: a piece would tell of itself."""


class QuerySettings(msgspec.Struct, frozen=True):
    """What the command line says of queries."""

    timeout_seconds: float = 10.0
    max_samples: int = 50_000_000
    """That a query may read at one time, what it has found so far included."""
    lookback_ms: int = 300_000


class Asked(NamedTuple):
    """A query as it came, parsed. `limit` 0: no limit."""

    text: str
    expr: Expr
    lookback_ms: int
    limit: int = 0


class Outcome(NamedTuple):
    """`data` is the `data` of the answer, but for statistics."""

    data: dict[str, Any]
    warnings: list[str]
    infos: list[str]


class _Notes:
    """What evaluations remarked, each remark once."""

    def __init__(self) -> None:
        self.warnings: dict[str, None] = {}
        self.infos: dict[str, None] = {}

    def add(self, query: Query) -> None:
        self.warnings |= dict.fromkeys(query.warnings)
        self.infos |= dict.fromkeys(query.infos)

    def outcome(self, data: dict[str, Any]) -> Outcome:
        return Outcome(data, list(self.warnings), list(self.infos))


class Queries:
    def __init__(self, turns: Turns, settings: QuerySettings) -> None:
        self._turns, self.settings = turns, settings

    async def instant(self, asked: Asked, at_ms: int, patience: Patience) -> Outcome:
        """The query's value at one time. Raises QueryError."""
        notes, taken = _Notes(), Taken(self.settings.max_samples)

        def work(engine: Engine) -> Value:
            query = _prepared(engine, asked)
            notes.warnings |= dict.fromkeys(shortages(engine.store, query, at_ms, at_ms))
            value = engine.evaluator.instant(query, at_ms, self._budget(1, 0, patience))
            notes.add(query)
            if isinstance(value, Vector | Matrix):
                taken.add(engine.evaluator, value, at_ms)
            return value

        value = await self._turns.piece(work, patience)
        data = await self._turns.worker(lambda: _instant_data(value, taken, asked, notes, at_ms))
        return notes.outcome(data)

    async def range(
        self, asked: Asked, start_ms: int, end_ms: int, step_ms: int, patience: Patience
    ) -> Outcome:
        """The query's value at every step. Raises QueryError."""
        notes, taken = _Notes(), Taken(self.settings.max_samples)

        def piece(first_ms: int, last_ms: int) -> Callable[[Engine], float]:
            def work(engine: Engine) -> float:
                began, query = time.perf_counter(), _prepared(engine, asked)
                if first_ms == start_ms:
                    notes.warnings |= dict.fromkeys(shortages(engine.store, query, start_ms, end_ms))
                budget = self._budget((last_ms - first_ms) // step_ms + 1, taken.samples, patience)
                matrix = engine.evaluator.range(query, first_ms, last_ms, step_ms, budget)
                notes.add(query)
                taken.add(engine.evaluator, matrix, last_ms)
                return time.perf_counter() - began

            return work

        steps = (end_ms - start_ms) // step_ms + 1
        whole = await self._turns.worker(lambda: asks_for_the_range(asked.expr))
        done, size = 0, steps if whole else 1
        while done < steps:
            size = min(size, steps - done)
            first_ms = start_ms + done * step_ms
            last_ms = end_ms if size == steps else first_ms + (size - 1) * step_ms
            took = await self._turns.piece(piece(first_ms, last_ms), patience)
            done += size
            size = max(1, min(FASTER * size, int(size * PIECE_SECONDS / max(took, 1e-6))))
        return notes.outcome(await self._turns.worker(lambda: _matrix_data(taken, asked, notes)))

    def _budget(self, steps: int, held: int, patience: Patience) -> Budget:
        """Each step may read so many samples: how long a piece gets must not matter."""
        until = time.monotonic() + MOST_SECONDS
        samples = steps * (self.settings.max_samples - held)
        return Budget(samples, lambda: patience.expired() or time.monotonic() >= until)


def asks_for_the_range(expr: Expr) -> bool:
    """Whether the value at a step depends on where the whole range begins or ends."""
    waiting: list[Any] = [expr]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting += node
        elif isinstance(node, Expr):
            calls = isinstance(node, ast.Call) and node.function in _WHOLE_RANGE
            if calls or getattr(node, "at", None) in ("start", "end"):
                return True
            waiting += [getattr(node, field.name) for field in fields(node)]
    return False


def _prepared(engine: Engine, asked: Asked) -> Query:
    """Anew for every piece: what a query selects is followed by the store for a while only."""
    query = engine.evaluator.prepare(asked.expr, asked.lookback_ms)
    query.text = asked.text
    return query


def _instant_data(value: Value, taken: Taken, asked: Asked, notes: _Notes, at_ms: int) -> dict[str, Any]:
    match value:
        case Scalar():
            return {"resultType": "scalar", "result": rendering.point(at_ms, number(value.value))}
        case String():
            return {"resultType": "string", "result": rendering.point(at_ms, well_formed(value.value))}
        case Vector():
            table = taken.rows()
            if asked.limit and len(table) > asked.limit:
                notes.warnings[TRUNCATED] = None
                table = table.head(asked.limit)
            return {"resultType": "vector", "result": rendering.vector(table)}
    return _matrix_data(taken, asked, notes)


def _matrix_data(taken: Taken, asked: Asked, notes: _Notes) -> dict[str, Any]:
    table = taken.table()
    if asked.limit and len(table) > asked.limit:
        notes.warnings[TRUNCATED] = None
        table = table.head(asked.limit)
    return {"resultType": "matrix", "result": rendering.matrix(table)}
