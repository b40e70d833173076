"""The reference of `sentinel.yml`, generated from its structs: `python -m sentinel.config.reference`."""

from __future__ import annotations

import json
from typing import Any

from sentinel.config.schema import json_schema

_HEAD = """\
# Configuration reference

Generated from the code by `python -m sentinel.config.reference`. `${VAR}` and `${VAR:-default}` in string
values are taken from the environment. Secrets have a twin ending in `_file`. Durations are written `250ms`,
`30s`, `1h30m`.
"""


def reference() -> str:
    """Markdown: one table for each part of the file, the whole file first."""
    definitions = json_schema()["$defs"]
    parts = [_part(name, each, definitions) for name, each in definitions.items()]
    return "\n".join([_HEAD, *parts])


def _part(name: str, part: dict[str, Any], definitions: dict[str, Any]) -> str:
    required = set(part.get("required", ()))
    rows = [
        f"| `{key}` | {_kind(value, definitions)} | {_default(key, value, required)} |"
        for key, value in part.get("properties", {}).items()
    ]
    table = ["| key | value | default |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"## {name}", "", part.get("description", ""), "", *table, ""])


def _kind(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "anyOf" in value:
        return " or ".join(_kind(each, definitions) for each in value["anyOf"] if each.get("type") != "null")
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}), definitions)}"
    if value.get("type") == "object":
        return "map of texts"
    if "examples" in value:
        return "duration"
    return "secret" if value.get("writeOnly") else str(value.get("type", "any"))


def _default(key: str, value: dict[str, Any], required: set[str]) -> str:
    if key in required:
        return "required"
    default = value.get("default")
    return "" if default in (None, "", [], {}) or isinstance(default, dict) else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    print(reference(), end="")
