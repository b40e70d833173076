"""The store: demands, expiry, snapshots."""

from __future__ import annotations

import numpy as np
import pytest

from sentinel.model import Labels, Matcher
from sentinel.store import _kernels as kernels
from sentinel.store import index
from sentinel.store.index import Demand
from sentinel.store.store import EXPIRY_MS, Store
from sentinel.store.tracked import end

from .batches import batch


def series(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def named(name: str, *more: Matcher) -> tuple[Matcher, ...]:
    return (Matcher("__name__", "=", name), *more)


def test_two_spellings_of_one_label_set_meet_in_one_slot() -> None:
    store = Store()
    slots, counts = store.ingest(
        batch([("up|a=1,b=2", 1, 1.0), ("up|b=2,a=1", 2, 2.0), ("up|a=1", 1, 3.0)]), 1
    )
    assert slots[0] == slots[1] != slots[2]
    assert counts[kernels.STORED] == 3
    assert len(store.index) == 2


def test_only_what_is_asked_for_is_kept() -> None:
    store = Store()
    store.demand([Demand(named("asked"), 60_000)])
    asked, other = store.slot(series("asked")), store.slot(series("other"))
    rows = np.array([asked, other] * 50)
    times = np.repeat(np.arange(50) * 1000, 2)
    store.write(rows, times, times.astype(float), 1)
    first, last = store.spans(np.array([asked, other]), -1, 1 << 40)
    assert (last - first).tolist() == [50, 1]
    assert store.value[first[1]] == 49_000.0


def test_a_new_demand_reaches_series_that_are_here() -> None:
    store = Store()
    slot = store.slot(series("x"))
    store.demand([Demand(named("x"), 10_000)])
    store.write(np.full(5, slot), np.arange(5) * 1000, np.arange(5.0), 1)
    first, last = store.spans(np.array([slot]), -1, 1 << 40)
    assert last[0] - first[0] == 5


def test_selections_follow_series_and_stay_in_fingerprint_order() -> None:
    store = Store()
    early = store.selection(named("m", Matcher("job", "=~", "a.*")))
    for number in range(20):
        store.slot(series("m", job=f"a{number}"))
        store.slot(series("m", job=f"b{number}"))
    late = store.selection(named("m", Matcher("job", "!~", "b.*")))
    assert early.slots().tolist() == late.slots().tolist()
    fingerprints = [store.labels(slot).fingerprint for slot in early.slots().tolist()]
    assert fingerprints == sorted(fingerprints) and len(fingerprints) == 20


def test_a_series_without_a_name_is_meant_once() -> None:
    store = Store()
    selections = [store.selection((Matcher("job", op, "a"),)) for op in ("=", "=~")]
    slot = store.slot(Labels({"job": "a"}))
    assert [selection.slots().tolist() for selection in selections] == [[slot], [slot]]


def test_silent_series_expire_and_their_slots_serve_others() -> None:
    store = Store()
    selection = store.selection(named("m"))
    gone = store.ingest(batch([("m|i=1", 0, 1.0)]), 1)[0][0]
    store.ingest(batch([("m|i=2", EXPIRY_MS, 1.0)]), 1)
    serial = int(store.serial[gone])
    store.windows.horizon_ms = EXPIRY_MS + 1
    assert store.expire() == 1
    assert len(selection.slots()) == 1
    again = store.ingest(batch([("m|i=1", EXPIRY_MS + 1, 5.0), ("n|", EXPIRY_MS + 1, 6.0)]), 1)[0]
    assert gone in again.tolist() and int(store.serial[gone]) != serial
    assert [repr(store.labels(slot)) for slot in again.tolist()] == ['m{i="1"}', "n"]


def test_an_ended_series_yields_nothing_until_it_is_back() -> None:
    store = Store()
    slot = store.add(series("m"), [1000], [1.0])
    end(store, store.index.find([series("m")]), 2000)
    assert not store.latest(np.array([slot]), 3000, 300_000)[0][0]
    store.add(series("m"), [4000], [2.0])
    assert store.latest(np.array([slot]), 4000, 300_000)[1][0] == 2.0


def test_a_restored_store_shows_the_same() -> None:
    store = Store()
    store.demand([Demand(named("m"), 5000)])
    for at in range(10):
        store.ingest(batch([(f"m|i={i}", at * 1000, at + i) for i in range(5)] + [("n|", at, 1.0)]), 2)
    store.windows.horizon_ms = 7000
    copy = Store()
    copy.demand([Demand(named("m"), 5000)])
    copy.restore(store.snapshot())
    ours, theirs = store.selection(named("m")), copy.selection(named("m"))
    for at, lookback in [(9000, 5000), (8500, 100), (20_000, 300_000)]:
        for mine, other in zip(
            store.latest(ours.slots(), at, lookback), copy.latest(theirs.slots(), at, lookback), strict=True
        ):
            assert mine.tolist() == other.tolist()
    assert copy.sources[theirs.slots()].tolist() == [2] * 5


def test_a_restored_store_keeps_what_the_slowest_source_still_needs() -> None:
    """Source 1 is away since second 20; what source 2 feeds is evaluated at second 80."""
    store, copy = Store(), Store()
    for each in (store, copy):
        each.demand([Demand(named("m"), 5000)])
    for at in range(20):
        store.ingest(batch([("m|", at * 1000, 1.0)]), 1)
    store.windows.horizon_ms, store.windows.horizons_ms = 80_000, {1: 19_000, 2: 80_000}
    copy.restore(store.snapshot())
    for each in (store, copy):
        first, last = each.spans(each.selection(named("m")).slots(), 14_000, 19_000)
        assert (last - first).tolist() == [5]


@pytest.mark.parametrize("every_ms", [100, 1000])
@pytest.mark.parametrize(("before_ms", "after_ms"), [(5000, 60_000), (60_000, 5000), (-1, 5000), (0, 5000)])
def test_what_a_restart_with_other_rules_shows_is_what_a_reload_shows(
    before_ms: int, after_ms: int, every_ms: int
) -> None:
    """Many samples are packed, few are not; a longer window shows nothing that was forgotten before."""
    store, copy = Store(), Store()
    store.demand([Demand(named("m"), before_ms)] if before_ms >= 0 else [])
    for at in range(0, 60_000, every_ms):
        store.ingest(batch([(f"m|i={i}", at, at + i) for i in range(3)]), 1)
        store.windows.horizon_ms = at - 500
    state = store.snapshot()
    for each in (store, copy):
        each.demand([Demand(named("m"), after_ms)])
    copy.restore(state)
    shown = []
    for each in (store, copy):
        slots = each.selection(named("m")).slots()
        found = each.windows.unpacked(each.windows.survey(slots, -1, 1 << 40))
        spans = zip(found.first.tolist(), found.last.tolist(), strict=True)
        horizon_ms = each.windows.horizon_ms - after_ms
        shown.append([[at for at in found.timestamp_ms[a:b].tolist() if at > horizon_ms] for a, b in spans])
    assert shown[0] == shown[1] and all(shown[0])


def test_a_snapshot_of_the_previous_release_is_read() -> None:
    """It had a list of label sets."""
    store, copy = Store(), Store()
    store.ingest(batch([("m|i=1", 1000, 1.0), ("m|i=2", 2000, 2.0), ("n|", 3000, 3.0)]), 2)
    state = store.snapshot()
    copy.restore({**state, "labels": store.index.rows(store.index.live()).sets()})
    for labels in (series("m", i="1"), series("m", i="2"), series("n")):
        mine, other = store.find(labels), copy.find(labels)
        assert store.windows.at(mine, int(store.windows.meta[mine, kernels.LAST])).tolist() == (
            copy.windows.at(other, int(copy.windows.meta[other, kernels.LAST])).tolist()
        )
    assert dict(copy.created) == {2: 3}


def test_a_series_that_comes_back_is_found_by_a_spelling_seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the pool of label sets was begun anew meanwhile or not."""
    for spare in (1 << 16, -(10**6)):
        monkeypatch.setattr(index, "_SPARE", spare)
        store = Store()
        store.ingest(batch([("m|i=1", 0, 1.0), ("m|i=2", EXPIRY_MS, 1.0)]), 1)
        store.windows.horizon_ms = EXPIRY_MS + 1
        assert store.expire() == 1 and store.find(series("m", i="1")) == -1
        later = batch([("m|i=1", EXPIRY_MS + 1, 5.0), ("m|i=2", EXPIRY_MS + 1, 6.0)])
        assert store.ingest(later, 1, series_limit=1)[1][kernels.SERIES_LIMIT] == 1
        slots, _ = store.ingest(later, 1, series_limit=2)
        assert [repr(store.labels(slot)) for slot in slots.tolist()] == ['m{i="1"}', 'm{i="2"}']
        assert dict(store.created) == {1: 2}
