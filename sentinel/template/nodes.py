"""The parsed template. Every node knows its position; `str` of a node is what error texts quote."""

from __future__ import annotations

from typing import NamedTuple

from sentinel.template.goquote import quote


class Dot(NamedTuple):
    pos: int

    def __str__(self) -> str:
        return "."


class Nil(NamedTuple):
    pos: int

    def __str__(self) -> str:
        return "nil"


class Bool(NamedTuple):
    pos: int
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


class Number(NamedTuple):
    """A constant: `ideal` is its value where any type is welcome, None if it does not fit an int."""

    pos: int
    text: str
    ideal: int | float | complex | None
    integer: int | None
    real: float | None

    def __str__(self) -> str:
        return self.text


class String(NamedTuple):
    pos: int
    literal: str
    value: str

    def __str__(self) -> str:
        return self.literal


class Identifier(NamedTuple):
    pos: int
    name: str

    def __str__(self) -> str:
        return self.name


class Field(NamedTuple):
    """`.a.b` of the dot."""

    pos: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join("." + name for name in self.names)


class Variable(NamedTuple):
    """`$x.a.b`."""

    pos: int
    name: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


class Chain(NamedTuple):
    """`(pipeline).a.b`."""

    pos: int
    node: Operand
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return _in_parentheses(self.node) + "".join("." + name for name in self.fields)


class Command(NamedTuple):
    pos: int
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join(_in_parentheses(operand) for operand in self.operands)


class Pipe(NamedTuple):
    """`$x, $y := command | command`; `assigns` tells `=` from `:=`."""

    pos: int
    variables: tuple[str, ...]
    assigns: bool
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        sign = " = " if self.assigns else " := "
        head = ", ".join(self.variables) + sign if self.variables else ""
        return head + " | ".join(str(command) for command in self.commands)


class Text(NamedTuple):
    pos: int
    text: str


class Action(NamedTuple):
    pos: int
    pipe: Pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


class Branch(NamedTuple):
    """`if`, `with` or `range`, by `keyword`."""

    pos: int
    keyword: str
    pipe: Pipe
    body: Body
    otherwise: Body | None


class Call(NamedTuple):
    """`{{template "name" pipeline}}`."""

    pos: int
    name: str
    pipe: Pipe | None

    def __str__(self) -> str:
        data = f" {self.pipe}" if self.pipe else ""
        return f"{{{{template {quote(self.name)}{data}}}}}"


class Jump(NamedTuple):
    """`break` or `continue`."""

    pos: int
    keyword: str


class Tree(NamedTuple):
    """One template: its name, its nodes, and the text it was parsed from, for error positions."""

    name: str
    source: str
    text: str
    body: Body

    def place(self, pos: int) -> str:
        """`source:line:column`, the column in bytes from 0, as Go counts."""
        start = self.text.rfind("\n", 0, pos) + 1
        column = len(self.text[start:pos].encode("utf-8", "surrogatepass"))
        return f"{self.source}:{self.text.count(chr(10), 0, pos) + 1}:{column}"

    @property
    def empty(self) -> bool:
        return all(isinstance(node, Text) and not node.text.strip() for node in self.body)


Literal = Dot | Nil | Bool | Number | String
Operand = Literal | Identifier | Field | Variable | Chain | Pipe
Node = Text | Action | Branch | Call | Jump
Body = tuple[Node, ...]
Placed = Operand | Command | Node


def _in_parentheses(operand: Operand) -> str:
    return f"({operand})" if isinstance(operand, Pipe) else str(operand)
