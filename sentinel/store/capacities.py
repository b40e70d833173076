"""How large the segments of windows are: powers of two, and from 16 on half-way between them, too."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

CAPACITIES: Final = (1, 2, 4, 8, *(size for power in range(4, 46) for size in (1 << power, 3 << (power - 1))))
"""In samples, ascending."""
SLACK_SHIFT: Final = 3
"""A full segment is tidied up in place if that gives an eighth (a shift by 3) of it back, else it grows."""


def segment_for(samples: int) -> int:
    """The capacity that a window ends up with which has to hold so many samples and one that comes."""
    at = bisect_left(CAPACITIES, samples)
    while CAPACITIES[at] - max(CAPACITIES[at] >> SLACK_SHIFT, 1) < samples:
        at += 1
    return CAPACITIES[at]
