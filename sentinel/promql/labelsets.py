"""Label sets as integers.

Every label set an evaluator meets gets an id. What queries do to labels (drop the name, keep those of a
`by` clause, cut out a matching signature) is then a lookup in a growing array from id to id, filled only for
ids not seen before: grouping 100,000 series is one numpy gather.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, Generic, TypeVar
from weakref import ref

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Floats, Int64s, Labels, UInt64s

METADATA: Final = ("__name__", "__type__", "__unit__")
"""Labels that say what a series measures; they go when an operation makes it measure something else."""

WORTH: Final = 64
"""A label set is worth so many numbers."""
AT_ONCE: Final = 4096
"""Label sets that are changed between two looks at the clock."""

Change = Callable[[Labels], Labels]


def _never() -> bool:
    return False


class LabelSets:
    """Interned label sets. Ids count up from 0 and stay valid until the evaluator starts a new interner."""

    def __init__(self) -> None:
        self._labels: list[Labels] = []
        self._table = array("i", [-1]) * 64
        """Ids by the hash of their labels, in open addressing: a dict would take eight times as much."""
        self._transforms: dict[Hashable, Transform] = {}
        self._pairings: dict[Hashable, Pairing] = {}
        self._columns: dict[Hashable, Column] = {}
        self._scratch = np.empty(0, np.int64)
        self._distinct: ByArray[bool] = ByArray()
        self.expired: Callable[[], bool] = _never
        """Whether the time of the query under way is over."""

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, id: int) -> Labels:
        return self._labels[id]

    def intern(self, labels: Labels) -> int:
        table, known = self._table, self._labels
        mask = len(table) - 1
        place = hash(labels) & mask
        while (id := table[place]) >= 0:
            if known[id] is labels or known[id] == labels:
                return id
            place = (place + 1) & mask
        table[place] = len(known)
        known.append(labels)
        if 2 * len(known) > len(table):
            self._rehash()
        return len(known) - 1

    def _rehash(self) -> None:
        from sentinel.promql import _kernels

        hashes = np.fromiter(map(hash, self._labels), np.int64, len(self._labels))
        self._table = array("i", [-1]) * (2 * len(self._table))
        _kernels.place_ids(np.frombuffer(self._table, np.int32), hashes)

    def transform(self, key: Hashable, change: Change) -> Transform:
        """The memoised id-to-id form of `change`; equal keys must stand for equal changes."""
        known = self._transforms.get(key)
        if known is None:
            known = self._transforms[key] = Transform(self, change)
        return known

    def keeping(self, names: Iterable[str]) -> Transform:
        wanted = tuple(sorted(set(names)))
        return self.transform(("keep", wanted), lambda labels: labels.keep(wanted))

    def dropping(self, names: Iterable[str]) -> Transform:
        unwanted = tuple(sorted(set(names)))
        return self.transform(("drop", unwanted), lambda labels: labels.drop(unwanted))

    def pairing(self, key: Hashable, join: Callable[[Labels, Labels], Labels]) -> Pairing:
        """The memoised form of a change that makes one label set of two."""
        known = self._pairings.get(key)
        if known is None:
            known = self._pairings[key] = Pairing(self, join)
        return known

    def column(self, key: Hashable, read: Callable[[Labels], float]) -> Column:
        """The memoised number that `read` finds in a label set."""
        known = self._columns.get(key)
        if known is None:
            known = self._columns[key] = Column(self, read)
        return known

    def transforms(self) -> int:
        """How many changes are memoised: a bound of how many ids one series may have brought along."""
        return len(self._transforms) + len(self._pairings)

    def clear(self) -> None:
        """Lets everything go at once: changes refer to their label sets, a circle that may stay for long."""
        self._table = array("i", [-1]) * 64
        for held in (self._labels, self._transforms, self._pairings, self._columns):
            held.clear()

    def size(self) -> int:
        """Label sets and numbers held, in numbers: a label set is worth many."""
        changes, columns = map(len, self._transforms.values()), map(len, self._columns.values())
        pairs = sum(map(len, self._pairings.values()))
        return WORTH * (len(self._labels) + pairs) + sum(changes) + sum(columns)

    def hurry(self) -> None:
        """Raises QueryError once the query's time is over."""
        if self.expired():
            raise QueryError("query timed out in expression evaluation", kind="timeout")

    def fingerprints(self, ids: Int64s) -> UInt64s:
        found = np.empty(len(ids), np.uint64)
        for first in range(0, len(ids), AT_ONCE):
            self.hurry()
            some = ids[first : first + AT_ONCE].tolist()
            found[first : first + AT_ONCE] = [self._labels[id].fingerprint for id in some]
        return found

    def scratch(self) -> Int64s:
        """Room for a number by id. What it holds is anybody's leavings."""
        if len(self._scratch) < len(self._labels):
            self._scratch = np.empty(2 * len(self._labels) + 64, np.int64)
        return self._scratch

    def duplicate(self, ids: Int64s) -> int:
        """A row whose id occurs in a later row too, or -1."""
        if len(ids) < 2 or self._distinct.get(ids):
            return -1
        rows = np.arange(len(ids))
        place = self.scratch()
        place[ids] = rows
        clash = np.flatnonzero(place[ids] != rows)
        if not len(clash):
            self._distinct.put(ids, True)
            return -1
        return int(clash[0])

    def require_distinct(self, ids: Int64s) -> None:
        """Raises QueryError if two rows have the same labels."""
        if self.duplicate(ids) >= 0:
            raise QueryError("vector cannot contain metrics with the same labelset", kind="execution")


