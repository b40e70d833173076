"""Label sets as integers.

Every label set an evaluator meets gets an id in its own pool. What queries do to labels (drop the name, keep
those of a `by` clause, cut out a matching signature) is then a lookup in a growing array from id to id,
filled only for ids not seen before: grouping 100,000 series is one numpy gather.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, Generic, TypeVar
from weakref import ref

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Floats, Int32s, Int64s, Labels, UInt64s
from sentinel.store.label_pool import LabelPool
from sentinel.store.pairs import Pairs

METADATA: Final = ("__name__", "__type__", "__unit__")
"""Labels that say what a series measures; they go when an operation makes it measure something else."""

_PAIRING_BYTES: Final = 256
"""What a dict takes for two label sets that became one."""
AT_ONCE: Final = 4096
"""Label sets that are changed one by one between two looks at the clock."""
_MANY_AT_ONCE: Final = 1 << 15
"""Those that are changed by loops over numbers."""

Change = Callable[[Labels], Labels]
Renumbering = Callable[[Int64s], Int64s]


def _never() -> bool:
    return False


class LabelSets:
    """Interned label sets. Ids count up from 0 and stay valid until the evaluator starts a new interner."""

    def __init__(self) -> None:
        self.pool = LabelPool(Pairs())
        self._transforms: dict[Hashable, Transform] = {}
        self._pairings: dict[Hashable, Pairing] = {}
        self._columns: dict[Hashable, Column] = {}
        self._scratch = np.empty(0, np.int32)
        self._distinct: ByArray[bool] = ByArray()
        self.expired: Callable[[], bool] = _never
        """Whether the time of the query under way is over."""

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, id: int) -> Labels:
        return self.pool[id]

    def intern(self, labels: Labels) -> int:
        return self.pool.intern(labels)

    def intern_all(self, series: Iterable[Labels]) -> Int64s:
        return self.pool.intern_all(series)

    def transform(self, key: Hashable, change: Change) -> Transform:
        """The memoised id-to-id form of `change`; equal keys must stand for equal changes."""

        def changed(ids: Int64s) -> Int64s:
            return self.intern_all([change(self[id]) for id in ids.tolist()])

        return self._transform(key, changed, AT_ONCE)

    def keeping(self, names: Iterable[str]) -> Transform:
        wanted = tuple(sorted(set(names)))
        return self._transform(("keep", wanted), lambda ids: self.pool.keeping(ids, wanted))

    def dropping(self, names: Iterable[str]) -> Transform:
        unwanted = tuple(sorted(set(names)))
        return self._transform(("drop", unwanted), lambda ids: self.pool.dropping(ids, unwanted))

    def _transform(self, key: Hashable, change: Renumbering, at_once: int = _MANY_AT_ONCE) -> Transform:
        known = self._transforms.get(key)
        if known is None:
            known = self._transforms[key] = Transform(self, change, at_once)
        return known

    def pairing(self, key: Hashable, join: Callable[[Labels, Labels], Labels]) -> Pairing:
        """The memoised form of a change that makes one label set of two."""
        known = self._pairings.get(key)
        if known is None:
            known = self._pairings[key] = Pairing(self, join)
        return known

    @property
    def unmeasured(self) -> Transform:
        """What label sets become when an operation makes them measure something else."""
        return self.dropping(METADATA)

    def column(self, name: str, read: Callable[[str], float]) -> Column:
        """The number that `read` finds in a label's value ("" where there is none), memoised by name."""
        known = self._columns.get(name)
        if known is None:
            known = self._columns[name] = Column(self, name, read)
        return known

    def transforms(self) -> int:
        """How many changes are memoised: a bound of how many ids one series may have brought along."""
        return len(self._transforms) + len(self._pairings)

    def clear(self) -> None:
        """Lets everything go at once: changes refer to their label sets, a circle that may stay for long."""
        self.pool = LabelPool(Pairs())
        for held in (self._transforms, self._pairings, self._columns):
            held.clear()

    @property
    def nbytes(self) -> int:
        """About how much memory all of it takes."""
        changes, columns = self._transforms.values(), self._columns.values()
        arrays = sum(change.nbytes for change in changes) + sum(column.nbytes for column in columns)
        pairs = sum(map(len, self._pairings.values()))
        return self.pool.nbytes + self.pool.pairs.nbytes + arrays + _PAIRING_BYTES * pairs

    def hurry(self) -> None:
        """Raises QueryError once the query's time is over."""
        if self.expired():
            raise QueryError("query timed out in expression evaluation", kind="timeout")

    def fingerprints(self, ids: Int64s) -> UInt64s:
        self.hurry()
        return self.pool.fingerprints(ids)

    def scratch(self) -> Int32s:
        """Room for a number by id. What it holds is anybody's leavings."""
        if len(self._scratch) < len(self):
            self._scratch = np.empty(len(self) * 5 // 4 + 64, np.int32)
        return self._scratch

    def duplicate(self, ids: Int64s) -> int:
        """A row whose id occurs in a later row too, or -1."""
        if len(ids) < 2 or self._distinct.get(ids):
            return -1
        rows = np.arange(len(ids))
        place = self.scratch()
        place[ids] = rows
        clash = (place[ids] != rows).nonzero()[0]
        if not len(clash):
            self._distinct.put(ids, True)
            return -1
        return int(clash[0])

    def require_distinct(self, ids: Int64s) -> None:
        """Raises QueryError if two rows have the same labels."""
        if self.duplicate(ids) >= 0:
            raise QueryError("vector cannot contain metrics with the same labelset", kind="execution")

    def renamed(self, ids: Int64s) -> Int64s:
        """What series are called that measure something else now. Raises as `require_distinct`."""
        found = self.unmeasured(ids)
        self.require_distinct(found)
        return found


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


class Memo:
    """From number to id, asked for once each, `at_once` of them between two looks at the clock."""

    def __init__(self, sets: LabelSets, make: Renumbering, at_once: int = _MANY_AT_ONCE) -> None:
        self._sets, self._make, self._at_once = sets, make, at_once
        self._to = np.empty(0, np.int32)
        """The id + 1 by number; of zeros that nobody asks for there is only the promise."""

    @property
    def nbytes(self) -> int:
        return self._to.nbytes

    def look_up(self, numbers: Int64s) -> Int64s:
        try:
            found = self._to[numbers]
        except IndexError:
            grown = np.zeros(int(numbers.max()) * 5 // 4 + 64, np.int32)
            grown[: len(self._to)] = self._to
            self._to = grown
            found = self._to[numbers]
        missing = np.sort(numbers[found == 0])  # as memory lies
        if not len(missing):
            return found.astype(np.int64) - 1
        for first in range(0, len(missing), self._at_once):
            self._sets.hurry()
            some = missing[first : first + self._at_once]
            self._to[some] = self._make(some) + 1
        return self._to[numbers].astype(np.int64) - 1


class Transform(Memo):
    """A change of labels from id to id. Asked for the same array again, it gives the same one."""

    def __init__(self, sets: LabelSets, change: Renumbering, at_once: int) -> None:
        super().__init__(sets, change, at_once)
        self._results: ByArray[Int64s] = ByArray()
        self.groups: ByArray[Any] = ByArray()
        """What an aggregation made of an array: its rows by group (see `aggregations.Groups`)."""

    def __call__(self, ids: Int64s) -> Int64s:
        result = self._results.get(ids)
        if result is None:
            result = self.look_up(ids)
            self._results.put(ids, result)
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
    """A number by label value, read once for each."""

    def __init__(self, sets: LabelSets, name: str, read: Callable[[str], float]) -> None:
        self._sets, self._name, self._read = sets, name, read
        self._numbers = np.array([read("")])
        """By pair number + 1; the first is what there is without a value."""
        self._known = np.ones(1, np.bool_)

    @property
    def nbytes(self) -> int:
        return self._numbers.nbytes + self._known.nbytes

    def __call__(self, ids: Int64s) -> Floats:
        pool = self._sets.pool
        place = pool.values_of(ids, self._name) + 1
        if len(self._known) <= len(pool.pairs):
            more = len(pool.pairs) * 5 // 4 + 64 - len(self._known)
            self._numbers = np.concatenate([self._numbers, np.empty(more)])
            self._known = np.concatenate([self._known, np.zeros(more, np.bool_)])
        new = np.unique(place[~self._known[place]])
        self._numbers[new] = [self._read(pool.pairs.value(pair)) for pair in (new - 1).tolist()]
        self._known[new] = True
        numbers: Floats = self._numbers[place]
        return numbers
