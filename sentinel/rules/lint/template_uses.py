"""What a template of a rule takes from its alert: which labels, and where it shows the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sentinel.template.functions.prometheus import NAMES
from sentinel.template.nodes import (
    Action,
    Body,
    Branch,
    Call,
    Chain,
    Command,
    Field,
    Identifier,
    Operand,
    Pipe,
    String,
    Variable,
)
from sentinel.template.parse import parse

_DECLARED: Final = "{{$labels := .Labels}}{{$externalLabels := .}}{{$externalURL := .}}{{$value := .Value}}"
_DECLARATIONS: Final = 4


class Use(NamedTuple):
    """One mention of a label or of the value. `offset` is where, in the text."""

    offset: int
    label: str = ""
    value: bool = False
    shown: bool = False
    """It becomes part of the text, rather than being asked about."""
    functions: tuple[str, ...] = ()
    """What the same command line calls."""


def uses(text: str) -> Iterator[Use]:
    """In the order of the text, of a template that loads."""
    trees = parse(_DECLARED + text, name="", functions=NAMES)
    for name, tree in trees.items():
        yield from _body(tree.body[_DECLARATIONS:] if not name else tree.body, dot=not name)


def _body(body: Body, dot: bool) -> Iterator[Use]:
    """`dot`: whether `.` is still the alert."""
    for node in body:
        if isinstance(node, Action):
            yield from _pipe(node.pipe, dot, shown=not node.pipe.variables)
        elif isinstance(node, Branch):
            inside = dot and node.keyword == "if"
            yield from _pipe(node.pipe, dot, shown=False)
            yield from _body(node.body, inside)
            yield from _body(node.otherwise or (), dot)
        elif isinstance(node, Call) and node.pipe is not None:
            yield from _pipe(node.pipe, dot, shown=False)


def _pipe(pipe: Pipe, dot: bool, shown: bool) -> Iterator[Use]:
    functions = tuple(
        operand.name
        for command in pipe.commands
        for operand in command.operands
        if isinstance(operand, Identifier)
    )
    shown = shown and not _QUESTIONS.intersection(functions)
    for command in pipe.commands:
        yield from _indexed(command, dot)
        for operand in command.operands:
            yield from _operand(operand, dot, shown, functions)


_QUESTIONS: Final = frozenset(("eq", "ne", "lt", "le", "gt", "ge", "query", "match", "and", "or", "not"))


def _operand(operand: Operand, dot: bool, shown: bool, functions: tuple[str, ...]) -> Iterator[Use]:
    if isinstance(operand, Pipe):
        for use in _pipe(operand, dot, shown):
            yield use._replace(functions=functions + use.functions)
    elif isinstance(operand, Chain):
        yield from _operand(operand.node, dot, shown, functions)
    else:
        kind, label, pos = _meaning(operand, dot)
        if kind == "Value" or label:
            yield Use(pos - len(_DECLARED), label, kind == "Value", shown, functions)


def _indexed(command: Command, dot: bool) -> Iterator[Use]:
    """`index $labels "x"`"""
    match command.operands:
        case (Identifier(name="index"), source, String() as key, *_):
            if _meaning(source, dot)[0] == "Labels":
                yield Use(key.pos - len(_DECLARED), key.value)


def _meaning(operand: Operand, dot: bool) -> tuple[str, str, int]:
    """(Labels or Value or nothing, the label's name, position). A variable's is that of its first field."""
    match operand:
        case Variable(name="$labels" as name, fields=fields):
            return "Labels", ".".join(fields[:1]), operand.pos - (len(name) if fields else 0)
        case Variable(name="$value"):
            return "Value", "", operand.pos
        case Variable(name="$", fields=(kind, *rest)):
            return kind, rest[0] if kind == "Labels" and rest else "", operand.pos
        case Field(names=(kind, *rest)) if dot:
            return kind, rest[0] if kind == "Labels" and rest else "", operand.pos
    return "", "", 0
