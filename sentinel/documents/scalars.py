"""One YAML scalar as a value of a type."""

from __future__ import annotations

import functools
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import yaml

from sentinel.documents.wording import advice, describe
from sentinel.model import Secret

_TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp")
_NUMBERS = (int, float, bool)


def read_scalar(node: yaml.ScalarNode, text: str, wanted: Any) -> Any:
    """`text`, what the scalar says after substitution, as a `wanted`.

    Raises ValueError; a second line of its text is a hint. Types of our own are read by their class method
    `parse(text)`, which raises ValueError.
    """
    if wanted is str:
        return text
    if wanted is Any:
        return plain_value(node, text)
    try:
        if _is_textual(wanted):
            return msgspec.convert(text, wanted, dec_hook=_own_type)
        value = plain_value(node, text)
        lax = isinstance(value, str) and (not node.style or text != node.value)  # such as 1e6 and "${PORT}"
        return msgspec.convert(value, wanted, dec_hook=_own_type, strict=not lax)
    except msgspec.ValidationError as error:
        if text != node.value:  # out of the environment, perhaps a secret: only its name is shown
            raise ValueError(f"expected {describe(wanted)}, got the value of {node.value!r}") from None
        raise ValueError(_explain(str(error), text, wanted)) from None


def plain_value(node: yaml.ScalarNode, text: str) -> Any:
    """The value as YAML has it; a substituted text stays a text."""
    if text != node.value or node.tag in _TEXT_TAGS:
        return text
    constructor = yaml.constructor.SafeConstructor()
    try:
        return constructor.construct_object(node)
    except (yaml.YAMLError, ValueError):
        return text


def _own_type(wanted: type, text: Any) -> Any:
    if wanted is Secret:
        return Secret(str(text))
    parse = getattr(wanted, "parse", None)
    if parse is None:
        raise AssertionError(f"{wanted.__name__} is used in a file's struct but has no parse(text)")
    return parse(text)


@functools.cache
def _is_textual(wanted: Any) -> bool:
    """Whether the writing itself is wanted, rather than the number or truth value YAML makes of it."""
    kind = get_origin(wanted)
    if kind is Annotated:
        return _is_textual(get_args(wanted)[0])
    if kind in (Union, types.UnionType):
        return all(_is_textual(member) for member in get_args(wanted) if member is not type(None))
    if kind is Literal:
        return all(isinstance(choice, str) for choice in get_args(wanted))
    return wanted not in (*_NUMBERS, Any, object)


def _explain(message: str, text: str, wanted: Any) -> str:
    """A msgspec message in the user's terms, with a hint on the second line."""
    choices = literal_choices(wanted)
    if choices:
        return f"unknown value {text!r}\n{advice(text, choices)}"
    return f"expected {describe(wanted)}, got {text!r}" if message.startswith("Expected") else message


def literal_choices(wanted: Any) -> list[str]:
    """The texts a Literal allows, wherever it stands in the type."""
    if get_origin(wanted) is Literal:
        return [choice for choice in get_args(wanted) if isinstance(choice, str)]
    return [choice for part in get_args(wanted) for choice in literal_choices(part)]
