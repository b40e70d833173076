"""What a scan of JSON records looks for, and what it remembers from one batch to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from sentinel.decode._json_plain import Path
from sentinel.decode._names_kernel import NamesSeen
from sentinel.decode.limits import Limits
from sentinel.model import Int64s, UInt8s, UInt64s

WAYS: Final = 4
"""A label object's digest may lie in so many places."""
_FIRST, _MOST = 1 << 12, 1 << 21
PLACES: Final = 8
"""So many members of a record are remembered."""
WORDS: Final = 4
"""If they take no more than so many words of eight bytes."""


class LabelsKnown(NamedTuple):
    """Digests of label objects, byte for byte, that were read and found good; 0: none."""

    digests: UInt64s
    learned: Int64s
    """How many were put there."""

    @classmethod
    def empty(cls, room: int = _FIRST) -> LabelsKnown:
        return cls(np.zeros(room, np.uint64), np.zeros(1, np.int64))

    def grown(self) -> LabelsKnown:
        """Itself, or an empty one with more room if this is half full. Whoever is forgotten is read again."""
        room = len(self.digests)
        if 2 * self.learned[0] <= room or room == _MOST:
            return self
        return LabelsKnown.empty(4 * room if 4 * room < _MOST else _MOST)


class MembersSeen(NamedTuple):
    """By place in a record: the bytes from a brace or comma up to a member's value, and which field it is."""

    words: UInt64s
    masks: UInt64s
    """Which bits of the words count."""
    length: Int64s
    """In bytes; 0: nothing is remembered."""
    field: Int64s

    @classmethod
    def empty(cls) -> MembersSeen:
        words, places = np.zeros(PLACES * WORDS, np.uint64), np.zeros(PLACES, np.int64)
        return cls(words, words.copy(), places, places.copy())


class Form(NamedTuple):
    """As kernels take it."""

    fields: UInt8s
    """The names of the fields, one after the other; field number i begins at `bounds[i]`."""
    bounds: Int64s
    words: UInt64s
    """The first eight bytes of each name."""
    limits: Int64s
    """`Limits.column()`."""
    names_seen: NamesSeen
    members: MembersSeen
    seed: UInt64s
    """Of the hash of keys."""

    @classmethod
    def of(cls, paths: Sequence[Path], limits: Limits, seed: UInt64s) -> Form:
        names = [path[0].encode() for path in paths]
        return cls(
            fields=np.frombuffer(b"".join(names), np.uint8),
            bounds=np.cumsum([0, *map(len, names)], dtype=np.int64),
            words=np.array([int.from_bytes(name[:8], "little") for name in names], np.uint64),
            limits=limits.column(),
            names_seen=NamesSeen.empty(limits.labels),
            members=MembersSeen.empty(),
            seed=seed,
        )
