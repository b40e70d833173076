"""Functions of each value by itself, and the way between scalars and vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sentinel.model import Labels
from sentinel.promql.functions.registry import function
from sentinel.promql.moment import Invocation
from sentinel.promql.values import NO_SERIES, Scalar, Vector

_PLAIN: Final[dict[str, Callable[..., Any]]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sgn": lambda values: np.where(values == 0, values, np.sign(values)),  # -0 keeps its sign
    "deg": lambda values: values * 180 / math.pi,
    "rad": lambda values: values * math.pi / 180,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
}


def _register(name: str, compute: Callable[..., Any]) -> None:
    @function(f"{name}(vector) vector")
    def evaluate(invocation: Invocation, vector: Vector) -> Vector:
        return invocation.run.renamed(vector.with_values(compute(vector.values)))


for _name, _compute in _PLAIN.items():
    _register(_name, _compute)


@function("round(vector, scalar?) vector")
def rounded(invocation: Invocation, vector: Vector, to_nearest: Scalar | None = None) -> Vector:
    """To the nearest multiple, ties up. Dividing by the inverse loses less than multiplying."""
    inverse = np.divide(1.0, np.float64(1.0 if to_nearest is None else to_nearest.value))
    return invocation.run.renamed(vector.with_values(np.floor(vector.values * inverse + 0.5) / inverse))


@function("clamp(vector, scalar, scalar) vector")
def clamp(invocation: Invocation, vector: Vector, least: Scalar, most: Scalar) -> Vector:
    if most.value < least.value:
        return NO_SERIES
    return _clamped(invocation, vector, least.value, most.value)


@function("clamp_min(vector, scalar) vector")
def clamp_min(invocation: Invocation, vector: Vector, least: Scalar) -> Vector:
    return _clamped(invocation, vector, least.value, math.inf)


@function("clamp_max(vector, scalar) vector")
def clamp_max(invocation: Invocation, vector: Vector, most: Scalar) -> Vector:
    return _clamped(invocation, vector, -math.inf, most.value)


def _clamped(invocation: Invocation, vector: Vector, least: float, most: float) -> Vector:
    values = _greater(least, _lesser(most, vector.values))
    return invocation.run.renamed(vector.with_values(values))


def _greater(one: Any, other: Any) -> Any:
    """As Go's `math.Max`: +Inf is greater than NaN, and 0 than -0."""
    largest = np.where((one == 0) & (other == 0), one + other, np.maximum(one, other))
    return np.where(np.isposinf(one) | np.isposinf(other), math.inf, largest)


def _lesser(one: Any, other: Any) -> Any:
    return -_greater(-one, -other)


@function("scalar(vector) scalar")
def scalar(invocation: Invocation, vector: Vector) -> Scalar:
    """The value of the only element; NaN if there are more or none."""
    return Scalar(float(vector.values[0]) if len(vector) == 1 else math.nan)


@function("vector(scalar) vector")
def vector(invocation: Invocation, number: Scalar) -> Vector:
    return Vector(np.array([invocation.sets.intern(Labels())]), np.array([number.value]))


@function("pi() scalar")
def pi(invocation: Invocation) -> Scalar:
    return Scalar(math.pi)


@function("max_of(scalar, scalar) scalar")
def max_of(invocation: Invocation, left: Scalar, right: Scalar) -> Scalar:
    return Scalar(float(_greater(np.float64(left.value), np.float64(right.value))))


@function("min_of(scalar, scalar) scalar")
def min_of(invocation: Invocation, left: Scalar, right: Scalar) -> Scalar:
    return Scalar(float(_lesser(np.float64(left.value), np.float64(right.value))))
