"""Random selectors, ranges and subqueries.

Prometheus 2 takes a sample exactly one range ago and a subquery's step there, Prometheus 3 does not. So that
it cannot matter, evaluations are at whole seconds and samples beside them, and subqueries are half a second
off; except where the Prometheus asked is `modern`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.differential.series import JOBS, PATHS, ZONES
from tests.differential.tree import Node, node

USUAL, RARE = ("job", "zone", "path", "instance"), ("missing", "le")
DOMAINS: Final = {
    "job": JOBS,
    "zone": ZONES,
    "path": PATHS,
    "instance": ("h1", "h2", "h3", "h4"),
    "missing": ("", "x"),
    "le": ("0.5", "+Inf"),
}
REGEXES: Final = (".*", ".+", "", "h[12]", "api|db", "api|", "(?i:API)", "/.+", "[^a]", "(a|b).?", "Z.*")
COUNTERS: Final = ("requests_total", "errors_total", "latency_count", "latency_bucket")
SMALL: Final = ("memory", "level", "limit", "target_info")
TAME: Final = (*COUNTERS, *SMALL)
ALL: Final = (*TAME, "specials", "extremes", "nothing")
RANGES: Final = ("20s", "1m", "1m30s", "5m", "5m", "10m", "25m")
LONG_RANGES: Final = ("5m500ms", "10m500ms", "25m500ms")
SHIFTS: Final = ("15s", "1m", "4m", "7m30s", "-1m", "-30s")
STEPS: Final = ("", "", "10s", "15s", "20s", "25s", "1m", "1m15s", "5m")


@dataclass(frozen=True, slots=True)
class Want:
    """What an operator needs of its operands, lest rounding becomes a difference.

    `exact`: the same bits on both sides, because it jumps (`==`, `floor`). `tame`: no magnitudes so different
    that the order of a sum decides.
    """

    exact: bool = False
    tame: bool = False

    def jumps(self) -> Want:
        return Want(True, self.tame)

    def sums(self) -> Want:
        return Want(self.exact, True)


def quoted(chance: random.Random, text: str) -> str:
    """A string literal, in one of the three ways to write it."""
    if chance.random() < 0.15 and "`" not in text:
        return f"`{text}`"
    escaped = text.replace("\\", "\\\\")
    if chance.random() < 0.15:
        return "'" + escaped.replace("'", "\\'") + "'"
    return '"' + escaped.replace('"', '\\"') + '"'


class Selecting:
    """Selectors around `end_ms`, the end of the data."""

    def __init__(self, chance: random.Random, end_ms: int, *, modern: bool) -> None:
        self.chance, self._end_ms, self._modern = chance, end_ms, modern

    def selector(self, names: Sequence[str], modifiers: int = 2) -> Node:
        """With at most so many modifiers."""
        bare = self._bare(names)
        return node("vector", *bare, self._modifiers(modifiers))

    def range(self, names: Sequence[str], modifiers: int = 2) -> Node:
        bare = self._bare(names)
        return node("matrix", *bare, f"[{self.chance.choice(RANGES)}]", self._modifiers(modifiers))

    def subquery(self, inner: Node) -> Node:
        length = self.chance.choice(RANGES if self._modern else LONG_RANGES)
        step = self.chance.choice(STEPS)
        return node("matrix", "(", inner, ")", f"[{length}:{step}]", self._modifiers())

    def names(self, want: Want) -> Sequence[str]:
        return TAME if want.tame else ALL

    def _bare(self, names: Sequence[str]) -> tuple[str | Node, ...]:
        name = self.chance.choice(names)
        labels = self.chance.sample(USUAL, self.chance.choice((0, 0, 0, 1, 1, 2)))
        if self.chance.random() < 0.1:
            labels.append(self.chance.choice(RARE))
        matchers = [self._matcher(label) for label in labels]
        if labels and self._modern and self.chance.random() < 0.05:
            matchers.insert(0, f'{labels[0]}="{DOMAINS[labels[0]][0]}"')
        if self.chance.random() < 0.03:
            matchers.append(f"__name__={quoted(self.chance, name)}")
            return "{", ",".join(matchers), "}"
        return name, node("modifier", "{", ",".join(matchers), "}") if matchers else ""

    def _matcher(self, label: str) -> str:
        operator = self.chance.choice(("=", "=", "!=", "=~", "=~", "!~"))
        domain = REGEXES if "~" in operator else (*DOMAINS[label], "")
        return f"{label}{operator}{quoted(self.chance, self.chance.choice(domain))}"

    def _modifiers(self, most: int = 2) -> Node | str:
        found = [make() for make in (self._offset, self._at) if self.chance.random() < 0.12]
        self.chance.shuffle(found)
        return node("modifier", *found[:most]) if found else ""

    def _offset(self) -> str:
        return f" offset {self.chance.choice(SHIFTS)}"

    def _at(self) -> str:
        seconds = self._end_ms // 1000 - self.chance.randrange(0, 2400)
        return self.chance.choice((f" @ {seconds}", " @ start()", " @ end()"))
