"""Functions of time: the query's own times, samples' timestamps, the calendar (UTC)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sentinel.model import Int64s, Labels
from sentinel.promql import ast
from sentinel.promql.functions.registry import function
from sentinel.promql.moment import Invocation
from sentinel.promql.values import Scalar, Vector

_DAY: Final = 86_400
_REACH: Final = 9e18
"""Seconds beyond which no calendar goes."""


@function("time() scalar")
def time(invocation: Invocation) -> Scalar:
    return Scalar(invocation.at_ms / 1000)


@function("start() scalar")
def start(invocation: Invocation) -> Scalar:
    return Scalar(invocation.run.start_ms / 1000)


@function("end() scalar")
def end(invocation: Invocation) -> Scalar:
    return Scalar(invocation.run.end_ms / 1000)


@function("step() scalar")
def step(invocation: Invocation) -> Scalar:
    """0 in an instant query, which has no steps."""
    run = invocation.run
    return Scalar(run.step_ms / 1000 if run.end_ms > run.start_ms else 0.0)


@function("range() scalar")
def range_(invocation: Invocation) -> Scalar:
    return Scalar((invocation.run.end_ms - invocation.run.start_ms) / 1000)


@function("timestamp(vector) vector", native=True)
def timestamp(invocation: Invocation, vector: Vector) -> Vector:
    """When a selector's samples were taken; results of anything else are of the evaluation's time."""
    if vector.timestamp_ms is not None and isinstance(ast.bare(invocation.args[0]), ast.Selector):
        seconds = vector.timestamp_ms / 1000
    else:
        seconds = np.full(len(vector), invocation.at_ms / 1000)
    return invocation.run.renamed(vector.with_values(seconds))


def _days(seconds: Int64s) -> Any:
    return (seconds // _DAY).astype("datetime64[D]")


def _months(seconds: Int64s) -> Any:
    return _days(seconds).astype("datetime64[M]")


def _number(dates: Any) -> Int64s:
    numbers: Int64s = dates.astype(np.int64)
    return numbers


_CALENDAR: Final[dict[str, Callable[[Int64s], Int64s]]] = {
    "minute": lambda seconds: seconds % 3600 // 60,
    "hour": lambda seconds: seconds % _DAY // 3600,
    "day_of_week": lambda seconds: (seconds // _DAY + 4) % 7,  # the epoch was a Thursday
    "day_of_month": lambda seconds: _number(_days(seconds) - _months(seconds).astype("datetime64[D]")) + 1,
    "day_of_year": lambda seconds: _number(_days(seconds) - _days(seconds).astype("datetime64[Y]")) + 1,
    "days_in_month": lambda seconds: _number(
        (_months(seconds) + 1).astype("datetime64[D]") - _months(seconds).astype("datetime64[D]")
    ),
    "month": lambda seconds: _number(_months(seconds)) % 12 + 1,
    "year": lambda seconds: _number(_days(seconds).astype("datetime64[Y]")) + 1970,
}


def _register(name: str, read: Callable[[Int64s], Int64s]) -> None:
    @function(f"{name}(vector?) vector")
    def evaluate(invocation: Invocation, vector: Vector | None = None) -> Vector:
        """Of values as seconds since the epoch; without an argument of the evaluation's time."""
        if vector is None:
            ids = np.array([invocation.sets.intern(Labels())])
            vector = Vector(ids, np.array([invocation.at_ms // 1000], np.float64))
        known = np.abs(vector.values) < _REACH
        seconds = np.where(known, vector.values, 0).astype(np.int64)
        return invocation.run.renamed(vector.with_values(np.where(known, read(seconds), np.nan)))


for _name, _read in _CALENDAR.items():
    _register(_name, _read)
