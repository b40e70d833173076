"""Comments that switch checks off, for a rule or for its whole file.

    # sentinel:ignore missing-for, naming      above a rule or inside it
    # sentinel:ignore-file naming              anywhere

Those of cloudflare/pint count too (`# pint disable promql/rate`), where a check of ours has the same subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_COMMENT: Final = re.compile(
    r"#\s*(?:sentinel:ignore(?P<file>-file)?\s+(?P<names>[\w-]+(?:\s*,\s*[\w-]+)*)"
    r"|pint\s+(?P<pint_file>file/)?disable\s+(?P<pint>[\w/]+))"
)
_BLANK: Final = re.compile(r"\s*(#.*)?")

PINT: Final[dict[str, tuple[str, ...]]] = {
    "alerts/comparison": ("no-comparison",),
    "alerts/template": ("template-label", "template-value-label", "template-format"),
    "promql/counter": ("delta-of-counter",),
    "promql/impossible": ("impossible-comparison", "contradicting-matchers", "impossible-matching"),
    "promql/rate": ("rate-of-gauge", "rate-of-aggregate", "short-window"),
    "promql/regexp": ("plain-regex", "empty-regex"),
    "promql/series": ("unknown-metric",),
    "promql/vector_matching": ("impossible-matching",),
    "rule/duplicate": ("duplicate-rules",),
    "rule/for": ("missing-for", "short-for"),
    "rule/name": ("naming",),
}
"""Its names, and what they switch off here."""


class Ignored:
    """Which checks are switched off where in a text."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._everywhere: set[str] = set()
        self._by_line: list[tuple[int, frozenset[str]]] = []
        for number, line in enumerate(self._lines, 1):
            for found in _COMMENT.finditer(line):
                names = frozenset(_names(found))
                if found["file"] or found["pint_file"]:
                    self._everywhere |= names
                else:
                    self._by_line.append((number, names))

    def names(self, first: int, last: int, indentation: int) -> frozenset[str]:
        """What is switched off for a rule in these lines, and by the comment block right above it.

        Comments at the end that stand no further in than the rule are about what follows it.
        """
        if not self._by_line:
            return frozenset(self._everywhere)
        last = min(last, len(self._lines))
        while first > 1 and self._lines[first - 2].strip() and self._is_outside(first - 1, indentation):
            first -= 1
        while last > first and self._is_outside(last, indentation):
            last -= 1
        near = (names for number, names in self._by_line if first <= number <= last)
        return frozenset(self._everywhere).union(*near)

    def _is_outside(self, number: int, indentation: int) -> bool:
        """Whether a line holds nothing but a comment, if that, and no further in."""
        line = self._lines[number - 1]
        return bool(_BLANK.fullmatch(line)) and len(line) - len(line.lstrip()) <= indentation


def _names(found: re.Match[str]) -> Iterator[str]:
    if found["pint"]:
        yield from PINT.get(found["pint"], ())
    else:
        yield from re.split(r"\s*,\s*", found["names"])
