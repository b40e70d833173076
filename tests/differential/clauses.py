"""Random clauses around operands: groupings, matchings, new labels."""

from __future__ import annotations

import random

from tests.differential import words
from tests.differential.selecting import quoted
from tests.differential.tree import Node, node


def labels(chance: random.Random, most: int = 3) -> str:
    """A list of none to `most`."""
    return ", ".join(chance.sample(words.LABELS, chance.randint(0, most)))


def grouped(
    chance: random.Random, name: str, inner: Node, parameter: str = "", *, without: bool = False
) -> Node:
    """An aggregation. `without`: if it is grouped, then without labels."""
    arguments = (f"({parameter}, ", inner, ")") if parameter else ("(", inner, ")")
    draw = chance.random()
    if draw < 0.35:
        return node("vector", name, *arguments)
    word = "without" if without else chance.choice(("by", "by", "without"))
    grouping = node("modifier", f" {word} ({labels(chance)})")
    if draw < 0.5:
        return node("vector", name, *arguments, grouping)
    return node("vector", name, grouping, *arguments)


def between(chance: random.Random, operator: str, left: Node, right: Node) -> Node:
    """An operator between vectors, with what it matches on."""
    matching: Node | str = ""
    if chance.random() < 0.75:
        word = chance.choice(("on", "on", "ignoring"))
        text = f" {word} ({labels(chance)})"
        if operator not in words.SETS and chance.random() < 0.5:
            included = chance.choice(("", "", "()", "(zone)", "(missing, path)"))
            text += f" group_{chance.choice(('left', 'right'))}{included}"
        matching = node("modifier", text)
    return node("vector", "(", left, f" {operator}", matching, " ", right, ")")


def relabelled(chance: random.Random, inner: Node) -> Node:
    """A function of a vector's labels."""
    pick = chance.choice
    if chance.random() < 0.5:
        separator = quoted(chance, pick(("", "-", "é")))
        sources = "".join(f', "{pick(words.LABELS)}"' for _ in range(chance.randint(0, 3)))
        return node("vector", "label_join(", inner, f', "{pick(words.LABELS)}", {separator}{sources})')
    texts = (
        pick((*words.LABELS, "new", "__name__")),
        pick(("", "$1", "x-$1-$2", "${1}y", "$$1", "renamed")),
        pick((*words.LABELS, "__name__")),
        pick(("(.*)", "(.+)", "", "(.).*", "h(.)", "(?P<who>.*)", "x")),
    )
    written = "".join(f", {quoted(chance, text)}" for text in texts)
    return node("vector", "label_replace(", inner, written, ")")
