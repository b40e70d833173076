"""Expressions as trees of text, so that one that shows a difference can be made smaller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["scalar", "vector", "matrix", "string", "modifier"]


@dataclass(frozen=True)
class Node:
    """Text with expressions in it. One of kind `modifier` may be left out."""

    kind: Kind
    parts: tuple[str | Node, ...]

    @cached_property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)


def node(kind: Kind, *parts: str | Node) -> Node:
    return Node(kind, tuple(part for part in parts if part != ""))


def smaller(tree: Node) -> Iterator[Node]:
    """Trees in which one expression gives way to one of its own, or a modifier to nothing; smallest first."""
    yield from sorted({one.text: one for one in _smaller(tree)}.values(), key=lambda one: len(one.text))


def _smaller(tree: Node) -> Iterator[Node]:
    if tree.kind == "modifier":
        yield Node("modifier", ())
    yield from (one for one in _below(tree) if _stands_for(one, tree))
    for position, part in enumerate(tree.parts):
        if isinstance(part, Node):
            before, after = tree.parts[:position], tree.parts[position + 1 :]
            yield from (Node(tree.kind, (*before, one, *after)) for one in _smaller(part))


def _below(tree: Node) -> Iterator[Node]:
    for part in tree.parts:
        if isinstance(part, Node):
            yield part
            yield from _below(part)


def _stands_for(one: Node, other: Node) -> bool:
    return one.kind == other.kind and one.text != other.text
