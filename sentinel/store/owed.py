"""Samples that nobody has demanded, and that are written only before somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Write = Callable[[], None]


class Owed:
    """Who owes what, by metric name. With `everything` all is read: the store keeps a history of each series.

    That what is owed comes late shows nowhere: nobody looks at the store but by a selection or at all of it.
    """

    def __init__(self, *, everything: bool = False) -> None:
        self._everything = everything
        self._read: frozenset[str] = frozenset()
        self._writes: dict[str, dict[object, Write]] = {}

    def demand(self, names: Iterable[str]) -> None:
        """These metrics are read from now on; "" may be any."""
        self._read = frozenset(names)

    def is_read(self, name: str) -> bool:
        """Whether a demand may be for this metric: then its samples are to be written at once."""
        return self._everything or not self._read.isdisjoint((name, ""))

    def put(self, name: str, owner: object, write: Write) -> None:
        """`write` is called once, before somebody looks at this metric, or gives way to the owner's next."""
        self._writes.setdefault(name, {})[owner] = write

    def settle(self, name: str = "") -> None:
        """What is owed of a metric, "" of all, is written."""
        for each in ([name] if name else list(self._writes)) if self._writes else ():
            for write in self._writes.pop(each, {}).values():
                write()

    def clear(self) -> None:
        """Nobody owes anything any more."""
        self._writes.clear()
