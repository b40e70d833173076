"""What a check says: how bad it is, where it stands, what is wrong and what to do."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from sentinel.documents import Place

Severity = Literal["bug", "warning", "info"]
"""bug: the rule does not do what it says. warning: it does, but hardly what is wanted. info: of taste."""

SEVERITIES: Final[tuple[Severity, ...]] = ("bug", "warning", "info")
"""The worst first."""


class Found(NamedTuple):
    """What one check noticed in one rule."""

    message: str
    place: Place
    hint: str = ""
    """What to do about it."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`Found`, with the name and severity of the check, and the rule it is about. Line 0: not known where."""

    file: str
    line: int
    column: int
    severity: Severity
    check: str
    rule: str
    message: str
    hint: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        rule = f"rule {self.rule!r}: " if self.rule else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}: {self.severity}: {rule}{self.message}{hint} [{self.check}]"
