"""The JSON Schema of a document that is read into a struct, for editors."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}
_KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "pattern": "pattern",
}
_LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}

Own = Callable[[type], dict[str, Any]]
"""Says how a type is described that is written as a text of its own."""


def schema_of(struct: type[msgspec.Struct], own: Own) -> dict[str, Any]:
    """Draft 2020-12. Structs become definitions by their names; their docstrings are descriptions."""
    schemas = _Schemas(own)
    top = schemas.of(struct)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "$defs": schemas.definitions}


class _Schemas:
    def __init__(self, own: Own) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}
        self._own = own

    def of(self, wanted: Any) -> dict[str, Any]:
        kind, parts = get_origin(wanted) or wanted, get_args(wanted)
        if kind is Annotated:
            return _bounded(self.of(parts[0]), parts[1:])
        if kind in (Union, types.UnionType):
            return {"anyOf": [self.of(part) for part in parts]}
        if kind is Literal:
            return {"enum": list(parts)}
        if kind in (list, tuple, set, frozenset):
            return {"type": "array", "items": self.of(parts[0] if parts else Any)}
        if kind is dict:
            return {"type": "object", "additionalProperties": self.of(parts[1] if parts else Any)}
        if kind in _SIMPLE:
            return dict(_SIMPLE[kind])
        return self._struct(kind) if issubclass(kind, msgspec.Struct) else self._own(kind)

    def _struct(self, struct: type[msgspec.Struct]) -> dict[str, Any]:
        name = struct.__name__
        if name not in self.definitions:
            self.definitions[name] = schema = dict[str, Any](
                type="object", description=inspect.getdoc(struct)
            )
            fields = msgspec.structs.fields(struct)
            schema["properties"] = {field.encode_name: self._field(field) for field in fields}
            schema["required"] = [field.encode_name for field in fields if field.required]
            schema["additionalProperties"] = not struct.__struct_config__.forbid_unknown_fields
        return {"$ref": f"#/$defs/{name}"}

    def _field(self, field: msgspec.structs.FieldInfo) -> dict[str, Any]:
        schema = self.of(field.type)
        default = field.default
        if isinstance(default, int | str | float) and default != "":
            schema["default"] = str(default) if type(default) not in (int, bool, float) else default
        return schema


def _bounded(schema: dict[str, Any], metas: tuple[Any, ...]) -> dict[str, Any]:
    least, most = _LENGTHS.get(schema.get("type", ""), ("", ""))
    for meta in metas:
        for key, keyword in {**_KEYWORDS, "min_length": least, "max_length": most}.items():
            value = getattr(meta, key, None)
            if keyword and value is not None:
                schema[keyword] = value
    return schema
