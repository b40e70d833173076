"""Native histograms as text."""

from __future__ import annotations

from sentinel.model import Histogram
from sentinel.promql.histograms.bounds import populated
from sentinel.template.gonumber import shortest

_OPENING, _CLOSING = "([([", "]))]"
"""By `BucketTable.boundaries`."""


def text(histogram: Histogram) -> str:
    """As Prometheus prints it: `{count:3, sum:2, (0.5,1]:1, (1,2]:2}`."""
    parts = [f"count:{shortest(histogram.count)}", f"sum:{shortest(histogram.sum)}"]
    table = populated(histogram, zero=histogram.zero_count != 0)
    columns = (table.lower, table.upper, table.count, table.boundaries)
    for lower, upper, count, ends in zip(*(column.tolist() for column in columns), strict=True):
        interval = f"{_OPENING[ends]}{shortest(lower)},{shortest(upper)}{_CLOSING[ends]}"
        parts.append(f"{interval}:{shortest(count)}")
    return "{" + ", ".join(parts) + "}"
