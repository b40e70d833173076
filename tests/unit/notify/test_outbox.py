"""The outbox by itself: a newer event while a request is under way, and who waits for whom."""

from __future__ import annotations

import pytest

from sentinel.model import AlertEvent
from sentinel.notify.outbox import Outbox
from tests.simulation.world import START_MS, event


def change(name: str, state: str = "firing") -> AlertEvent:
    return event(state, START_MS, START_MS, alertname=name)


def told(outbox: Outbox, seconds: list[float]) -> list[str]:
    """The states that an Alertmanager hears at these times, when it takes everything."""
    states: list[str] = []
    for now in seconds:
        while item := outbox.take(now):
            states.append(item.event.state)
            outbox.accepted([item], now)
    return states


@pytest.mark.parametrize("outcome", ["accepted", "failed", "refused"])
def test_a_resolve_that_comes_while_the_alert_is_being_told_is_not_undone(outcome: str) -> None:
    outbox = Outbox(60, lambda _: False)
    outbox.put(change("A"), 0)
    item = outbox.take(0)
    assert item is not None
    outbox.put(change("A", "resolved"), 0)
    if outcome == "refused":
        outbox.refused(item, 1)
    else:
        getattr(outbox, outcome)([item], 1)
    assert set(told(outbox, [2, 70, 700, 2000])) == {"resolved"}
    assert outbox.take_refused(10_000) is None


def test_one_that_fails_for_ever_keeps_no_other_from_being_told_again() -> None:
    outbox = Outbox(60, lambda _: False)
    for name in ("bad", "good"):
        outbox.put(change(name), 0)
    heard = []
    for now in range(300):
        item = outbox.take(now)  # one at a time, as after failures
        if item is not None and item.event.labels.get("alertname") == "good":
            heard.append(now)
            outbox.accepted([item], now)
        elif item is not None:
            outbox.failed([item], now)
    assert heard == [1, 61, 121, 181, 241]
