"""Functions that order an instant query's result."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from sentinel.model import Labels
from sentinel.promql.functions.registry import function
from sentinel.promql.labelsets import AT_ONCE
from sentinel.promql.moment import Invocation
from sentinel.promql.values import String, Vector

_CHUNK: Final = re.compile(r"(\d+)|(\D+)")


@function("sort(vector) vector")
def sort(invocation: Invocation, vector: Vector) -> Vector:
    """Ascending, NaN last."""
    return _by_value(invocation, vector, vector.values)


@function("sort_desc(vector) vector")
def sort_desc(invocation: Invocation, vector: Vector) -> Vector:
    """Descending, NaN last."""
    return _by_value(invocation, vector, -vector.values)


def _by_value(invocation: Invocation, vector: Vector, rank: Any) -> Vector:
    _warn_of_range(invocation)
    return vector.take(np.argsort(rank, kind="stable"))


@function("sort_by_label(vector, string...) vector", native=True)
def sort_by_label(invocation: Invocation, vector: Vector, *labels: String) -> Vector:
    return _by_label(invocation, vector, labels, descending=False)


@function("sort_by_label_desc(vector, string...) vector", native=True)
def sort_by_label_desc(invocation: Invocation, vector: Vector, *labels: String) -> Vector:
    return _by_label(invocation, vector, labels, descending=True)


def _by_label(
    invocation: Invocation, vector: Vector, labels: tuple[String, ...], *, descending: bool
) -> Vector:
    """In natural order (`a2` before `a10`) of the labels named, then of all of them."""
    _warn_of_range(invocation)
    sets = invocation.sets

    def rank(row: int) -> tuple[Any, ...]:
        if row % AT_ONCE == 0:
            sets.hurry()
        series: Labels = sets[int(vector.ids[row])]
        return *(_natural(series.get(label.value)) for label in labels), series.pairs

    return vector.take(np.array(sorted(range(len(vector)), key=rank, reverse=descending), np.int64))


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(digits), "") if digits else (1, 0, rest) for digits, rest in _CHUNK.findall(text)]


def _warn_of_range(invocation: Invocation) -> None:
    if invocation.run.start_ms != invocation.run.end_ms:
        text = "sort is ineffective for range queries since results are always ordered by labels"
        invocation.warn(text, invocation.node)
