"""A body of many records, one a line: what a push over HTTP sends."""

from __future__ import annotations

import numpy as np

from sentinel.model import Labels, Payloads


def split_lines(
    source: str, format: str, body: bytes, *, arrival_ms: int, target: Labels | None = None
) -> Payloads:
    """One record per line that is not empty; a carriage return before the line break belongs to the break.

    Offsets number the records from 0, so that one push is `[0, next_offset)`.
    """
    buffer = np.frombuffer(body, np.uint8)
    end = np.append(np.flatnonzero(buffer == ord("\n")), len(body))
    start = np.concatenate([[0], end[:-1] + 1])
    if len(body):
        end -= (end > start) & (buffer[end - 1] == ord("\r"))
    full = end > start
    count = int(np.count_nonzero(full))
    return Payloads(
        source=source,
        partition="",
        format=format,
        buffer=buffer,
        start=start[full],
        end=end[full],
        offset=np.arange(count),
        record_ms=np.full(count, -1),
        next_offset=count,
        arrival_ms=arrival_ms,
        target=target or Labels(),
    )
