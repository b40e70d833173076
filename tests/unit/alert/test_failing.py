"""Since when receivers have taken nothing."""

from __future__ import annotations

from sentinel.alert.tell import Failing


def test_a_receiver_that_a_reload_took_away_fails_no_more() -> None:
    failing = Failing()
    for name in ("stays", "goes"):
        failing.note(name, 0, delivered=False)
    failing.keep_only({"stays"})
    failing.note("goes", 0, delivered=False)  # the attempt that was under way
    assert failing.seconds("goes") == 0
    assert failing.seconds("stays") > 0
    failing.note("stays", 0, delivered=True)
    assert failing.seconds() == 0
    failing.keep_only({"goes"})
    failing.note("goes", 0, delivered=False)
    assert failing.seconds() > 0
