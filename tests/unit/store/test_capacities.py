"""The capacities of segments."""

from __future__ import annotations

from sentinel.store.capacities import CAPACITIES, LONG, segment_for


def test_a_segment_holds_what_it_is_for() -> None:
    """With room for one more after tidying up, even if there is one too many; and no smaller one would do."""
    assert list(CAPACITIES) == sorted(set(CAPACITIES))
    for samples in range(1, LONG - LONG // 16):
        capacity = segment_for(samples)
        assert capacity - max(capacity // 16, 1) > samples
        smaller = CAPACITIES[CAPACITIES.index(capacity) - 1] if capacity > 1 else 0
        assert smaller - max(smaller // 16, 1) <= samples
