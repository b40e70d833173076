"""What is said of windows' memory is what a store really takes."""

from __future__ import annotations

import numpy as np
import pytest

from sentinel.model import Labels, Matcher
from sentinel.rules.lint import World, windows
from sentinel.rules.lint.windows import held_samples
from sentinel.store.capacities import LONG, SAMPLE_BYTES, window_bytes
from sentinel.store.index import Demand
from sentinel.store.store import Store

from .files import in_group, source

MINUTE, HOUR = 60_000, 3_600_000


def taken(keep_ms: int, every_ms: int, evaluation_ms: int, phase_ms: int) -> int:
    """Bytes of the window of a counter, after a long time of samples and evaluations in turn."""
    store = Store()
    store.demand([Demand((Matcher("__name__", "=", "x"),), keep_ms)])
    slot = np.array([store.slot(Labels({"__name__": "x"}))])
    for at_ms in range(phase_ms, 2 * keep_ms, every_ms):
        store.windows.horizon_ms = at_ms - at_ms % evaluation_ms
        store.write(slot, np.array([at_ms]), np.array([at_ms // 1000 * 7.0]), 1)
    return store.windows.nbytes - store.windows.meta.nbytes


@pytest.mark.parametrize("every_ms", [10_000, 15_000, 30_000])
@pytest.mark.parametrize("keep_ms", [15 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR])
@pytest.mark.parametrize("evaluation_ms", [30_000, MINUTE])
def test_a_store_takes_what_is_said(keep_ms: int, every_ms: int, evaluation_ms: int) -> None:
    """What is packed takes less, as these samples are just in time; a window of nearly LONG may not be."""
    samples = held_samples(keep_ms, every_ms, evaluation_ms)
    most = max(taken(keep_ms, every_ms, evaluation_ms, phase) for phase in (0, 1, every_ms - 1))
    if samples < 180:
        assert most == window_bytes(samples)
    else:
        assert most <= max(window_bytes(samples), LONG * SAMPLE_BYTES * (samples < LONG))


def test_a_day_and_an_hour() -> None:
    text = in_group(
        "{record: 'a:x', expr: 'rate(x[1h])'}",
        "{record: 'a:y', expr: 'max_over_time(sum by (a) (x)[1d:1m]) + rate(y[5m]) + z offset 2h'}",
        "{record: 'a:z', expr: 'max_over_time(a:x[1h])'}",
        group="interval: 1m",
    )
    found = windows([source(text)], World())
    assert [(w.selector, w.keep_ms, w.every_ms, w.samples, w.bytes) for w in found] == [
        ("x", 24 * HOUR + 5 * MINUTE, 15_000, 5784, 64 * 16 + 5720 * 4),
        ("z offset 2h", 2 * HOUR + 5 * MINUTE, 15_000, 504, 64 * 16 + 440 * 4),
        ("a:x", HOUR, MINUTE, 61, 72 * 16),
    ]
    assert [(w.line, w.rule) for w in found] == [(6, "a:y"), (6, "a:y"), (7, "a:z")]


def test_what_resolves_an_alert_is_read_too() -> None:
    text = in_group("{alert: A, expr: x > 1, resolve_expr: 'avg_over_time(y[1h]) < 1'}")
    (window,) = windows([source(text)], World())
    assert (window.selector, window.line, window.column) == ("y", 4, 58)


def test_what_is_kept_for_ever_has_no_figures() -> None:
    (window,) = windows([source(in_group("{record: 'a:x', expr: x @ 1000}"))], World())
    assert (window.selector, window.samples, window.bytes) == ("x @ 1000.000", 0, 0)


def test_short_windows_are_not_told() -> None:
    assert not windows([source(in_group("{record: 'a:x', expr: 'rate(x[10m]) + y'}"))], World())
