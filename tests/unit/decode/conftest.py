"""Payloads made of records, for all tests of decoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sentinel.model import Labels, Payloads

NOW_MS = 1_760_000_000_000


def _payloads(records: Sequence[bytes], *, record_ms: int = NOW_MS, target: Labels | None = None) -> Payloads:
    end = np.cumsum([len(record) for record in records], dtype=np.int64)
    count = len(records)
    return Payloads(
        source="test",
        partition="0",
        format="any",
        buffer=np.frombuffer(b"".join(records), np.uint8),
        start=end - np.array([len(record) for record in records], np.int64),
        end=end,
        offset=np.arange(count),
        record_ms=np.full(count, record_ms),
        next_offset=count,
        arrival_ms=NOW_MS + 5,
        target=target or Labels(),
    )


@pytest.fixture(scope="session")
def payloads_of() -> Callable[..., Payloads]:
    """Makes payloads of a list of records, in one buffer without gaps."""
    return _payloads
