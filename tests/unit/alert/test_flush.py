"""Deciding: Alertmanager's table, catching up, ids, order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sentinel.alert.flush import Entry, Flush, compose, dedup, fingerprint, hold, in_order
from sentinel.model import AlertEvent, Labels
from tests.simulation.world import event

A, B = event("firing", 1, 1, alertname="A"), event("firing", 1, 1, alertname="B")
A_OVER = event("resolved", 9, 1, alertname="A")
FA, FB = frozenset({fingerprint(A)}), frozenset({fingerprint(B)})
NONE: frozenset[str] = frozenset()


def flush(*alerts: AlertEvent, entry: Entry | None = None, **changes: Any) -> Flush:
    known = entry or Entry()
    return msgspec.structs.replace(Flush(("g", "r", 0), Labels(), alerts, known, 1000, 500), **changes)


def entry(firing: frozenset[str] = NONE, resolved: frozenset[str] = NONE, at: int = 900) -> Entry:
    return Entry(time_ms=at, notice_id="n", firing=firing, resolved=resolved)


TABLE = [
    (flush(A), "first notification"),
    (flush(A_OVER), None),
    (flush(A, entry=entry(resolved=FB)), "first notification"),
    (flush(A, B, entry=entry(FA)), "new alerts added"),
    (flush(A_OVER, entry=entry(FA)), "all alerts resolved"),
    (flush(A_OVER, entry=entry(FA), send_resolved=False), "all alerts resolved"),
    (flush(A_OVER, entry=entry(resolved=FA)), None),
    (flush(A_OVER, B, entry=entry(FA | FB)), "some alerts resolved"),
    (flush(A_OVER, B, entry=entry(FA | FB), send_resolved=False), None),
    (flush(A_OVER, B, entry=entry(FB, FA)), None),
    (flush(A, entry=entry(FA, at=500)), "repeat interval elapsed"),
    (flush(A, entry=entry(FA, at=501)), None),
    (flush(A_OVER, entry=Entry(attempted=FA)), "all alerts resolved"),
    (flush(A, entry=Entry(attempted=FA)), "first notification"),
]


@pytest.mark.parametrize(("given", "reason"), TABLE)
def test_dedup(given: Flush, reason: str | None) -> None:
    decided = dedup(given)
    assert (decided.reason if decided else None) == reason


def test_an_alert_that_catches_up_is_left_out_or_shown_as_told() -> None:
    stage = hold(lambda rule: rule.endswith(";A"))
    assert stage(flush(A)) is None
    assert stage(flush(A_OVER)) is None
    held = stage(flush(A_OVER, B, entry=entry(FA)))
    assert held is not None
    assert held.in_state("firing") == FA | FB
    assert held.held == FA
    assert stage(flush(B)) == flush(B)


def test_what_an_unanswered_attempt_leaves_unsure() -> None:
    known = entry(FA).attempting(flush(A_OVER, B, entry=entry(FA)))
    assert (known.firing, known.attempted, known.notice_id) == (NONE, FA | FB, "n")


def test_the_id_is_that_of_group_alerts_states_and_the_entry_before() -> None:
    one = compose(flush(A), "u").id
    assert one == compose(flush(A, now_ms=5000, reason="x"), "other").id
    others = [
        flush(A_OVER),
        flush(A, B),
        flush(A, entry=entry()),
        flush(A, key=("g2", "r", 0)),
        flush(A, key=("g", "r", 1)),
        flush(event("firing", 2, 2, alertname="A")),
    ]
    assert len({one, *(compose(other, "u").id for other in others)}) == len(others) + 1


def test_without_send_resolved_only_firing_alerts_are_sent() -> None:
    sent = compose(flush(A_OVER, B, send_resolved=False), "u").notification
    assert sent is not None
    assert sent.alerts == (B,)
    assert compose(flush(A_OVER, send_resolved=False), "u").notification is None


def test_alerts_stand_in_alertmanagers_order() -> None:
    expected = [
        {"job": "a", "instance": "2"},
        {"job": "a", "x": "1"},
        {"job": "a", "b": "1", "x": "1"},
        {"job": "b", "instance": "1"},
        {"instance": "0"},
        {"z": "1"},
        {"y": "1"},
        {"y": "2"},
        {"a": "1", "b": "1"},
    ]
    events = [event("firing", 1, 1, **labels) for labels in expected]
    assert [dict(one.labels) for one in in_order(reversed(events))] == expected
