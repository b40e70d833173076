"""Families as OpenMetrics text, which is what sources of samples speak here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

from sentinel.decode.limits import Limits
from sentinel.watch.check import Row
from sentinel.watch.snapshot import Family

LIMITS: Final = Limits(label_value_bytes=1 << 15, record_bytes=1 << 30)
"""For who reads it: names in Kafka have up to 32767 bytes, and one cluster is one record, however large."""

_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def exposition(families: Sequence[Family]) -> bytes:
    """The text; a family without rows is left out. A lone surrogate is not UTF-8 and becomes `?`."""
    text = "".join([*(_family(family) for family in families if family.rows), "# EOF\n"])
    return text.encode(errors="replace")


def _family(family: Family) -> str:
    labels = ",".join(f'{name}="%s"' for name in family.labels)
    line = f"{family.name}{{{labels}}} %s\n" if labels else f"{family.name} %s\n"
    head = f"# TYPE {family.name} gauge\n# HELP {family.name} {family.help.translate(_ESCAPES)}\n"
    rows = _escaped(family.rows)
    return head + "".join([line % (*values, value) for values, value in rows])


def _escaped(rows: list[Row]) -> list[Row]:
    """The same rows unless some value needs an escape: nearly none does, and looking is cheap."""
    everything = "".join(chain.from_iterable(values for values, _ in rows))
    if not any(character in everything for character in '\\"\n'):
        return rows
    return [(tuple(text.translate(_ESCAPES) for text in values), value) for values, value in rows]
