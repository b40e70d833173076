"""An engine that has no rules but keeps what comes, for queries."""

from __future__ import annotations

import numpy as np

from sentinel.engine import Engine, Settings
from sentinel.model import Labels
from tests.unit.engine.telemetry import decoder, payloads

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000


def test_windows_end_where_retention_does() -> None:
    """Nothing is evaluated, so the samples themselves say what time it is."""
    engine = Engine([], Settings(sources=("a",), retention_ms=HOUR_MS))
    for minute in range(600):
        at_ms = START_MS + 60_000 * minute
        line = b'{"name": "up", "value": 1, "timestamp": %d}' % at_ms
        engine.ingest("a", decoder().decode(payloads(0, minute, [line], at_ms)).batch)
    slot = engine.store.find(Labels({"__name__": "up"}))
    first, last = engine.store.spans(np.array([slot], np.int64), 0, 1 << 60)
    assert 60 <= last[0] - first[0] <= 128


def test_what_is_silent_for_long_is_forgotten() -> None:
    engine = Engine([], Settings(sources=("a",), retention_ms=HOUR_MS))
    for minute, name in ((0, b"gone"), (1, b"here"), (200, b"here")):
        at_ms = START_MS + 60_000 * minute
        line = b'{"name": "%b", "value": 1, "timestamp": %d}' % (name, at_ms)
        engine.ingest("a", decoder().decode(payloads(0, minute, [line], at_ms)).batch)
    assert (
        engine.store.find(Labels({"__name__": "gone"})) < 0 <= engine.store.find(Labels({"__name__": "here"}))
    )
