"""Binary operators between elements of which one is a native histogram."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from sentinel.model import Bools, Floats, Histogram
from sentinel.model.histogram import boxed
from sentinel.promql import ast
from sentinel.promql.histograms import (
    IncompatibleError,
    add,
    divide,
    equal,
    scale,
    subtract,
    trim_lower,
    trim_upper,
)
from sentinel.promql.moment import Invocation
from sentinel.promql.native import as_value, note_combined

Element = float | Histogram
Result = Histogram | bool | None
"""A histogram, the truth of a comparison, or nothing: the operator does not take such operands."""


def _added(invocation: Invocation, left: Histogram, right: Histogram) -> Histogram:
    both = add(left, right)
    note_combined(invocation, both.collision, both.reconciled, "addition")
    return both.histogram


def _subtracted(invocation: Invocation, left: Histogram, right: Histogram) -> Histogram:
    both = subtract(left, right)
    note_combined(invocation, both.collision, both.reconciled, "subtraction")
    return msgspec.structs.replace(both.histogram, reset_hint="gauge")


_OF_TWO: Final[dict[str, Callable[[Invocation, Histogram, Histogram], Result]]] = {
    "+": _added,
    "-": _subtracted,
    "==": lambda _, left, right: equal(left, right),
    "!=": lambda _, left, right: not equal(left, right),
}
_BY_NUMBER: Final[dict[str, Callable[[Histogram, float], Histogram]]] = {
    "*": scale,
    "/": divide,
    "</": trim_upper,
    ">/": trim_lower,
}


def of_histograms(
    invocation: Invocation, op: str, operands: tuple[Floats, Floats], computed: Floats | Bools
) -> tuple[Floats | Bools, Bools]:
    """(results, by row whether there is one): `computed` where both are floats, else as histograms have it.

    The operands are columns of one length. What a comparison computes is truth, all else are values.
    """
    left, right = operands
    known = np.full(len(computed), op not in ast.TRIMS)
    for row in np.flatnonzero(boxed(left) | boxed(right) | ~known).tolist():
        elements = [_element(invocation, column[row : row + 1]) for column in operands]
        result = _result(invocation, op, *elements)
        known[row] = result is not None
        if isinstance(result, Histogram):
            computed[row] = as_value(invocation, result)
        elif result is not None:
            computed[row] = result
    return computed, known


def _element(invocation: Invocation, column: Floats) -> Element:
    return invocation.run.histograms.unbox(column)[0] if boxed(column)[0] else float(column[0])


def _result(invocation: Invocation, op: str, left: Element, right: Element) -> Result:
    try:
        if isinstance(left, Histogram):
            if isinstance(right, Histogram):
                if op in _OF_TWO:
                    return _OF_TWO[op](invocation, left, right)
            elif op in _BY_NUMBER:
                return _BY_NUMBER[op](left, right)
        elif isinstance(right, Histogram) and op == "*":
            return scale(right, left)
    except IncompatibleError:
        text = f"incompatible bucket layout encountered for binary operator {op}"
        invocation.warn(text, invocation.node)
        return None
    kinds = ["histogram" if isinstance(each, Histogram) else "float" for each in (left, right)]
    text = f'incompatible sample types encountered for binary operator "{op}": {kinds[0]} {op} {kinds[1]}'
    invocation.inform(text, invocation.node)
    return None