_T = TypeVar("_T")


class ByArray(Generic[_T]):
    """What is known of an array, as long as somebody holds that very array. Nobody writes to such arrays."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[ref[Int64s], _T]] = {}

    def get(self, array: Int64s) -> _T | None:
        found = self._found.get(id(array))
        return found[1] if found is not None and found[0]() is array else None

    def put(self, array: Int64s, value: _T) -> None:
        key, found = id(array), self._found
        self._found[key] = (ref(array, lambda _: found.pop(key, None)), value)


class Transform:
    """A change of labels as an array from id to id. Asked for the same array again, it gives the same one."""

    def __init__(self, sets: LabelSets, change: Change) -> None:
        self._sets, self._change = sets, change
        self._to = np.empty(0, np.int32)
        self._results: ByArray[Int64s] = ByArray()
        self.groups: ByArray[Any] = ByArray()
        """What an aggregation made of a result: rows by group (see `aggregations.Groups`)."""

    def __len__(self) -> int:
        return len(self._to)

    def __call__(self, ids: Int64s) -> Int64s:
        result = self._results.get(ids)
        if result is None:
            result = self._look_up(ids)
            self._results.put(ids, result)
        return result

    def _look_up(self, ids: Int64s) -> Int64s:
        if len(self._to) < len(self._sets):
            grown = np.full(len(self._sets) + len(self._sets) // 4 + 64, -1, np.int32)
            grown[: len(self._to)] = self._to
            self._to = grown
        result = self._to[ids].astype(np.int64)
        if len(result) and result.min() < 0:
            new = np.unique(ids[result < 0]).tolist()
            intern, change, labels = self._sets.intern, self._change, self._sets.__getitem__
            for first in range(0, len(new), AT_ONCE):
                self._sets.hurry()
                some = new[first : first + AT_ONCE]
                self._to[some] = [intern(change(labels(id))) for id in some]
            result = self._to[ids].astype(np.int64)
        return result


class Pairing:
    """A change that makes one label set of two, memoised by pair of ids."""

    def __init__(self, sets: LabelSets, join: Callable[[Labels, Labels], Labels]) -> None:
        self._sets, self._join = sets, join
        self._to: dict[tuple[int, int], int] = {}
        self._last: tuple[Int64s, Int64s, Int64s] | None = None

    def __len__(self) -> int:
        return len(self._to)

    def __call__(self, left: Int64s, right: Int64s) -> Int64s:
        last = self._last
        if last is not None and np.array_equal(left, last[0]) and np.array_equal(right, last[1]):
            return last[2]
        result = np.empty(len(left), np.int64)
        for row, pair in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            if row % AT_ONCE == 0:
                self._sets.hurry()
            id = self._to.get(pair)
            if id is None:
                id = self._to[pair] = self._sets.intern(self._join(self._sets[pair[0]], self._sets[pair[1]]))
            result[row] = id
        self._last = (left, right, result)
        return result


class Column:
    """A number by label set, read once for each."""

    def __init__(self, sets: LabelSets, read: Callable[[Labels], float]) -> None:
        self._sets, self._read = sets, read
        self._numbers = np.empty(0)
        self._known = np.empty(0, np.bool_)

    def __len__(self) -> int:
        return len(self._known)

    def __call__(self, ids: Int64s) -> Floats:
        if len(self._known) < len(self._sets):
            size = 2 * len(self._sets) + 64
            self._numbers = np.concatenate([self._numbers, np.empty(size - len(self._numbers))])
            self._known = np.concatenate([self._known, np.zeros(size - len(self._known), np.bool_)])
        new = np.unique(ids[~self._known[ids]])
        self._numbers[new] = [self._read(self._sets[id]) for id in new.tolist()]
        self._known[new] = True
        numbers: Floats = self._numbers[ids]
        return numbers
