"""Texts of configuration files that mean more than a text: durations and secrets."""

from __future__ import annotations

import re
from typing import Final

from sentinel.model.labels import quote


class Duration(int):
    """Milliseconds, written as Prometheus does: `1h30m`, `250ms`, `0`."""

    _UNITS: Final = {
        "y": 31_536_000_000,
        "w": 604_800_000,
        "d": 86_400_000,
        "h": 3_600_000,
        "m": 60_000,
        "s": 1000,
        "ms": 1,
    }
    _FORM: Final = re.compile(
        r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?"
    )

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError with a text for the user."""
        found = cls._FORM.fullmatch(text)
        if text == "0":
            return cls(0)
        if not text or found is None:
            raise ValueError(
                f"not a valid duration string: {quote(text)}; write for example 30s, 5m or 1h30m"
            )
        parts = zip(found.groups(), cls._UNITS.values(), strict=True)
        return cls(sum(int(count) * unit for count, unit in parts if count))

    @property
    def seconds(self) -> float:
        return self / 1000

    def __str__(self) -> str:
        rest, out = int(self), ""
        for unit, size in self._UNITS.items():
            if unit in ("y", "w") and rest % size:
                continue  # as Prometheus: 8d, not 1w1d
            count, rest = divmod(rest, size)
            out += f"{count}{unit}" if count else ""
        return out or "0s"

    __repr__ = __str__


class Secret:
    """A text that is never shown: it prints as `<secret>` wherever it lands."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__
