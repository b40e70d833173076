"""Go's values in Python, and what templates ask of them: type name, kind, truth, methods.

bool, int, float64, complex128 and string are the Python types; `list` is `[]interface {}` and `dict` is
`map[string]interface {}`. Any other Go type is a class with the attribute `go_type`, and `methods` if it has
some. `None` is a nil interface; `NO_VALUE` is the absence of any value, which prints as `<no value>`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Literal, NamedTuple

Kind = Literal[
    "invalid", "nil", "bool", "int", "uint", "float", "complex", "string", "slice", "map", "struct"
]


class _NoValue:
    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE: Final = _NoValue()
MISSING: Final = _NoValue()
"""No argument was given; never seen by a function."""


class Function(NamedTuple):
    """A function or method with its Go parameter types.

    `any` takes every value, `value` also NO_VALUE; with `variadic` the last type stands for any number.
    A `lazy` one is given an iterator instead, and only what it takes from it is evaluated.
    """

    call: Callable[..., Any]
    parameters: tuple[str, ...] = ()
    variadic: bool = False
    lazy: bool = False


def function(call: Callable[..., Any], *parameters: str) -> Function:
    """`function(printf, "string", "...any")`: the signature as Go writes it."""
    if parameters and parameters[-1].startswith("..."):
        return Function(call, (*parameters[:-1], parameters[-1][3:]), variadic=True)
    return Function(call, parameters)


class StringMap(dict[str, str]):
    """A map whose missing keys are empty strings."""

    go_type: ClassVar[str] = "map[string]string"
    methods: ClassVar[Mapping[str, Function]] = {}
    zero: ClassVar[str] = ""


class Strings(list[str]):
    go_type: ClassVar[str] = "[]string"
    methods: ClassVar[Mapping[str, Function]] = {}


class Byte(int):
    """What indexing a string gives."""

    go_type: ClassVar[str] = "uint8"


class SafeHtml(str):
    """A text that is HTML already: not escaped again."""

    __slots__ = ()
    go_type: ClassVar[str] = "template.HTML"


class Record:
    """A Go struct: named values in order. `json_names` differ from the names where Go's tags do."""

    __slots__ = ("go_type", "values")
    methods: ClassVar[Mapping[str, Function]] = {}
    json_names: ClassVar[Mapping[str, str]] = {}

    def __init__(self, go_type: str, values: Mapping[str, Any]) -> None:
        self.go_type, self.values = go_type, values


_BASIC: Final[dict[type, tuple[Kind, str]]] = {
    str: ("string", "string"),
    float: ("float", "float64"),
    int: ("int", "int"),
    bool: ("bool", "bool"),
    complex: ("complex", "complex128"),
    list: ("slice", "[]interface {}"),
    dict: ("map", "map[string]interface {}"),
    type(None): ("nil", "interface {}"),
    _NoValue: ("invalid", "<nil>"),
    Byte: ("uint", "uint8"),
}


def kind(value: object) -> Kind:
    """The family a value belongs to; comparison and truth go by it."""
    basic = _BASIC.get(type(value))
    if basic is not None:
        return basic[0]
    return next(
        (_BASIC[base][0] for base in (str, float, int, list, dict) if isinstance(value, base)), "struct"
    )


def type_name(value: object) -> str:
    """As Go's `%T` prints it."""
    basic = _BASIC.get(type(value))
    if basic is not None:
        return basic[1]
    return str(getattr(value, "go_type", type(value).__name__))


def method(value: object, name: str) -> Function | None:
    methods: Mapping[str, Function] = getattr(value, "methods", {})
    return methods.get(name)


def is_basic(value: object) -> bool:
    """Whether it is of one of Go's predeclared types, which have no methods."""
    return type(value) in _BASIC


def truth(value: object) -> bool:
    """Empty, zero and absent are false; a struct is true."""
    return kind(value) == "struct" or (value is not NO_VALUE and bool(value))


def zero_of(mapping: Mapping[str, Any]) -> Any:
    """What a missing key of this map gives."""
    return getattr(mapping, "zero", None)


def utf8(text: str) -> bytes:
    """Go's strings are bytes: lengths and indexes count these."""
    return text.encode("utf-8", "surrogatepass")


def from_utf8(data: bytes) -> str:
    """The text of bytes; broken sequences become the replacement character."""
    return data.decode("utf-8", "replace")
