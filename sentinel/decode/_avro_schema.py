"""Avro schemas, made ready for reading by a library whose readers trust them.

Whoever may write to a registry must not be able to end or stall the daemon by a schema. So what a record can
make of one is bounded before any is read: types that hold themselves are refused (the library's readers
recurse in C), arrays of what takes no bytes too (their length is free), and very large or deep schemas.
Logical types are readers of ours: times come as milliseconds, decimals as floats, all others as what
they are made of.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

MOST_DEPTH: Final = 32
MOST_JSON_DEPTH: Final = 128
MOST_NODES: Final = 10_000
"""Types that one record is made of, each use of a named one counted."""
WHOLE: Final = "sentinel_whole"
"""The field of the record around what is none itself: it takes no bytes, and is parsed once."""
MOST_DECIMAL_BYTES, MOST_SCALE = 64, 64
_TIMES: Final = {"millis": (1, 1), "micros": (1, 1000), "nanos": (1, 1_000_000)}
_LEAST_BYTES: Final = {"null": 0, "float": 4, "double": 8}
_PRIMITIVE: Final = frozenset(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])


class UnsupportedSchemaError(Exception):
    """No record can be read by this schema; the text says why."""


class Milliseconds(int):
    """A time, whatever it was counted in."""


class Extent(NamedTuple):
    """What a record of a type is at least and at most."""

    nodes: int = 1
    least_bytes: int = 1
    depth: int = 1


def read_schema(texts: Sequence[str]) -> Any:
    """The last of `texts`, which may use the types that those before it define, for the library's readers.

    Raises UnsupportedSchemaError.
    """
    from fastavro import parse_schema

    _register_readers()
    named: dict[str, Any] = {}
    parsed: Any = None
    for text in texts:
        try:
            document = _ours(msgspec.json.decode(text), MOST_JSON_DEPTH)
            if text is texts[-1] and not (isinstance(document, dict) and document.get("type") == "record"):
                fields = [{"name": WHOLE, "type": document}]
                document = {"type": "record", "name": WHOLE, "fields": fields}
            parsed = parse_schema(document, named_schemas=named)
            _Measure(named).of(parsed)
        except UnsupportedSchemaError:
            raise
        except Exception as error:  # the library's are many, and it trusts the form of what it reads
            raise UnsupportedSchemaError(f"{type(error).__name__}: {error}"[:200]) from None
    if parsed is None:
        raise UnsupportedSchemaError("it is no Avro schema, or refers to what is not there")
    return parsed


def _ours(node: Any, depth: int) -> Any:
    """The schema with logical types called as our readers are; those that we do not read are left out."""
    if depth < 0:
        raise UnsupportedSchemaError(f"more than {MOST_JSON_DEPTH} levels")
    if isinstance(node, list):
        return [_ours(each, depth - 1) for each in node]
    if not isinstance(node, dict):
        return node
    same = {key: _ours(value, depth - 1) for key, value in node.items() if not _is_taken(key)}
    logical = node.get("logicalType")
    unit = str(logical).removeprefix("local-").removeprefix("timestamp-")
    if node.get("type") == "long" and unit in _TIMES and unit != logical:
        same["logicalType"] = f"sentinel-{unit}"
    elif logical == "decimal" and node.get("type") in ("bytes", "fixed") and _is_scale(node.get("scale", 0)):
        same["logicalType"] = "sentinel-decimal"
    return same


def _is_taken(key: str) -> bool:
    """By us, or by the library, which believes a schema that says that it was checked."""
    return key == "logicalType" or key.startswith("__")


def _is_scale(scale: Any) -> bool:
    return type(scale) is int and 0 <= scale <= MOST_SCALE


@functools.cache
def _register_readers() -> None:
    """As the library has it: by underlying and logical type, for all schemas."""
    from fastavro.read import LOGICAL_READERS

    for unit, (times, per) in _TIMES.items():
        LOGICAL_READERS[f"long-sentinel-{unit}"] = functools.partial(_read_time, times, per)
    LOGICAL_READERS["bytes-sentinel-decimal"] = LOGICAL_READERS["fixed-sentinel-decimal"] = _read_decimal


def _read_time(times: int, per: int, count: int, *_: object) -> Milliseconds:
    return Milliseconds(count * times // per)


def _read_decimal(data: bytes, schema: dict[Any, Any] | None = None, *_: object) -> float:
    """The nearest float; NaN where the number is of no size that a value has."""
    if len(data) > MOST_DECIMAL_BYTES:
        return math.nan
    return int.from_bytes(data, "big", signed=True) / int(10 ** (schema or {}).get("scale", 0))


class _Measure:
    """Walks through parsed schemas; `of` raises UnsupportedSchemaError."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._known: dict[str, Extent] = {}
        self._open: list[str] = []

    def of(self, node: Any) -> Extent:
        extent = self._extent(node)
        if extent.nodes > MOST_NODES or extent.depth > MOST_DEPTH:
            raise UnsupportedSchemaError(f"more than {MOST_NODES} types, or {MOST_DEPTH} levels")
        return extent

    def _extent(self, node: Any) -> Extent:
        if isinstance(node, list):
            branches = [self.of(each) for each in node]
            return _around(branches, 1 + min((each.least_bytes for each in branches), default=0))
        kind = node if isinstance(node, str) else node["type"]
        if not isinstance(kind, str):
            return self.of(kind)
        if kind in _PRIMITIVE:
            return Extent(1, _LEAST_BYTES.get(kind, 1))
        if kind == "map":
            return _around([self.of(node["values"])], 1)
        if kind == "array":
            items = self.of(node["items"])
            if not items.least_bytes:
                raise UnsupportedSchemaError("an array of what takes no bytes")
            return _around([items], 1)
        if kind == "enum":
            return Extent()
        return Extent(1, node["size"]) if kind == "fixed" else self._record(node)

    def _record(self, node: Any) -> Extent:
        """Of a record, or of any type by its name."""
        name = node if isinstance(node, str) else node["name"]
        if name in self._open:
            raise UnsupportedSchemaError(f"{name} holds itself")
        if name not in self._known:
            self._open.append(name)
            known = self._named[name]
            if known["type"] in ("record", "error"):
                fields = [self.of(field["type"]) for field in known["fields"]]
                self._known[name] = _around(fields, sum(each.least_bytes for each in fields))
            else:
                self._known[name] = self.of(known)
            self._open.pop()
        return self._known[name]


def _around(parts: Sequence[Extent], least_bytes: int) -> Extent:
    depth = max((each.depth for each in parts), default=0)
    return Extent(1 + sum(each.nodes for each in parts), least_bytes, 1 + depth)
