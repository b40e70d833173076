"""Label pairs as numbers: each distinct (name, value) once, as bytes in arrays that kernels read and write.

A million series have most of their pairs in common, and what a thousand bytes of Python objects told of each
are then a handful of 32-bit numbers. Nothing is ever taken away: who wants less begins anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from sentinel.model import Int32s, Int64s, Labels, UInt8s, UInt64s
from sentinel.store.reserved import Growing

SEED: Final = np.frombuffer(os.urandom(8), np.uint64)[0]
"""Nobody outside can prepare texts that meet in one place of a table."""
UTF8: Final = ("utf-8", "surrogatepass")
"""A query may hold bytes that are none; they must not end what spells it."""
_SPELLED: Final = b"%b\xff%b\xff"
_LEAST: Final = 64
_NOBODY: Final = -1
_AT_ONCE: Final = 256
_MOST_RECENT: Final = 1 << 14
_DOUBLED: Final = 1 << 17
"""Up to so many entries a table doubles: to move them takes time. Larger ones grow by less, for memory."""


class Entries:
    """Rows of cells, one behind the other, each with a number; equal rows meet.

    `state` is what kernels take (see `_pool_kernels`); it is another tuple after `reserve`. `figures`: each
    entry has one more number.
    """

    def __init__(self, cells: type, *, figures: bool) -> None:
        self._cells, self._ends = Growing(cells), Growing(np.int64)
        self._figures = [Growing(np.int32)] if figures else []
        self.state: tuple[Any, ...] = ()
        self._view(np.zeros(2, np.int64), np.zeros(_LEAST, np.uint64))

    def __len__(self) -> int:
        return int(self.state[0][0])

    @property
    def cells(self) -> Any:
        return self.state[1]

    @property
    def ends(self) -> Int64s:
        """By number, where its cells end; they begin where those before it end."""
        ends: Int64s = self.state[2]
        return ends

    @property
    def figures(self) -> Any:
        """By number: the owner of each."""
        return self.state[5]

    @property
    def nbytes(self) -> int:
        """Without what is reserved but not yet written to: the system has only promised that."""
        used, held, ends, table, _, *figures = self.state
        entries = len(self) * sum(array.itemsize for array in (ends, *figures))
        return int(entries + used[1] * held.itemsize + table.nbytes)

    def span(self, number: int) -> Any:
        """The cells of an entry."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self.cells[self.ends[number - 1] if number else 0 : self.ends[number]]

    def starts(self, numbers: Int64s) -> Int64s:
        """Where the cells of each begin."""
        starts: Int64s = np.where(numbers > 0, self.ends[numbers - 1], 0)
        return starts

    def reserve(self, entries: int, cells: int) -> None:
        """Room for so many more entries that have so many cells together."""
        from sentinel.store import _pool_kernels as kernels  # who only plans queries needs no numba

        used, _, _, table, *_ = self.state
        entries += int(used[0])
        if 5 * entries > 4 * len(table):
            larger = np.zeros(entries + max(entries * 3 // 8, min(entries, _DOUBLED)) + _LEAST, np.uint64)
            kernels.move(table, larger)
            table = larger
        self._cells.hold(int(used[1]) + cells)
        for column in (self._ends, *self._figures):
            column.hold(entries)
        self._view(used, table)

    def _view(self, used: Int64s, table: UInt64s) -> None:
        columns = [column.array for column in (self._ends, *self._figures)]
        room = min(map(len, columns))  # a kernel looks at that of the ends alone
        self.state = used, self._cells.array, columns[0][:room], table, SEED, *columns[1:]


class Pairs:
    """The numbers of label names, and those of pairs of them and a value. Numbers are int32, from 0."""

    def __init__(self) -> None:
        from sentinel.store import _pool_kernels as kernels  # who only plans queries needs no numba

        self._kernels = kernels
        self._names, self._values = Entries(np.uint8, figures=True), Entries(np.uint8, figures=True)
        self._known_names: list[str] = []
        self._recent: dict[int, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._values)

    @property
    def nbytes(self) -> int:
        return self._names.nbytes + self._values.nbytes

    @property
    def names(self) -> list[str]:
        """By name number."""
        known = self._known_names
        for number in range(len(known), len(self._names)):
            known.append(self._names.span(number).tobytes().decode(*UTF8))
        return known

    @property
    def name_of(self) -> Int32s:
        """By pair number, the number of its label name."""
        name_of: Int32s = self._values.figures
        return name_of

    def state(self) -> tuple[Any, Any]:
        """(names, values) as kernels take them (`_pool_kernels.TEXTS`); `reserve` replaces them."""
        return self._names.state, self._values.state

    def reserve(self, pairs: int, size: int) -> None:
        """Room for so many more pairs whose names and values have so many bytes together.

        As if all of their names were new: a batch at a time.
        """
        self._names.reserve(pairs, size)
        self._values.reserve(pairs, size)

    def number(self, name: str, value: str) -> int:
        """The number of a pair, which is made if it is new."""
        self.reserve(1, len(name.encode(*UTF8)) + len(value.encode(*UTF8)))
        return self._number(self._number(_NOBODY, name, make=True), value, make=True)

    def find(self, name: str, value: str) -> int:
        """The number of a pair, or -1."""
        number = self.name_number(name)
        return -1 if number < 0 else self._number(number, value)

    def name_number(self, name: str) -> int:
        """The number of a label name, or -1."""
        return self._number(_NOBODY, name)

    def pair(self, number: int) -> tuple[str, str]:
        """(name, value)."""
        found = self._recent.get(number)
        if found is None:
            if len(self._recent) >= _MOST_RECENT:
                self._recent.clear()
            found = self._recent[number] = self.names[self.name_of[number]], self.value(number)
        return found

    def value(self, number: int) -> str:
        text: str = self._values.span(number).tobytes().decode(*UTF8)
        return text

    def number_all(self, series: Iterable[Labels], *, make: bool) -> tuple[Int32s, Int64s]:
        """(pair numbers of all label sets, where each set ends in them); -1: unknown, and not to be made."""
        return self.number_spelled(*spelled(series), make=make)

    def number_spelled(self, text: UInt8s, ends: Int64s, count: int, *, make: bool) -> tuple[Int32s, Int64s]:
        """`number_all` of sets as `spelled` writes them, with room for so many pairs."""
        flat, row_ends = np.empty(count, np.int32), np.zeros(len(ends), np.int64)
        row = self._kernels.number_spelled(*self.state(), text, ends, 0, make, flat, row_ends)
        while row < len(ends):
            pairs = len(flat) - int(row_ends[row - 1] if row else 0)
            first, last = int(ends[row - 1] if row else 0), int(ends[min(row + _AT_ONCE, len(ends)) - 1])
            self.reserve(min(pairs, (last - first) // 3), last - first)  # a pair has 3 bytes at least
            row = self._kernels.number_spelled(*self.state(), text, ends, row, make, flat, row_ends)
        return flat, row_ends

    def adopt(self, other: Pairs, flat: Int32s, known: Int32s) -> None:
        """Rewrites the other's numbers in `flat` as own ones, which `known` holds by number; -1: not yet."""
        start = self._kernels.adopt_pairs(*self.state(), *other.state(), 0, flat, known)
        while start < len(flat):
            size = sum(map(len, (text.encode(*UTF8) for text in other.pair(int(flat[start])))))
            self.reserve(1 + len(self) // 8, size + len(self._values.cells) // 8)
            start = self._kernels.adopt_pairs(*self.state(), *other.state(), start, flat, known)

    def spelled(self, numbers: Int64s) -> tuple[UInt8s, Int64s]:
        """Each of these pairs as `spelled` writes a set of nothing else: (text, ends)."""
        from sentinel.store import _spelling_kernels as spelling  # who only plans queries needs no numba

        names = self.name_of[numbers].astype(np.int64)
        sizes = self._names.ends[names] - self._names.starts(names)
        sizes += self._values.ends[numbers] - self._values.starts(numbers)
        ends = np.cumsum(sizes + 2)
        text = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
        spelling.spell_pairs(*self.state(), numbers, text)
        return text, ends

    def _number(self, owner: int, text: str, *, make: bool = False) -> int:
        """The number of a value with its name's number, or of a name that nobody owns."""
        array = np.frombuffer(text.encode(*UTF8), np.uint8)
        entries = self._names if owner == _NOBODY else self._values
        return int(self._kernels.number_text(entries.state, owner, array, 0, len(array), make))


def spelled(series: Iterable[Labels]) -> tuple[UInt8s, Int64s, int]:
    """Label sets as kernels read them: (`name 0xFF value 0xFF` of each pair, set ends, how many pairs)."""
    pairs = [labels.pairs for labels in series]
    texts = [b"".join([_SPELLED % (n.encode(*UTF8), v.encode(*UTF8)) for n, v in own]) for own in pairs]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), ends, sum(map(len, pairs))
