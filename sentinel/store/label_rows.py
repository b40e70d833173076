"""Label sets apart from the pool they come from: for snapshots, other threads, and to begin a pool anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, pairwise
from typing import Any, Final

import numpy as np

from sentinel.model import Bools, Int32s, Int64s, Labels, Matcher, UInt8s
from sentinel.store.label_pool import Copies, LabelPool
from sentinel.store.pairs import UTF8

_FEW_SHIFT: Final = 4
"""To go through all pairs of a pool takes longer than to spell those of a sixteenth of as many sets."""


@dataclass(frozen=True, eq=False)
class LabelRows:
    """Rows of pairs. A pair is a number below `len(text_ends)`; equal pairs have equal numbers."""

    text: UInt8s
    """`name 0xFF value 0xFF` of each pair, one behind the other."""
    text_ends: Int64s
    pairs: Int32s
    """Of each set in the order of label names, one set behind the other."""
    ends: Int64s

    @classmethod
    def of(cls, pool: LabelPool, ids: Int64s) -> LabelRows:
        flat, ends = pool.rows(ids)
        if len(flat) < len(pool.pairs) >> _FEW_SHIFT:
            some, place = np.unique(flat, return_inverse=True)
            return cls(*pool.pairs.spelled(some.astype(np.int64)), place.astype(np.int32), ends)
        used = np.zeros(len(pool.pairs), np.bool_)
        used[flat] = True
        numbers = np.flatnonzero(used)
        new_number = np.empty(len(used), np.int32)
        new_number[numbers] = np.arange(len(numbers), dtype=np.int32)
        return cls(*pool.pairs.spelled(numbers), new_number[flat], ends)

    def into(self, pool: LabelPool) -> Int64s:
        """The ids of these sets in a pool."""
        pool.reserve(len(self.ends), len(self.pairs))
        return pool.intern_rows(*self.rows_in(pool))

    def rows_in(self, pool: LabelPool) -> tuple[Int32s, Int64s]:
        """As `LabelPool.rows`, in terms of a pool's pairs, which are made where new."""
        numbers, _ = pool.pairs.number_spelled(self.text, self.text_ends, len(self.text_ends), make=True)
        return numbers[self.pairs], self.ends

    def texts(self) -> list[tuple[str, str]]:
        """(name, value) by the numbers of pairs."""
        return list(zip(_decoded(self._parts[:-1:2]), _decoded(self._parts[1::2]), strict=True))

    def names(self) -> list[str]:
        """The label names of these sets."""
        return sorted(_decoded(set(compress(self._parts[:-1:2], self._used()))))

    def values(self, name: str) -> list[str]:
        """The values that a label has in these sets."""
        wanted = self._used() & self._of_name(name)
        return sorted(_decoded(compress(self._parts[1::2], wanted)))

    def sets(self) -> list[Labels]:
        pairs, flat = self.texts(), self.pairs.tolist()
        return [Labels([pairs[n] for n in flat[a:b]]) for a, b in pairwise([0, *self.ends.tolist()])]

    def meant(self, matchers: Iterable[Matcher]) -> Bools:
        """Which sets all matchers mean."""
        found = np.ones(len(self.ends), np.bool_)
        of_set = np.repeat(np.arange(len(self.ends)), np.diff(self.ends, prepend=0))
        for matcher in matchers:
            verdict = self._of_name(matcher.name)
            mine = verdict[self.pairs]
            verdict[verdict] = [
                matcher.matches(value) for value in _decoded(compress(self._parts[1::2], verdict))
            ]
            matched = np.full(len(self.ends), matcher.matches(""), np.bool_)
            matched[of_set[mine]] = verdict[self.pairs[mine]]
            found &= matched
        return found

    def where(self, wanted: Bools) -> LabelRows:
        """Some of the sets; the pairs stay as they are."""
        sizes = np.diff(self.ends, prepend=0)
        pairs = self.pairs[np.repeat(wanted, sizes)]
        return LabelRows(self.text, self.text_ends, pairs, np.cumsum(sizes[wanted]))

    def dump(self) -> dict[str, Any]:
        """As arrays."""
        return {"text": self.text, "text_ends": self.text_ends, "pairs": self.pairs, "ends": self.ends}

    @cached_property
    def _parts(self) -> list[bytes]:
        """Name, value, name, value, and so on; at last an empty one."""
        return self.text.tobytes().split(b"\xff")

    def _used(self) -> Bools:
        """By pair, whether some set here has it."""
        used = np.zeros(len(self.text_ends), np.bool_)
        used[self.pairs] = True
        return used

    def _of_name(self, name: str) -> Bools:
        """By pair, whether it is of this label name."""
        wanted = name.encode(*UTF8)
        return np.array([each == wanted for each in self._parts[:-1:2]], np.bool_)


def carried(source: LabelPool, ids: Int64s, target: LabelPool) -> tuple[Int32s, Int64s]:
    """`source.rows(ids)` in terms of the pairs of another pool, made there where new."""
    if len(ids) >= len(source.pairs) >> _FEW_SHIFT:
        return Copies(source, target).rows(ids)
    return LabelRows.of(source, ids).rows_in(target)


def restored(state: dict[str, Any] | list[Labels], pool: LabelPool) -> Int64s:
    """The ids in a pool of what a snapshot holds; those of earlier releases have a list."""
    return pool.intern_all(state) if isinstance(state, list) else LabelRows(**state).into(pool)


def _decoded(parts: Iterable[bytes]) -> list[str]:
    parts = list(parts)
    try:
        return list(map(bytes.decode, parts))
    except UnicodeDecodeError:
        return [part.decode(*UTF8) for part in parts]
