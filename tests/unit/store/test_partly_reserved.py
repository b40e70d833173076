"""Address space that is not to be had for every column: what grows by copying loses nothing either."""

from __future__ import annotations

import mmap
import resource

import numpy as np
import pytest

from sentinel.store import reserved
from sentinel.store.windows import Windows

_SLOTS, _SAMPLES = 2_000, 40


@pytest.mark.parametrize("granted", range(7))
def test_samples_outlive_columns_that_grow_apart(granted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left, space = [granted], reserved._space

    def scarce() -> mmap.mmap | None:
        left[0] -= 1
        return space() if left[0] >= 0 else None

    monkeypatch.setattr(reserved, "_space", scarce)
    windows, slots = Windows(), np.arange(_SLOTS, dtype=np.int64)
    windows.open(slots, np.full(_SLOTS, 1 << 40), slots + 1)
    for at in range(_SAMPLES):
        windows.append(slots, np.full(_SLOTS, at), (slots + at / 4).astype(np.float64), 1)
    counts, times, values = windows.export(slots)
    assert counts.tolist() == [_SAMPLES] * _SLOTS
    assert times.tolist() == list(range(_SAMPLES)) * _SLOTS
    assert values.tolist() == [slot + at / 4 for slot in range(_SLOTS) for at in range(_SAMPLES)]


def test_nothing_is_reserved_of_address_space_that_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 50, resource.RLIM_INFINITY))
    assert not reserved.Reserved(np.int64).in_place
