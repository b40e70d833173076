"""Arithmetic and comparisons of intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Final, NamedTuple


class Bounds(NamedTuple):
    """All of `low <= value <= high`, and NaN if `nan`: it meets no comparison but `!=`."""

    low: float
    high: float
    nan: bool = False

    def __neg__(self) -> Bounds:
        return Bounds(-self.high, -self.low, self.nan)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"always {self.low:g}"
        if math.isinf(self.high):
            return "any number" if math.isinf(self.low) else f"at least {self.low:g}"
        return f"at most {self.high:g}" if math.isinf(self.low) else f"from {self.low:g} to {self.high:g}"


ANY: Final = Bounds(-math.inf, math.inf, nan=True)
NON_NEGATIVE: Final = Bounds(0, math.inf)
MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


def verdict(op: str, left: Bounds, right: Bounds) -> bool | None:
    """Whether `left op right` is always or never true; None: it depends."""
    if op == "!=":
        equal = verdict("==", left, right)
        return None if equal is None else not equal
    if op in ("<", "<="):
        return verdict(MIRRORED[op], right, left)
    if op == "==":
        always = left.low == left.high == right.low == right.high
        never = left.high < right.low or right.high < left.low
    elif op == ">":
        always, never = left.low > right.high, left.high <= right.low
    else:
        always, never = left.low >= right.high, left.high < right.low
    if never:
        return False
    return True if always and not (left.nan or right.nan) else None


def narrowed(op: str, inner: Bounds, other: Bounds) -> Bounds:
    """The values of `inner` that can meet the comparison. Where none can, all of them."""
    low = max(inner.low, other.low) if op in (">", ">=", "==") else inner.low
    high = min(inner.high, other.high) if op in ("<", "<=", "==") else inner.high
    return Bounds(low, high, inner.nan and op == "!=") if low <= high else inner


def union(parts: Sequence[Bounds]) -> Bounds:
    return Bounds(min(p.low for p in parts), max(p.high for p in parts), any(p.nan for p in parts))


def total(inner: Bounds) -> Bounds:
    """Of one value or more."""
    low = inner.low if inner.low >= 0 else -math.inf
    return Bounds(low, inner.high if inner.high <= 0 else math.inf, inner.nan)


def absolute(inner: Bounds) -> Bounds:
    ends = (abs(inner.low), abs(inner.high))
    return Bounds(0 if inner.low <= 0 <= inner.high else min(ends), max(ends), inner.nan)


def raised(inner: Bounds, least: Bounds) -> Bounds:
    """clamp_min"""
    return Bounds(max(inner.low, least.low), max(inner.high, least.high), inner.nan or least.nan)


def capped(inner: Bounds, most: Bounds) -> Bounds:
    """clamp_max"""
    return Bounds(min(inner.low, most.low), min(inner.high, most.high), inner.nan or most.nan)


def floor(value: float) -> float:
    return value if math.isinf(value) else math.floor(value)


def ceil(value: float) -> float:
    return value if math.isinf(value) else math.ceil(value)


def combined(op: str, left: Bounds, right: Bounds) -> Bounds:
    """The bounds of an arithmetic operation; any number for an operator that is not known."""
    operation = _OPERATIONS.get(op)
    if operation is None:
        return ANY
    result = operation(left, right)
    return ANY if math.isnan(result.low) or math.isnan(result.high) else result  # of infinite numbers


def _infinite(bounds: Bounds) -> bool:
    return math.isinf(bounds.low) or math.isinf(bounds.high)


def _zero(bounds: Bounds) -> bool:
    return bounds.low <= 0 <= bounds.high


def _corners(left: Bounds, right: Bounds, of: Callable[[float, float], float], nan: bool) -> Bounds:
    """Of an operation that is monotone in both: its extremes are at the ends."""
    ends = [of(a, b) for a, b in product(left[:2], right[:2])]
    return Bounds(min(ends), max(ends), nan)


def _sum(left: Bounds, right: Bounds) -> Bounds:
    opposite = math.inf in (left.high, right.high) and -math.inf in (left.low, right.low)
    return Bounds(left.low + right.low, left.high + right.high, left.nan or right.nan or opposite)


def _product(left: Bounds, right: Bounds) -> Bounds:
    undefined = (_infinite(left) and _zero(right)) or (_infinite(right) and _zero(left))
    return _corners(left, right, lambda a, b: a * b if a and b else 0.0, left.nan or right.nan or undefined)


def _quotient(left: Bounds, right: Bounds) -> Bounds:
    nan = left.nan or right.nan or _zero(right) or (_infinite(left) and _infinite(right))
    if right.low > 0 or right.high < 0:
        return _corners(left, right, lambda a, b: a / b if math.isfinite(b) else 0.0, nan)
    return Bounds(0, math.inf, nan) if left.low >= 0 and right.low >= 0 else ANY


def _remainder(left: Bounds, right: Bounds) -> Bounds:
    """Has the sign of the dividend, and is smaller than the divisor and no larger than the dividend."""
    size = absolute(right).high
    nan = left.nan or right.nan or _zero(right) or _infinite(left)
    return Bounds(max(min(left.low, 0), -size), min(max(left.high, 0), size), nan)


def _power(left: Bounds, right: Bounds) -> Bounds:
    return Bounds(0, math.inf, left.nan or right.nan) if left.low >= 0 else ANY


_OPERATIONS: Final[dict[str, Callable[[Bounds, Bounds], Bounds]]] = {
    "+": _sum,
    "-": lambda left, right: _sum(left, -right),
    "*": _product,
    "/": _quotient,
    "%": _remainder,
    "^": _power,
    "atan2": lambda left, right: Bounds(-math.pi, math.pi, left.nan or right.nan),
}
