"""Who waits for new series: of a thousand selectors each new label set is shown only to a few.

A selector waits at one of the pairs that it needs, where few others wait. A kernel goes through the pairs of
the new sets and finds who waits there and has all that it needs; only what is left (`!=`, regexes, absent
labels) is asked afterwards, of columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from sentinel.model import Bools, Int64s, Matcher
from sentinel.store.label_pool import LabelPool
from sentinel.store.pairs import UTF8, Pairs

_MOST_KNOWN: Final = 1 << 12
_FEW: Final = 32


class Wanted:
    """What a selector's matchers ask of a label set, in terms of one pool."""

    def __init__(self, matchers: Sequence[Matcher], pairs: Pairs) -> None:
        needs = {pairs.number(m.name, m.value) for m in matchers if _is_pair(m)}
        self.needs = sorted(needs)
        """The pairs that it must have."""
        self._others = [Asked(matcher) for matcher in matchers if not _is_pair(matcher)]

    def among(self, pool: LabelPool, ids: Int64s) -> Bools | None:
        """Which of these, that have all the pairs, are meant; None: all of them."""
        meant: Bools | None = None
        for asked in self._others:
            found = asked.among(pool, ids)
            meant = found if meant is None else meant & found
        return meant


def _is_pair(matcher: Matcher) -> bool:
    return matcher.op == "=" and bool(matcher.value)


class Asked:
    """A matcher that has to be asked; each value only once, as long as it is remembered."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._known: dict[int, bool] = {}
        """By the number of a pair, if there are not too many."""

    def among(self, pool: LabelPool, ids: Int64s) -> Bools:
        """Which of these label sets it matches."""
        found = pool.values_of(ids, self._matcher.name).astype(np.int64)
        if len(ids) < _FEW:
            return np.array(self._verdicts(pool.pairs, found), np.bool_)
        if len(ids) * 8 < len(pool.pairs):
            values, which = np.unique(found, return_inverse=True)
            return np.array(self._verdicts(pool.pairs, values), np.bool_)[which]
        verdict: Bools = np.zeros(len(pool.pairs) + 1, np.bool_)  # the last place is that of -1
        verdict[found] = True
        values = np.flatnonzero(verdict).astype(np.int64)
        verdict[values] = self._verdicts(pool.pairs, np.where(values == len(pool.pairs), -1, values))
        return verdict[found]

    def _verdicts(self, pairs: Pairs, values: Int64s) -> list[bool]:
        """Of pair numbers; -1: the label is absent."""
        numbers, known = values.tolist(), self._known
        new = [number for number in set(numbers) if number not in known]
        if len(known) + len(new) > _MOST_KNOWN:
            known, new = {}, numbers
            self._known = known if len(numbers) <= _MOST_KNOWN else {}
        if new:
            known |= self._learnt(pairs, np.array(new, np.int64))
        return [known[number] for number in numbers]

    def _learnt(self, pairs: Pairs, values: Int64s) -> dict[int, bool]:
        present = values[values >= 0]
        texts = [text.decode(*UTF8) for text in pairs.spelled(present)[0].tobytes().split(b"\xff")[1::2]]
        learnt = dict(zip(present.tolist(), map(self._matcher.matches, texts), strict=True))
        return learnt if len(present) == len(values) else {**learnt, -1: self._matcher.matches("")}


class Waits(Protocol):
    @property
    def wanted(self) -> Wanted: ...


Who = TypeVar("Who", bound=Waits)


class Waiting(Generic[Who]):
    """Those who wait; kernels know them by their place in the list."""

    def __init__(self, those: Sequence[Who]) -> None:
        self._those = those
        self._wanted = wanted = [each.wanted for each in those]
        self._everywhere = [who for who, each in enumerate(wanted) if not each.needs]
        places, crowd = np.full(len(wanted), -1, np.int32), Counter[int]()
        for who, each in enumerate(wanted):
            if each.needs:
                places[who] = min(each.needs, key=crowd.__getitem__)
                crowd[int(places[who])] += 1
        heads = np.full(int(places.max(initial=-1)) + 1, -1, np.int32)
        before = np.full(len(wanted), -1, np.int32)
        for who in np.flatnonzero(places >= 0).tolist():
            before[who], heads[places[who]] = heads[places[who]], who
        needed = np.array([number for each in wanted for number in each.needs], np.int32)
        self._state = heads, before, needed, np.cumsum([len(each.needs) for each in wanted], dtype=np.int64)

    def meant(self, pool: LabelPool, ids: Int64s) -> Iterator[tuple[Who, Int64s]]:
        """(who, places of label sets that it waits for): all these together, perhaps in several parts."""
        for who in self._everywhere:
            found = self._wanted[who].among(pool, ids)
            yield self._those[who], np.arange(len(ids)) if found is None else np.flatnonzero(found)
        for who, rows in self._met(pool, ids):
            found = self._wanted[who].among(pool, ids[rows])
            yield self._those[who], rows if found is None else rows[found]

    def _met(self, pool: LabelPool, ids: Int64s) -> Iterator[tuple[int, Int64s]]:
        """(who, places of the label sets that have all its pairs)."""
        from sentinel.store import _lookup_kernels as kernels

        if len(self._everywhere) == len(self._wanted):
            return
        row, size = 0, len(ids) + 4 * len(self._wanted)
        while row < len(ids):
            who, rows = np.empty(size, np.int32), np.empty(size, np.int64)
            count, row = kernels.meet(pool.state(), ids, row, self._state, who, rows)
            order = np.argsort(who[:count], kind="stable")
            ordered, rows = who[order], rows[order]
            edges = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), count]
            for first, last in pairwise(edges if count else ()):
                yield int(ordered[first]), rows[first:last]
