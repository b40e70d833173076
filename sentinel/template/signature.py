"""The arguments of a call, checked against the Go types a function declares."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sentinel.template import nodes
from sentinel.template.limits import CallError
from sentinel.template.values import MISSING, NO_VALUE, Function, type_name

_NILABLE: Final = ("any", "[]", "*", "template.queryResult")
_INTEGERS: Final = ("int", "time.Duration")


class Arguments(NamedTuple):
    """What follows a function's name, and `final`: what the pipeline brings, or MISSING."""

    operands: tuple[nodes.Operand, ...] = ()
    final: Any = MISSING

    @property
    def number(self) -> int:
        return len(self.operands) + (self.final is not MISSING)

    def types(self, target: Function, name: str) -> tuple[str, ...]:
        """The type each argument has to have. Raises CallError if there are too many or too few."""
        *fixed, last = target.parameters or ("",)
        if target.variadic:
            if self.number < len(fixed):
                given = len(self.operands)
                raise CallError(f"wrong number of args for {name}: want at least {len(fixed)} got {given}")
            return (*fixed, *[last] * (self.number - len(fixed)))
        if self.number != len(target.parameters):
            wanted = len(target.parameters)
            raise CallError(f"wrong number of args for {name}: want {wanted} got {self.number}")
        return target.parameters


def accept(value: Any, wanted: str) -> Any:
    """`value`, if Go may assign it to the type `wanted`; raises CallError if not."""
    if wanted == "value":
        return value
    if value is NO_VALUE or value is None:
        if wanted.startswith(_NILABLE):
            return _nil_of(wanted)
        raise CallError(f"invalid value; expected {wanted}")
    actual = type_name(value)
    if wanted in ("any", actual, getattr(value, "underlying", None)):
        return value
    raise CallError(f"wrong type for value; expected {_shown(wanted)}; got {actual}")


def literal(operand: nodes.Operand, wanted: str) -> Any:
    """A constant as an argument; raises CallError if it is none of type `wanted`."""
    if isinstance(operand, nodes.Nil):
        if wanted != "value" and not wanted.startswith(_NILABLE):
            raise CallError(f"cannot assign nil to {wanted}")
        return NO_VALUE if wanted == "value" else _nil_of(wanted)
    if wanted in ("any", "value"):
        return constant(operand)
    if wanted == "string" and isinstance(operand, nodes.String):
        return operand.value
    if wanted == "float64" and isinstance(operand, nodes.Number) and operand.real is not None:
        return operand.real
    if wanted in _INTEGERS and isinstance(operand, nodes.Number) and operand.integer is not None:
        return operand.integer
    expected = {"string": "string", "float64": "float", "int": "integer", "time.Duration": "integer"}.get(
        wanted
    )
    if expected is None:
        raise CallError(f"can't handle {operand} for arg of type {_shown(wanted)}")
    raise CallError(f"expected {expected}; found {operand}")


def constant(operand: nodes.Operand) -> Any:
    """The value of a literal where any type is welcome."""
    if isinstance(operand, nodes.Number):
        if operand.ideal is None:
            raise CallError(f"{operand.text} overflows int")
        return operand.ideal
    assert isinstance(operand, nodes.Bool | nodes.String)
    return operand.value


def _nil_of(wanted: str) -> Any:
    """A nil slice is an empty one."""
    return None if wanted.startswith(("any", "*")) else []


def _shown(wanted: str) -> str:
    return wanted.replace("any", "interface {}")
