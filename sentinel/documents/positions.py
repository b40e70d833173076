"""Where the values of a document stand: asked by the struct they were read into."""

from __future__ import annotations

import msgspec
import yaml

from sentinel.documents.nodes import Place, is_null, key_text, place_in_scalar, place_of


class Positions:
    """Remembers from which node each struct was read.

    A place is named by a struct and the keys and indices that lead on from it, as the file writes them:
    `positions.of(rule, "labels", "team")`. What the file lacks has the place of the nearest thing it has.
    """

    def __init__(self, path: str, text: str, root: yaml.Node) -> None:
        self.path, self.text, self.root = path, text, root
        self._read: dict[int, tuple[msgspec.Struct, yaml.Node]] = {}
        self._broken: set[int] = set()

    def of(self, struct: msgspec.Struct, *where: str | int) -> Place:
        return place_of(self._find(struct, where)[1])

    def key(self, struct: msgspec.Struct, *where: str | int) -> Place:
        """The place of a key rather than of its value."""
        return place_of(self._find(struct, where)[0])

    def inside(self, struct: msgspec.Struct, *where: str | int, offset: int) -> Place:
        """The place of the character at `offset` of a text; the text's own place if `offset` is negative."""
        node = self._find(struct, where)[1]
        if offset < 0 or not isinstance(node, yaml.ScalarNode):
            return place_of(node)
        return place_in_scalar(self.text, node, offset)

    def is_whole(self, struct: msgspec.Struct) -> bool:
        """False if something in it was wrong and is left out, or stands at its default."""
        return id(struct) not in self._broken

    def remember(self, struct: msgspec.Struct, node: yaml.Node, *, whole: bool) -> None:
        self._read[id(struct)] = (struct, node)  # holding the struct keeps its id its own
        if not whole:
            self._broken.add(id(struct))

    def node(self, struct: msgspec.Struct, *where: str | int) -> yaml.Node:
        return self._find(struct, where)[1]

    def _find(self, struct: msgspec.Struct, where: tuple[str | int, ...]) -> tuple[yaml.Node, yaml.Node]:
        _, node = self._read.get(id(struct), (struct, self.root))
        key = node
        for step in where:
            found = _step(node, step)
            if found is None:
                break
            key, node = found
        return key, node


def _step(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """(key, value) one step down. A null value, as of `for:`, has the place of its key."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):  # a merged key comes before the one that overrides it
            if key_text(key) == step:
                return key, key if is_null(value) else value
    return None
