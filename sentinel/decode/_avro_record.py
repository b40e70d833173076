"""From one Avro record, as it was read, to its samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

import msgspec

from sentinel.decode._avro_schema import Milliseconds
from sentinel.decode._json_key import spelled
from sentinel.decode.avro_config import AvroConfig
from sentinel.decode.limits import Limits
from sentinel.decode.rows import Read
from sentinel.decode.timestamps import ms_of_rfc3339, ms_of_seconds, refusal
from sentinel.decode.units import UNITS
from sentinel.errors import DecodeError

NAMES_PER_BYTE: Final = 64
"""So many bytes of metric names may a byte of a record become. Most of them come from its schema."""

_LABELS: Final = msgspec.json.Encoder(order="sorted")
_spelled = functools.lru_cache(maxsize=4096)(spelled)
Path = tuple[str, ...]


def refuse(reason: str, detail: str = "") -> NoReturn:
    raise DecodeError("avro", reason, detail)


class RecordReader:
    """Finds what the configuration names. Records and maps are dicts by now, unions what they hold."""

    def __init__(self, config: AvroConfig, limits: Limits) -> None:
        self._config, self._limits = config, limits
        self._name, self._value = _path(config.name), _path(config.fields or config.value)
        self._timestamp = _path(config.timestamp)
        self._labels = _path(config.labels) if isinstance(config.labels, str) else ()
        self._listed = [(label, _path(path)) for label, path in config.label_paths.items()]
        self._times, self._per = UNITS.get(config.timestamp_unit, (1, 1))

    def read(self, record: Any, row: int, usual_ms: int, latest_ms: int, size: int) -> list[Read]:
        """The samples of a record of `size` bytes. Raises DecodeError."""
        if type(record) is not dict:
            refuse("wrong_type", "a record is a record")
        name = self._metric(_find(record, self._name))
        labels = _LABELS.encode(self._label_set(record))
        timestamp_ms = self._time(_find(record, self._timestamp))
        timestamp_ms = usual_ms if timestamp_ms is None else timestamp_ms
        if reason := refusal(timestamp_ms, latest_ms):
            refuse(reason)
        value = _find(record, self._value)
        if not self._config.fields:
            return [Read(row, _spelled(name), labels, _number(value), timestamp_ms)]
        samples = [
            Read(row, _spelled(each), labels, number, timestamp_ms)
            for each, number in self._values(name, value)
        ]
        if sum(len(sample.name) for sample in samples) > NAMES_PER_BYTE * size:
            refuse("record_too_large", f"names of more than {NAMES_PER_BYTE} times its length")
        return samples

    def _metric(self, name: Any) -> str:
        if name is None:
            refuse("missing_name")
        if type(name) is not str:
            refuse("wrong_type", "the name is not a string")
        if not name:
            refuse("invalid_name", "the name is empty")
        _bounded(name, self._limits.label_value_bytes)
        return name

    def _label_set(self, record: Any) -> dict[str, str]:
        given: Any = {label: _find(record, path) for label, path in self._listed}
        if self._labels:
            given = _find(record, self._labels) or {}
        if type(given) is not dict:
            refuse("wrong_type", "the labels are neither a map nor a record")
        labels = {name: _text(name, value) for name, value in given.items() if value is not None}
        if len(labels) > self._limits.labels:
            refuse("too_many_labels", f"{len(labels)}, at most {self._limits.labels}")
        for name, value in labels.items():
            if name in ("", "__name__"):
                refuse("invalid_label", f"label {name!r} is not allowed")
            _bounded(name, self._limits.label_name_bytes)
            _bounded(value, self._limits.label_value_bytes)
        return labels

    def _time(self, timestamp: Any) -> int | None:
        """In milliseconds; None if the record names no time."""
        if timestamp is None or type(timestamp) is Milliseconds:
            return timestamp
        try:
            if type(timestamp) is int:
                return timestamp * self._times // self._per
            if type(timestamp) is float:
                unit = self._config.timestamp_unit
                return ms_of_seconds(timestamp * self._times / self._per / 1000 if unit else timestamp)
            if type(timestamp) is str:
                return ms_of_rfc3339(timestamp)
        except ValueError as error:
            refuse("timestamp_invalid", str(error))
        refuse("wrong_type", "the timestamp is neither a number nor a string")

    def _values(self, name: str, fields: Any) -> Iterator[tuple[str, float]]:
        """The metric's name and value for each field that is a number or a boolean."""
        if fields is None:
            refuse("missing_value")
        if type(fields) is not dict:
            refuse("wrong_type", "the values are neither a map nor a record")
        for field, value in fields.items():
            if type(value) not in (int, float, bool):
                continue
            alone = field == self._config.value_field and field != ""
            full = name if alone else f"{name}{self._config.separator}{field}"
            _bounded(full, self._limits.label_value_bytes)
            yield full, _number(float(value))


def _path(path: str) -> Path:
    return tuple(path.split("."))


def _find(record: Mapping[str, Any], path: Path) -> Any:
    """What is at `path`; None if it is missing, as if it were null."""
    node: Any = record
    for key in path:
        node = node.get(key) if type(node) is dict else None
    return node


def _text(name: str, value: Any) -> str:
    """A label's value."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    refuse("wrong_type", f"label {name!r} is neither a string nor a whole number nor a boolean")


def _number(value: Any) -> float:
    if value is None:
        refuse("missing_value")
    if type(value) not in (int, float):
        refuse("wrong_type", "the value is not a number")
    if not math.isfinite(value):
        refuse("value_not_finite")
    return float(value)


def _bounded(text: str, limit: int) -> None:
    if 4 * len(text) > limit and len(text.encode()) > limit:
        refuse("label_too_long", f"more than {limit} bytes")
