"""What an analysis says of series that rules record: it looks into their expressions, once for each name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from sentinel.rules.lint.world import World
from sentinel.rules.schema import Rule

T = TypeVar("T")

_HOPS: Final = 16
"""How many rules deep a rule is followed: longer chains exist, but not to be read by people."""


class Recorded(Generic[T]):
    """Answers by name. `unknown` is that of a name that is being looked into already, by a rule that reads
    what it wrote, and of names too many rules away."""

    def __init__(self, world: World, unknown: T, work_out: Callable[[tuple[Rule, ...]], T]) -> None:
        self._world, self._unknown, self._work_out = world, unknown, work_out
        self._known: dict[str, T] = {}
        self._depth = 0

    def of(self, name: str) -> T | None:
        """None: no rule at hand records the name."""
        if name not in self._known:
            rules = self._world.definitions(name)
            if not rules:
                return None
            if self._depth == _HOPS:
                return self._unknown
            self._known[name] = self._unknown
            self._depth += 1
            self._known[name] = self._work_out(rules)
            self._depth -= 1
        return self._known[name]
