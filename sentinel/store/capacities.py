"""How large the segments of windows are: eight sizes from one power of two to the next, all even up to 32.

What is longer than LONG samples keeps its newest ones in a short segment and the others packed.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

CHUNK_SHIFT: Final = 12
"""A chunk of slab serves segments of one capacity and has room for 1 << 12 places."""
CAPACITIES: Final = (
    *(1, 2, 3, 4, 6, 8, 10, 12, 14),
    *((8 + part) << power for power in range(1, CHUNK_SHIFT - 3) for part in range(8)),
    1 << CHUNK_SHIFT,
)
"""In places of a slab, ascending."""
SLACK_SHIFT: Final = 4
"""A full segment is tidied up in place if that gives a sixteenth (a shift by 4) of it back, else it grows."""
LONG: Final = 192
SHORT: Final = 64
"""The segment of a window that is packed in part, and how many samples it keeps when others are packed."""
KEPT: Final = 32
SAMPLE_BYTES: Final = 16
PACKED_BYTES: Final = 4
"""What a packed sample usually takes (counters, or gauges of few decimals, at times that are a bit off)."""


def segment_for(samples: int) -> int:
    """The capacity that a window ends up with which has to hold so many samples, one that comes, and one more
    when samples are not quite in time; of a window of which a part is packed, the segment of the others."""
    at = bisect_left(CAPACITIES, min(samples, LONG))
    while CAPACITIES[at] <= LONG and CAPACITIES[at] - max(CAPACITIES[at] >> SLACK_SHIFT, 1) <= samples:
        at += 1
    return CAPACITIES[at] if CAPACITIES[at] <= LONG else SHORT


def window_bytes(samples: int) -> int:
    """What a window takes that has come to hold so many samples; of what is packed, about."""
    segment = segment_for(samples)
    return segment * SAMPLE_BYTES + max(samples - segment, 0) * PACKED_BYTES
