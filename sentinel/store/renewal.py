"""A pool of label sets begun anew of what lives, a part at a time; until it is done the old one goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from sentinel.model import Int64s
from sentinel.store.label_pool import Copies, LabelPool
from sentinel.store.pairs import Pairs
from sentinel.store.reserved import Growing

AT_ONCE: Final = 1 << 14
"""Label sets that are copied in one go: some milliseconds."""


class Renewal:
    """From the ids of `old` to those of `pool`, its successor."""

    def __init__(self, old: LabelPool) -> None:
        self.pool = LabelPool(Pairs())
        self._copies = Copies(old, self.pool)
        self._new_ids = Growing(np.int32)
        """By old id one more than the new one, 0: not copied yet."""
        self._left: Int64s = np.empty(0, np.int64)

    def go_on(self, live: Callable[[], Int64s]) -> bool:
        """Copies some of the label sets that live; whether all of them are here now."""
        looked = not len(self._left)
        if looked:
            ids = live()
            self._new_ids.hold(len(self._copies.source))
            self._left = ids[self._new_ids.array[ids] == 0]
        some, self._left = self._left[:AT_ONCE], self._left[AT_ONCE:]
        self._new_ids.array[some] = self._copies(some) + 1
        return looked and not len(self._left)

    def renamed(self) -> Int64s:
        """New ids by old ones, -1: not here."""
        return self._new_ids.array[: len(self._copies.source)].astype(np.int64) - 1
