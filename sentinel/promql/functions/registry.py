"""Where PromQL functions are registered, each with the signature the parser checks calls against."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from sentinel.promql.ast import Kind

FUNCTIONS: Final[dict[str, Function]] = {}

_KINDS: Final[dict[str, Kind]] = {
    "scalar": "scalar",
    "vector": "instant vector",
    "matrix": "range vector",
    "string": "string",
}
_SIGNATURE: Final = re.compile(r"(\w+)\(([^)]*)\) (\w+)")
_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Function:
    """What the parser and the evaluator need to know of one function."""

    name: str
    parameters: tuple[Kind, ...]
    least: int
    """How many arguments there must be; a function of no upper limit has `most` -1."""
    most: int
    returns: Kind
    evaluate: Callable[..., Any]
    """`(invocation, *argument values) -> value`."""
    native: bool = False
    """Whether it takes native histograms; from the arguments of others they are left out."""

    def parameter(self, position: int) -> Kind:
        """The kind wanted at a position; the last one repeats."""
        return self.parameters[min(position, len(self.parameters) - 1)]


def function(*signatures: str, native: bool = False) -> Callable[[_Implementation], _Implementation]:
    """Registers an implementation under signatures such as `round(vector, scalar?) vector`.

    `?` marks an argument that may be left out, `...` one that may be repeated or left out. `native` ones see
    native histograms among the values (see `promql.native`).
    """

    def register(evaluate: _Implementation) -> _Implementation:
        for signature in signatures:
            described = replace(_read(signature, evaluate), native=native)
            FUNCTIONS[described.name] = described
        return evaluate

    return register


def _read(signature: str, evaluate: Callable[..., Any]) -> Function:
    match = _SIGNATURE.fullmatch(signature)
    assert match is not None, f"bad signature {signature!r}"
    name, inside, returns = match.groups()
    words = [word.strip() for word in inside.split(",") if word.strip()]
    return Function(
        name=name,
        parameters=tuple(_KINDS[word.rstrip("?.")] for word in words),
        least=sum(word.isalpha() for word in words),
        most=-1 if inside.endswith("...") else len(words),
        returns=_KINDS[returns],
        evaluate=evaluate,
    )
