"""Options of Avro records. Apart from their decoder, so that a configuration is read quickly."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class AvroConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a record keeps what: names of its fields, or dotted paths (`metric.value`).

    `labels` is a map or record of labels, or a list of fields that are labels called by the last part of
    their paths. `fields` names a map or record of many values, which are there instead of `value`: each
    becomes a metric called name, separator, field, or just like the record if the field is called
    `value_field`. Numbers of `timestamp` count what their logical type says, else `timestamp_unit`, or say by
    themselves what if that is empty: whole ones milliseconds, others seconds.
    """

    name: str = "name"
    labels: str | list[str] = "labels"
    value: str = "value"
    timestamp: str = "timestamp"
    timestamp_unit: Literal["", "ns", "us", "ms", "s"] = ""
    fields: str = ""
    separator: Annotated[str, msgspec.Meta(max_length=4)] = "_"
    value_field: str = "value"

    def __post_init__(self) -> None:
        paths = [self.name, self.fields or self.value, self.timestamp, *self.label_paths.values()]
        listed = not isinstance(self.labels, str)
        if not listed:
            paths.append(str(self.labels))
        if not all(part for path in paths for part in path.split(".")):
            raise ValueError("a path is the names of fields with dots between them")
        if len(set(paths)) < len(paths):
            raise ValueError("name, labels, value and timestamp must be different fields")
        if listed and len(self.label_paths) < len(self.labels):
            raise ValueError("two of labels end in the same name")

    @property
    def label_paths(self) -> dict[str, str]:
        """By label, its path; empty if labels are a map or record."""
        if isinstance(self.labels, str):
            return {}
        return {path.rpartition(".")[2]: path for path in self.labels}
