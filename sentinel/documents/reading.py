"""From YAML nodes to structs, led by the types: whatever is wrong is noted, and reading goes on.

Texts keep the writing of the file (`severity: yes` is "yes", `version: 1.10` is "1.10"), as Go's YAML has it.
A key without a value counts as not written.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec
import yaml

from sentinel.documents.nodes import compose, is_null, key_text, place_of
from sentinel.documents.positions import Positions
from sentinel.documents.scalars import read_scalar
from sentinel.documents.wording import advice, describe
from sentinel.errors import ConfigError, ConfigErrors

S = TypeVar("S", bound=msgspec.Struct)
Substitute = Callable[[str], str]

INVALID: Final = msgspec.UNSET
"""Stands for a value that could not be read and whose error is already noted."""


def load_struct(
    path: str, text: str, struct: type[S], substitute: Substitute | None = None
) -> tuple[S, Positions]:
    """Reads the first document of `text`; an empty text is an empty mapping.

    `substitute` is applied to every text value; it may raise ValueError. Raises ConfigErrors with all errors.
    """
    value, positions, errors = read_struct(path, text, struct, substitute)
    if errors or value is None:
        raise ConfigErrors([*errors])
    return value, positions


def read_struct(
    path: str, text: str, struct: type[S], substitute: Substitute | None = None
) -> tuple[S | None, Positions, list[ConfigError]]:
    """As `load_struct`, but returns what could be read beside the errors.

    Wrong items of lists are left out, wrong values of keys replaced by the default; a struct that lacks a
    required key is left out itself. None: nothing could be read.
    """
    try:
        node = next(compose(path, text), None)
    except ConfigError as error:
        return None, Positions(path, text, _nothing()), [error]
    return _read(_Reader(Positions(path, text, node or _nothing()), substitute), struct)


def read_node(
    path: str, text: str, node: yaml.Node, struct: type[S], *, strict: bool = True
) -> tuple[S | None, Positions, list[ConfigError]]:
    """As `read_struct`, of one node of `compose(path, text)`; `strict=False` passes over unknown keys."""
    return _read(_Reader(Positions(path, text, node), strict=strict), struct)


def _read(reader: _Reader, struct: type[S]) -> tuple[S | None, Positions, list[ConfigError]]:
    root = reader.positions.root
    value = reader.read(_nothing() if is_null(root) else root, struct)
    return (None if value is INVALID else value), reader.positions, reader.errors


def reread(
    positions: Positions, of: msgspec.Struct, key: str, struct: type[S]
) -> tuple[S | None, list[ConfigError]]:
    """The value under `key` of a struct already read, now as a `struct` that only later became known."""
    node = positions.node(of, key)
    if not isinstance(node, yaml.MappingNode) or node is positions.node(of):
        node = _nothing(positions.node(of))
    reader = _Reader(positions)
    value = reader.read(node, struct)
    return (None if value is INVALID else value), reader.errors


def _nothing(at: yaml.Node | None = None) -> yaml.MappingNode:
    start = at.start_mark if at else yaml.Mark("", 0, 0, 0, None, 0)
    return yaml.MappingNode("tag:yaml.org,2002:map", [], start, start)


class _Reader:
    def __init__(
        self, positions: Positions, substitute: Substitute | None = None, *, strict: bool = True
    ) -> None:
        self.errors: list[ConfigError] = []
        self.positions, self._substitute, self._strict = positions, substitute, strict

    def read(self, node: yaml.Node, wanted: Any) -> Any:
        """`node` as a value of the type `wanted`, or INVALID."""
        whole = _fitting(node, wanted)
        if whole is None:
            return None
        wanted = _bare(whole)
        if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
            return self._struct(node, wanted)
        kind = get_origin(wanted) or wanted
        if kind is dict:
            return self._dict(node, wanted, whole)
        if kind in (list, tuple, frozenset, set):
            return self._items(node, wanted, whole)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, whole)
        return self._tree(node) if wanted is Any else self._refuse(node, whole)

    def _struct(self, node: yaml.Node, struct: type[msgspec.Struct]) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self._refuse(node, struct)
        before, values, lacking = len(self.errors), {}, False
        fields, found = _fields(struct), self._pairs(node)
        self._check_names(found.values(), struct, list(fields))
        for name, field in fields.items():
            value = self._field(found.get(name), field.type)
            if value is not INVALID:
                values[field.name] = value
            elif field.required:
                lacking = True
                if name not in found or _says_nothing(found[name][1], field.type):
                    self._note(f"missing key {name!r}", node)
        if lacking:
            return INVALID
        try:
            made = struct(**values)
        except ConfigError as error:
            return self._note(error.message, node, error.hint)
        except (ValueError, TypeError) as error:
            return self._note(str(error), node)
        self.positions.remember(made, node, whole=len(self.errors) == before)
        return made

    def _field(self, found: tuple[yaml.Node, yaml.Node] | None, wanted: Any) -> Any:
        if found is None or _says_nothing(found[1], wanted):
            return INVALID
        return self.read(found[1], wanted)

    def _check_names(
        self, pairs: Iterable[tuple[yaml.Node, yaml.Node]], struct: type[msgspec.Struct], known: list[str]
    ) -> None:
        strict = self._strict and struct.__struct_config__.forbid_unknown_fields
        for key, _ in pairs:
            if strict and key_text(key) not in known:
                self._note(f"unknown key {key_text(key)!r}", key, advice(key_text(key), known))

    def _dict(self, node: yaml.Node, wanted: Any, whole: Any) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self._refuse(node, whole)
        of_value = (get_args(wanted) or (str, Any))[1]
        read = {
            name: "" if is_null(value) and of_value is str else self.read(value, of_value)
            for name, (_, value) in self._pairs(node).items()
        }
        good = {name: value for name, value in read.items() if value is not INVALID}
        return self._bounded(node, whole, good)

    def _items(self, node: yaml.Node, wanted: Any, whole: Any) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return self._refuse(node, whole)
        of_item = (get_args(wanted) or (Any,))[0]
        read = [self.read(item, of_item) for item in node.value]
        kind = get_origin(wanted) or wanted
        return self._bounded(node, whole, kind(item for item in read if item is not INVALID))

    def _bounded(self, node: yaml.Node, wanted: Any, value: Any) -> Any:
        """Checks `Meta(min_length, max_length)` of a list or mapping."""
        for meta in getattr(wanted, "__metadata__", ()):
            least, most = getattr(meta, "min_length", None) or 0, getattr(meta, "max_length", None)
            if len(node.value) < least:
                return self._note(f"needs at least {least} item{'s' * (least > 1)}", node)
            if most is not None and len(node.value) > most:
                return self._note(f"takes at most {most} items", node)
        return value

    def _scalar(self, node: yaml.ScalarNode, wanted: Any) -> Any:
        try:
            text = self._substitute(node.value) if self._substitute else node.value
            return read_scalar(node, text, wanted)
        except ValueError as error:
            message, _, hint = str(error).partition("\n")
            return self._note(message, node, hint)

    def _tree(self, node: yaml.Node) -> Any:
        """A mapping or list of no particular type, as YAML has it."""
        if isinstance(node, yaml.MappingNode):
            return self._dict(node, dict[str, Any], None)
        return self._items(node, list[Any], None)

    def _pairs(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Name to (key, value), merge keys (`<<`) laid under; a name given twice is an error."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = key_text(key)
            if not isinstance(key, yaml.ScalarNode):
                self._note("a key must be a text", key)
            elif key.tag == "tag:yaml.org,2002:merge":
                for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    inherited = self._pairs(source) if isinstance(source, yaml.MappingNode) else {}
                    merged = inherited | merged
            elif name in own:
                self._note(f"key {name!r} is given twice, first in line {place_of(own[name][0]).line}", key)
            else:
                own[name] = (key, value)
        return merged | own

    def _refuse(self, node: yaml.Node, wanted: Any) -> Any:
        return self._note(f"expected {describe(wanted)}, got {describe(type(node))}", node)

    def _note(self, message: str, node: yaml.Node, hint: str = "") -> Any:
        (line, column), path = place_of(node), self.positions.path
        self.errors.append(ConfigError(message, path=path, line=line, column=column, hint=hint))
        return INVALID


@functools.cache
def _fields(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """By the name that files use."""
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


def _bare(wanted: Any) -> Any:
    return get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted


def _members(wanted: Any) -> tuple[Any, ...]:
    return get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)


def _says_nothing(node: yaml.Node, wanted: Any) -> bool:
    """A key without a value, where the type knows no None."""
    return is_null(node) and type(None) not in _members(_bare(wanted)) and _bare(wanted) is not Any


def _fitting(node: yaml.Node, wanted: Any) -> Any:
    """The member of a union that a node of this shape can be; None for a null where that is allowed."""
    members = _members(wanted)
    if is_null(node) and type(None) in members:
        return None
    members = tuple(member for member in members if member is not type(None))
    if len(members) == 1:
        return members[0]
    for member in members:
        kind = get_origin(_bare(member)) or _bare(member)
        is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        if isinstance(node, yaml.MappingNode) and (is_struct or kind is dict):
            return member
        if isinstance(node, yaml.SequenceNode) and kind in (list, tuple, frozenset, set):
            return member
    return wanted
