"""Which sources feed a selection, remembered: always what looking at every series would find."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels, Matcher
from sentinel.store.index import Demand
from sentinel.store.store import EXPIRY_MS, Store

SELECTORS = [
    (Matcher("__name__", "=", "a"),),
    (Matcher("__name__", "=", "b"),),
    (Matcher("__name__", "=", "a"), Matcher("x", "=~", "[0-3]")),
]
WRITES = st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.sampled_from([0, 1, 2, 4]))
STEPS = st.lists(st.one_of(WRITES, st.just("expire"), st.just("look")), max_size=40)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_it_is_what_all_series_say(steps: list[str | tuple[str, int, int]]) -> None:
    store, now_ms = Store(), 10 * EXPIRY_MS
    store.demand([Demand(matchers, 1000) for matchers in SELECTORS])
    for step in [*steps, "look"]:
        now_ms += EXPIRY_MS // 3
        store.windows.horizon_ms = now_ms
        if step == "expire":
            store.expire()
        elif step == "look":
            for matchers in SELECTORS:
                selection = store.selection(matchers)
                expected = int(np.bitwise_or.reduce(store.sources[selection.slots()], initial=0))
                assert selection.fed_by(store.sources, store.source_version) == expected
        else:
            name, number, source = step
            slots = store.slots([Labels({"__name__": str(name), "x": str(number)})])
            store.write(slots, np.array([now_ms]), np.array([1.0]), int(source))
