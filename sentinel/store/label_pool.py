"""Label sets as rows of numbers: some twenty bytes where a Python object takes hundreds.

A set is the numbers of its pairs in the order of label names, so that equal sets are equal rows. Whatever is
asked of many sets at once runs as a loop over numbers; `Labels` are made for edges only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from sentinel.model import Int32s, Int64s, Labels, UInt64s
from sentinel.store.pairs import Entries, Pairs
from sentinel.store.reserved import Growing


class LabelPool:
    """Each distinct label set once. Ids count up from 0; none is ever used again."""

    def __init__(self, pairs: Pairs) -> None:
        from sentinel.store import _pool_kernels as kernels  # who only plans queries needs no numba

        self.pairs = pairs
        self._kernels = kernels
        self._sets = Entries(np.int32, figures=False)
        self._fingerprints = Growing(np.uint64)
        """By id; 0 where nobody asked yet."""
        self._asked = 0
        """Nobody asked for one from here on."""

    def __len__(self) -> int:
        return len(self._sets)

    def __getitem__(self, id: int) -> Labels:
        """Made anew each time."""
        return Labels([self.pairs.pair(number) for number in self._sets.span(id).tolist()])

    @property
    def nbytes(self) -> int:
        """Without the pairs."""
        return self._sets.nbytes + self._fingerprints.array.itemsize * self._asked

    def state(self) -> object:
        """As kernels take it (`_pool_kernels.SETS`); `reserve` replaces it."""
        return self._sets.state

    def reserve(self, sets: int, pairs: int) -> None:
        """Room for so many more sets that have so many pairs together."""
        self._sets.reserve(sets, pairs)

    def intern(self, labels: Labels) -> int:
        return int(self.intern_all([labels])[0])

    def find(self, labels: Labels) -> int:
        """The id of a label set, or -1."""
        return int(self.find_all([labels])[0])

    def intern_all(self, series: Iterable[Labels]) -> Int64s:
        return self.intern_rows(*self.pairs.number_all(series, make=True))

    def find_all(self, series: Iterable[Labels]) -> Int64s:
        """-1 where unknown; nothing is made."""
        return self.find_rows(*self.pairs.number_all(series, make=False))

    def intern_rows(self, flat: Int32s, ends: Int64s) -> Int64s:
        """Ids of many sets: pair numbers set after set, each in the order of its distinct names."""
        ids, before = np.empty(len(ends), np.int64), len(self)
        row = self._kernels.intern_rows(self._sets.state, flat, ends, 0, True, ids)
        while row < len(ends):
            new = (len(self) - before + 1) / (row + 1)  # of the rows to come probably as many as until here
            wanted = max(int((len(ends) - row) * new), len(self) // 4) + 1
            longest = int(np.diff(ends, prepend=0).max())
            self.reserve(wanted, max(wanted * len(flat) // len(ends), longest))
            row = self._kernels.intern_rows(self._sets.state, flat, ends, row, True, ids)
        return ids

    def find_rows(self, flat: Int32s, ends: Int64s) -> Int64s:
        """As `intern_rows`, but -1 where the set is unknown."""
        ids = np.empty(len(ends), np.int64)
        self._kernels.intern_rows(self._sets.state, flat, ends, 0, False, ids)
        return ids

    def rows(self, ids: Int64s) -> tuple[Int32s, Int64s]:
        """(pair numbers of all these sets, where each set ends in them)."""
        ends = np.cumsum(self._sets.ends[ids] - self._sets.starts(ids))
        flat = np.empty(int(ends[-1]) if len(ends) else 0, np.int32)
        self._kernels.copy_rows(self._sets.state, ids, flat)
        return flat, ends

    def fingerprints(self, ids: Int64s) -> UInt64s:
        """`Labels.fingerprint` of each; computed when somebody asks for the first time."""
        from sentinel.store import _spelling_kernels as spelling  # who only plans queries needs no numba

        self._fingerprints.hold(len(self))
        self._asked = max(self._asked, int(ids.max(initial=-1)) + 1)
        known, found = self._fingerprints.array, np.empty(len(ids), np.uint64)
        spelling.fingerprints(self._sets.state, *self.pairs.state(), ids, known, found)
        return found

    def values_of(self, ids: Int64s, name: str) -> Int32s:
        """The number of the pair that each set has for a label name, -1 where it has none."""
        found = np.empty(len(ids), np.int32)
        number = self.pairs.name_number(name)
        self._kernels.values_of(self._sets.state, self.pairs.name_of, ids, number, found)
        return found

    def keeping(self, ids: Int64s, names: Collection[str]) -> Int64s:
        """Ids of these sets with no other labels than those of these names."""
        return self._cut(ids, names, keep=True)

    def dropping(self, ids: Int64s, names: Collection[str]) -> Int64s:
        """Ids of these sets without the labels of these names."""
        return self._cut(ids, names, keep=False)

    def _cut(self, ids: Int64s, names: Collection[str], *, keep: bool) -> Int64s:
        wanted = np.full(len(self.pairs.names), not keep)
        wanted[[number for number in map(self.pairs.name_number, names) if number >= 0]] = keep
        flat, ends = self.rows(ids)
        self._kernels.cut_rows(flat, ends, self.pairs.name_of, wanted)
        return self.intern_rows(flat, ends)


class Copies:
    """From the ids of one pool to those of another that has pairs of its own.

    For many at once, or again and again: it has a number for each pair of the pool that it copies from.
    """

    def __init__(self, source: LabelPool, target: LabelPool) -> None:
        self.source, self._target = source, target
        self._pair_of = np.empty(0, np.int32)

    def __call__(self, ids: Int64s) -> Int64s:
        return self._target.intern_rows(*self.rows(ids))

    def rows(self, ids: Int64s) -> tuple[Int32s, Int64s]:
        """As `LabelPool.rows`, in terms of the other pool's pairs, which are made where new."""
        flat, ends = self.source.rows(ids)
        if len(self._pair_of) < len(self.source.pairs):
            grown = np.full(len(self.source.pairs) * 5 // 4 + 64, -1, np.int32)
            grown[: len(self._pair_of)] = self._pair_of
            self._pair_of = grown
        self._target.pairs.adopt(self.source.pairs, flat, self._pair_of)
        return flat, ends
