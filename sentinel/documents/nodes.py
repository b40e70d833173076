"""From text to YAML nodes, and from an offset in a scalar's value back to its place in the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sentinel.errors import ConfigError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 64
_MAX_NODES = 2_000_000
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


class Place(NamedTuple):
    """Where something stands in a file. Both count from 1."""

    line: int
    column: int


def place_of(node: Any) -> Place:
    """Where a node, or an event of the parser, begins."""
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def read_text(path: str | Path) -> str:
    """A file's text. Raises ConfigError."""
    try:
        return Path(path).read_bytes().decode()
    except FileNotFoundError:
        raise ConfigError("no such file", path=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8: byte {error.start} ({error.reason})", path=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=str(path)) from None


def compose(path: str, text: str) -> Iterator[yaml.Node]:
    """The documents of `text`, one by one: a mistake in the second is not seen by who reads the first.

    Raises ConfigError with the place where the text stops being YAML.
    """
    _check_depth(path, text)
    try:
        loader = _Loader(text)
        try:
            while loader.check_node():
                node: Any = loader.get_node()
                _check_size(path, node)
                yield node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ConfigError(f"not YAML: {error.problem}", path=path, line=line, column=column) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {str(error).splitlines()[0]}", path=path, line=1, column=1) from None


def _check_depth(path: str, text: str) -> None:
    """Refuses nesting before anything is composed: libyaml's composer recurses on the C stack and takes the
    process with it."""
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise _located(f"nested deeper than {_MAX_DEPTH} levels", path, event)
    except yaml.YAMLError:
        return  # what is no YAML is told by who composes it


def _check_size(path: str, root: yaml.Node) -> None:
    """Refuses what a recursive reader would not survive: anchors in themselves, alias bombs."""
    levels = [[root]]
    while levels[-1]:
        if len(levels) > _MAX_DEPTH:
            raise _located(f"nested deeper than {_MAX_DEPTH} levels", path, levels[-1][0])
        unique = {id(child): child for node in levels[-1] for child in _children(node)}
        levels.append(list(unique.values()))
    sizes: dict[int, int] = {}
    for node in (node for level in reversed(levels) for node in level):
        sizes[id(node)] = 1 + sum(sizes[id(child)] for child in _children(node))
    if sizes[id(root)] > _MAX_NODES:
        raise _located(f"more than {_MAX_NODES} values once its aliases are laid out", path, root)


def _located(message: str, path: str, node: Any) -> ConfigError:
    line, column = place_of(node)
    return ConfigError(message, path=path, line=line, column=column)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def key_text(node: yaml.Node) -> str:
    """A key as written; keys that are no scalars have no text."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def place_in_scalar(text: str, node: yaml.ScalarNode, offset: int) -> Place:
    """Where the character at `offset` of the scalar's value stands in the file.

    Runs of white space in the value stand for runs of white space in the text, however YAML folded and
    indented them; all other characters stand one for one, escapes apart. So the place of anything but white
    space is exact.
    """
    start = min(node.start_mark.index, len(text))
    if node.style in ("|", ">"):
        start = text.find("\n", start) + 1
    elif node.style:
        start += 1  # the opening quote
    at = _source_offset(text, start, node, min(offset, len(node.value)))
    line_start = text.rfind("\n", 0, at) + 1
    return Place(text.count("\n", 0, at) + 1, at - line_start + 1)


def _source_offset(text: str, at: int, node: yaml.ScalarNode, offset: int) -> int:
    value, done = node.value, 0
    if node.style in ("|", ">"):
        at += _space(text, at)
        done += _space(value, 0)
    while at < len(text):
        escaped = node.style == '"' and text[at] == "\\"
        if escaped and text[at + 1] in "\r\n":  # a line end that is nothing, with the indentation after it
            at += 2 + _space(text, at + 2)
        elif done >= offset:
            break
        elif text[at].isspace():
            run = _space(text, at)
            done += _space(value, done) if "\n" in text[at : at + run] else run
            at += run
        else:
            at += _written_length(text, at, node.style, escaped)
            done += 1
    return at


def _written_length(text: str, at: int, style: str | None, escaped: bool) -> int:
    """How many characters of the text stand for the one that begins at `at`."""
    if escaped:
        return _ESCAPE_LENGTHS.get(text[at + 1], 2)
    return 2 if style == "'" and text.startswith("''", at) else 1


def _space(text: str, start: int) -> int:
    """How many white-space characters begin at `start`."""
    end = start
    while end < len(text) and text[end].isspace():
        end += 1
    return end - start
