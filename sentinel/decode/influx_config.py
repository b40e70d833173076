"""What may be set of line protocol. Apart from its decoder: to check a configuration takes none of that."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class InfluxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What timestamps count, and how metrics are named: measurement, separator, field.

    The field called `value_field` adds nothing to the measurement's name; none does if that is empty.
    """

    precision: Literal["ns", "us", "ms", "s", "m", "h"] = "ns"
    separator: Annotated[str, msgspec.Meta(max_length=4)] = "_"
    value_field: str = "value"
