"""eq, ne, lt, le, gt and ge. An int and a float never compare: `gt $value 80` fails, `80.0` works."""

from __future__ import annotations

from typing import Any, Final

from sentinel.template.gofmt import sprint
from sentinel.template.limits import CallError
from sentinel.template.values import Kind, kind, type_name

_BASIC: Final[frozenset[Kind]] = frozenset({"bool", "int", "uint", "float", "complex", "string"})
_INTEGERS: Final[frozenset[Kind]] = frozenset({"int", "uint"})
_ABSENT: Final[frozenset[Kind]] = frozenset({"invalid", "nil"})


def equal(first: Any, *others: Any) -> bool:
    """Whether `first` equals one of the others. Raises CallError if the types cannot be compared."""
    if not others:
        raise CallError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def not_equal(first: Any, second: Any) -> bool:
    return not equal(first, second)


def less(first: Any, second: Any) -> bool:
    """Orders numbers of one kind, and strings."""
    family, other = kind(first), kind(second)
    if family not in _BASIC or other not in _BASIC:
        raise CallError("invalid type for comparison")
    if family != other and not _INTEGERS.issuperset((family, other)):
        raise _incompatible(first, second)
    if family in ("bool", "complex"):
        raise CallError("invalid type for comparison")
    return bool(first < second)


def less_equal(first: Any, second: Any) -> bool:
    return less(first, second) or equal(first, second)


def greater(first: Any, second: Any) -> bool:
    """The negation of <=, as Go has it: true if either is NaN."""
    return not less_equal(first, second)


def greater_equal(first: Any, second: Any) -> bool:
    return not less(first, second)


def _same(first: Any, second: Any) -> bool:
    family, other = kind(first), kind(second)
    if family in _ABSENT or other in _ABSENT:
        return family in _ABSENT and other in _ABSENT
    if family != other and not _INTEGERS.issuperset((family, other)):
        raise _incompatible(first, second)
    if family in ("slice", "map"):
        raise CallError(f"non-comparable type {sprint([second])}: {type_name(second)}")
    return bool(first == second)


def _incompatible(first: Any, second: Any) -> CallError:
    return CallError(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")
